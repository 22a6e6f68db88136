"""The liquidation map the slow way: the whole book is evaluated again at every step, outward."""

from collections.abc import Sequence

from tests.reference.liquidation_price import at_mark
from tests.reference.margin import Book, evaluate

PPM = 10**6
Map = dict[int, tuple[list[int], list[int]]]
"""Instrument -> notional of longs and of shorts at each step, e8."""


def surpluses(book: Book, pricer: list[int], instrument: int, shock: int) -> list[int | None]:
    """Equity less maintenance margin of every bucket after a move; None: it requires nothing."""
    required = [row[2] > 0 for row in evaluate(book)[0]]
    mark = round(book.marks[instrument] * (PPM + shock) / PPM)
    moved = evaluate(at_mark(book, pricer, instrument, mark))[0]
    return [row[0] - row[2] if held else None for row, held in zip(moved, required, strict=True)]


def liquidation_map(book: Book, pricer: list[int], shocks: Sequence[int]) -> Map:
    """A bucket counts from the first step, walking outward from 0, at which E < MM."""
    found: Map = {}
    notionals = [row[1] for row in evaluate(book)[1]]
    outward = (sorted(s for s in shocks if s >= 0), sorted(s for s in shocks if s <= 0)[::-1])
    for instrument in sorted({row[1] for row in book.positions}):
        longs, shorts = dict.fromkeys(shocks, 0), dict.fromkeys(shocks, 0)
        for way in outward:
            fallen: set[int] = set()
            for shock in way:
                left = surpluses(book, pricer, instrument, shock)
                fallen |= {n for n, one in enumerate(left) if one is not None and one < 0}
                for side, sign in ((longs, 1), (shorts, -1)):
                    side[shock] = sum(
                        notional
                        for (owner, held, quantity, _), notional in zip(
                            book.positions, notionals, strict=True
                        )
                        if held == instrument and owner in fallen and quantity * sign > 0
                    )
        found[instrument] = ([longs[s] for s in shocks], [shorts[s] for s in shocks])
    return found


def cascade(
    shocks: Sequence[int], longs: Sequence[int], shorts: Sequence[int], depth: int
) -> list[tuple[int, int, int]]:
    """(end, longs, shorts) of each first move: the price walks step by step while it is pressed."""
    ends = []
    for shock in shocks:
        zero = list(shocks).index(0)
        falls = shock < 0 or (shock == 0 and longs[zero] >= shorts[zero])
        sign, pressing = (-1, longs) if falls else (1, shorts)
        at = zero
        while True:
            end = shock + sign * min(pressing[at] * 10_000 // depth, PPM)
            if not 0 <= at + sign < len(shocks) or (shocks[at + sign] - end) * sign > 0:
                break
            at += sign
        ends.append((max(end, -PPM), longs[at], shorts[at]))
    return ends
