"""What an account holds, what moves it, and the book in which that is booked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.audit.account import Book
from streams.audit.rulebook import Record, Rulebook

Place = tuple[str, str]
"""Bucket and asset, or bucket and instrument."""


class Holdings(NamedTuple):
    """What an account has; nothing in it is zero."""

    balances: Mapping[Place, int]
    positions: Mapping[Place, tuple[int, int]]


class Input(NamedTuple):
    """A record that moves an account."""

    offset: int
    time_us: int
    topic: str
    record: Record
    """As the auditor's book takes it."""
    penalty_e8: int = 0
    """Of a fill that answers an order of its bucket: what it pays where that is still open."""


def copy_of(book: Book, account: str, rules: Rulebook) -> Book:
    """A book of this account alone: what others get of its movements is not asked for."""
    made = Book(rules, 0)
    made.settled = dict(book.settled)
    for place, e8 in book.balances.items():
        if place[0] == account:
            made.balances[place] = e8
    for name, holders in book.positions.items():
        mine = {owner: list(held) for owner, held in holders.items() if owner[0] == account}
        if mine:
            made.positions[name] = mine
    return made


def key_of(book: Book) -> Any:
    """What tells books of one account apart."""
    held = [
        (name, owner, *amounts)
        for name, holders in book.positions.items()
        for owner, amounts in holders.items()
    ]
    return (tuple(sorted(book.balances.items())), tuple(sorted(held)))


def book_of(account: str, held: Holdings, like: Book, rules: Rulebook) -> Book:
    """A book in which an account holds this; what is settled in `like` is settled in it."""
    book = Book(rules, 0)
    book.settled = dict(like.settled)
    for (pool, asset), e8 in held.balances.items():
        book.balances[account, pool, asset] = e8
    for (pool, name), amounts in held.positions.items():
        book.positions[name][account, pool] = list(amounts)
    return book
