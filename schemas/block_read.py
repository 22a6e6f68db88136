"""One Avro field of many rows at a time: numbers and texts at per-row cursors, whole arrays.

Every read is bounded by its own row's end; a row that breaks a rule is marked, never the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s
from schemas.spans import Bytes, Spans

Bools = NDArray[np.bool_]
Uint64s = NDArray[np.uint64]

_CONTINUES = np.uint64(0x8080_8080_8080_8080)
_ONE = np.uint64(1)
# Each step closes the gaps between neighbouring groups of 7, 14 and 28 bits.
_CLOSE_GAPS = tuple(
    (np.uint64(low), np.uint64(high), np.uint64(shift))
    for low, high, shift in (
        (0x007F_007F_007F_007F, 0x7F00_7F00_7F00_7F00, 1),
        (0x0000_3FFF_0000_3FFF, 0x3FFF_0000_3FFF_0000, 2),
        (0x0000_0000_0FFF_FFFF, 0x0FFF_FFFF_0000_0000, 4),
    )
)


@dataclass(slots=True)
class Rows:
    """Where reading stands: next byte, end and soundness of each row, int64[n] and bool[n].

    `at` never passes `end`: a row that would is marked as not sound and stays at its end.
    """

    at: Int64s
    end: Int64s
    sound: Bools

    def pick(self, chosen: Int64s) -> "Rows":
        """A copy of some rows."""
        return Rows(self.at[chosen], self.end[chosen], self.sound[chosen])

    def put(self, chosen: Int64s, rows: "Rows") -> None:
        """Takes back rows that `pick` gave."""
        self.at[chosen] = rows.at
        self.sound[chosen] = rows.sound

    def advance(self, sizes: Int64s | int) -> None:
        """Moves past `sizes` bytes (never negative), where the row has them."""
        left = self.end - self.at
        fits = left >= sizes
        if fits.all():
            self.at = self.at + sizes
        else:
            self.sound &= fits
            self.at = np.where(fits, self.at + np.where(fits, sizes, 0), self.end)


def read_longs(source: Bytes, rows: Rows) -> Int64s:
    """Zigzag varints of at most 9 bytes; a row with a longer one is not sound.

    A tenth byte holds only values beyond 2^62, which no amount or time has.
    """
    first = source.array.take(rows.at)
    if first.max(initial=0) < 0x80:
        rows.advance(1)
        raw = first.astype(np.uint64)
    else:
        raw = _read_words(source, rows)
    return ((raw >> _ONE) ^ (np.uint64(0) - (raw & _ONE))).view(np.int64)


def _read_words(source: Bytes, rows: Rows) -> Uint64s:
    """Varints from 8 bytes at once: the lowest clear top bit ends one, then gaps are closed."""
    word = source.words[rows.at]
    stops = ~word & _CONTINUES
    taken = stops ^ (stops - _ONE)
    raw = word & taken & ~_CONTINUES
    for low, high, shift in _CLOSE_GAPS:
        raw = (raw & low) | ((raw & high) >> shift)
    sizes = (np.bitwise_count(taken) >> np.uint8(3)).astype(np.int64)
    unended = np.flatnonzero(stops == 0)
    if len(unended):
        ninth = source.array[rows.at[unended] + 8]
        raw[unended] |= (ninth & np.uint8(0x7F)).astype(np.uint64) << np.uint64(56)
        sizes[unended] = 9
        rows.sound[unended[ninth >= 0x80]] = False
    rows.advance(sizes)
    return raw


def read_numbers_below(source: Bytes, rows: Rows, limit: int) -> Int64s:
    """Longs in 0..limit-1; any other makes its row unsound and is given as 0."""
    numbers = read_longs(source, rows)
    inside = numbers.view(np.uint64) < np.uint64(limit)
    if not inside.all():
        rows.sound &= inside
        numbers = np.where(inside, numbers, 0)
    return numbers


def read_doubles(source: Bytes, rows: Rows) -> NDArray[np.float64]:
    """Eight bytes each, little-endian."""
    values = source.doubles[rows.at]
    rows.advance(8)
    return values.astype(np.float64, copy=False)


def read_booleans(source: Bytes, rows: Rows) -> Bools:
    """One byte each, 0 or 1."""
    values = source.array.take(rows.at)
    rows.sound &= values <= 1
    rows.advance(1)
    return values.astype(np.bool_)


def read_spans(source: Bytes, rows: Rows) -> Spans:
    """Length-prefixed texts or bytes, unseen; an unsound row's span is empty."""
    sizes = read_longs(source, rows)
    negative = sizes < 0
    if negative.any():
        rows.sound &= ~negative
        sizes = np.where(negative, 0, sizes)
    start = rows.at
    rows.advance(sizes)
    if not rows.sound.all():
        return Spans(source, np.where(rows.sound, start, 0), np.where(rows.sound, sizes, 0))
    return Spans(source, start, sizes)
