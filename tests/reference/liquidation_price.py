"""Liquidation prices the slow way: the whole book is evaluated again at every mark of a scan."""

from collections.abc import Callable
from fractions import Fraction

from tests.reference.margin import Book, evaluate

E8 = 10**8
REACH = 100


def at_mark(book: Book, pricer: list[int], instrument: int, mark: int) -> Book:
    """The book with another mark of one instrument, and of the assets that it prices; e8."""
    marks = [mark if row == instrument else old for row, old in enumerate(book.marks)]
    prices = [
        mark if row == instrument else old for row, old in zip(pricer, book.prices, strict=True)
    ]
    return book._replace(marks=marks, prices=prices)


def at_factor(book: Book, pricer: list[int], factor: Fraction) -> Book:
    """The book with all marks, and the prices that are marks, times a factor."""
    marks = [max(1, round(mark * factor)) for mark in book.marks]
    prices = [old if row < 0 else marks[row] for row, old in zip(pricer, book.prices, strict=True)]
    return book._replace(marks=marks, prices=prices)


def surplus(book: Book, bucket: int) -> int:
    """Equity less maintenance margin of a bucket, e8."""
    equity, _, maintenance, *_ = evaluate(book)[0][bucket]
    return equity - maintenance


def first_change(surplus_at: Callable[[int], int], mark: int, *, upward: bool) -> int | None:
    """The first mark of a scan in steps of a fiftieth, bisected to a unit, whose sign is new."""
    safe, last = surplus_at(mark) >= 0, mark
    while mark // REACH < last < mark * REACH:
        step = max(1, last // 50)
        following = last + step if upward else last - step
        if (surplus_at(following) >= 0) != safe:
            while abs(following - last) > 1:
                middle = (following + last) // 2
                if (surplus_at(middle) >= 0) == safe:
                    last = middle
                else:
                    following = middle
            return following
        last = following
    return None
