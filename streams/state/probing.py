"""Hash tables of rows in compiled code: a slot holds a row, whose columns hold the key.

`slots` is int32[2^k], -1 where empty, never full; collisions go to the next slot. A key is compared
whole, so two that share a hash are two keys. Nothing is kept of a key but what its row has anyway.

The two that only look search for themselves: a call with arrays costs more than the search.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Int64s
from schemas.spans import MARK

EMPTY = -1
Slots = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Pairs = tuple[Slots, NDArray[Any], NDArray[Any]]
"""Slots, and the two columns of the key, by row: signed integers of any width."""
Texts = tuple[Slots, Bytes, NDArray[np.int32], NDArray[np.int32]]
"""Slots, the bytes of all texts, and where each begins and ends in them, by row."""
Asked = tuple[Bytes, Int64s, Int64s]
"""Texts that are looked for: bytes, and where each begins and ends in them."""
FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
FOLD = np.uint64(32)
index = np.uint64
"""Of bytes: at a signed index numba looks whether it counts from the end."""


@compiled
def find_pairs(pairs: Pairs, first: Int64s, second: Int64s, rows: Int64s) -> None:
    """The row of each key into `rows` int64[n]; EMPTY where it has none."""
    slots, firsts, seconds = pairs
    last = index(len(slots) - 1)
    for place in range(len(first)):
        slot = index(_pair_home(len(slots), first[place], second[place]))
        row = slots[slot]
        while row != EMPTY and not (firsts[row] == first[place] and seconds[row] == second[place]):
            slot = (slot + index(1)) & last
            row = slots[slot]
        rows[place] = row


@compiled
def enter_pairs(pairs: Pairs, keys: tuple[Int64s, Int64s], fresh: Int64s, rows: Int64s) -> int:
    """As `find_pairs`; a key without a row gets the next one of `fresh`. How many it took."""
    slots, firsts, seconds = pairs
    first, second = keys
    taken = 0
    for place in range(len(first)):
        slot = _pair_slot(pairs, first[place], second[place])
        if slots[slot] == EMPTY:
            row = fresh[taken]
            taken += 1
            slots[slot] = row
            firsts[row] = first[place]
            seconds[row] = second[place]
        rows[place] = slots[slot]
    return taken


@compiled
def settle_pairs(pairs: Pairs, rows: Int64s) -> None:
    """Put rows that have their keys into empty slots."""
    slots, firsts, seconds = pairs
    for row in rows:
        slots[_pair_slot(pairs, firsts[row], seconds[row])] = row


@compiled
def leave_pairs(pairs: Pairs, rows: Int64s) -> None:
    """Take rows out; those behind them that were pushed on by them move back."""
    slots, firsts, seconds = pairs
    last = len(slots) - 1
    for row in rows:
        hole = _pair_slot(pairs, firsts[row], seconds[row])
        slot = (hole + 1) & last
        while slots[slot] != EMPTY:
            other = slots[slot]
            home = _pair_home(len(slots), firsts[other], seconds[other])
            if ((slot - home) & last) >= ((slot - hole) & last):
                slots[hole] = other
                hole = slot
            slot = (slot + 1) & last
        slots[hole] = EMPTY


@compiled
def find_texts(texts: Texts, asked: Asked, rows: Int64s) -> None:
    """The row of each text into `rows` int64[n]; EMPTY where it has none."""
    slots, stored, begins, ends = texts
    source, asked_begins, asked_ends = asked
    last = index(len(slots) - 1)
    for place in range(len(rows)):
        begin, end = index(asked_begins[place]), index(asked_ends[place])
        slot = index(_text_home(len(slots), source, asked_begins[place], asked_ends[place]))
        row = slots[slot]
        while row != EMPTY:
            at, other = begin, index(begins[row])
            if index(ends[row]) - other == end - begin:
                while at < end and source[at] == stored[other]:
                    at, other = at + index(1), other + index(1)
                if at == end:
                    break
            slot = (slot + index(1)) & last
            row = slots[slot]
        rows[place] = row


@compiled
def enter_texts(
    texts: Texts, asked: Asked, fresh: Int64s, used: int, rows: Int64s
) -> tuple[int, int]:
    """As `enter_pairs`.

    A new text is written behind the `used` bytes. How many rows it took, and bytes used then.
    """
    slots, stored, begins, ends = texts
    taken = 0
    for place in range(len(rows)):
        begin, end = asked[1][place], asked[2][place]
        slot = _text_slot(texts, asked[0], begin, end)
        if slots[slot] == EMPTY:
            row = fresh[taken]
            taken += 1
            slots[slot] = row
            stored[used : used + end - begin] = asked[0][begin:end]
            begins[row] = used
            used += end - begin
            ends[row] = used
        rows[place] = slots[slot]
    return taken, used


@compiled
def settle_texts(texts: Texts, rows: Int64s) -> None:
    """As `settle_pairs`."""
    slots, stored, begins, ends = texts
    for row in rows:
        slots[_text_slot(texts, stored, begins[row], ends[row])] = row


@compiled
def leave_texts(texts: Texts, rows: Int64s) -> None:
    """As `leave_pairs`."""
    slots, stored, begins, ends = texts
    last = len(slots) - 1
    for row in rows:
        hole = _text_slot(texts, stored, begins[row], ends[row])
        slot = (hole + 1) & last
        while slots[slot] != EMPTY:
            other = slots[slot]
            home = _text_home(len(slots), stored, begins[other], ends[other])
            if ((slot - home) & last) >= ((slot - hole) & last):
                slots[hole] = other
                hole = slot
            slot = (slot + 1) & last
        slots[hole] = EMPTY


@compiled
def move_texts(texts: Texts, rows: Int64s, into: Bytes) -> int:
    """Write the texts of these rows one behind the other; how many bytes they are."""
    _, stored, begins, ends = texts
    used = 0
    for row in rows:
        size = ends[row] - begins[row]
        into[used : used + size] = stored[begins[row] : ends[row]]
        begins[row] = used
        used += size
        ends[row] = used
    return used


@compiled
def joined_texts(texts: Texts, rows: Int64s) -> Bytes:
    """The texts of these rows, `MARK` before each."""
    _, stored, begins, ends = texts
    size = 0
    for row in rows:
        size += 1 + ends[row] - begins[row]
    joined, at = np.empty(size, np.uint8), 0
    for row in rows:
        joined[at] = MARK
        at += 1
        for byte in range(begins[row], ends[row]):
            joined[at] = stored[byte]
            at += 1
    return joined


@compiled
def _pair_home(size: int, first: np.int64, second: np.int64) -> np.int64:
    mixed = np.uint64(first) * FIRST + np.uint64(second)
    mixed = (mixed ^ (mixed >> FOLD)) * SECOND
    return np.int64((mixed ^ (mixed >> FOLD)) & np.uint64(size - 1))


@compiled
def _pair_slot(pairs: Pairs, first: np.int64, second: np.int64) -> np.int64:
    """The slot of a key, or the empty one where it would be."""
    slots, firsts, seconds = pairs
    slot = _pair_home(len(slots), first, second)
    while slots[slot] != EMPTY:
        row = slots[slot]
        if firsts[row] == first and seconds[row] == second:
            break
        slot = (slot + 1) & (len(slots) - 1)
    return slot


@compiled
def _text_home(size: int, source: Bytes, begin: int, end: int) -> np.int64:
    mixed = np.uint64(end - begin)
    for at in range(index(begin), index(end)):
        mixed = (mixed ^ np.uint64(source[at])) * FIRST
    mixed = (mixed ^ (mixed >> FOLD)) * SECOND
    return np.int64((mixed ^ (mixed >> FOLD)) & np.uint64(size - 1))


@compiled
def _text_slot(texts: Texts, source: Bytes, begin: int, end: int) -> np.int64:
    """The slot of the text at these places of `source`, or the empty one where it would be."""
    slots, stored, begins, ends = texts
    slot = _text_home(len(slots), source, begin, end)
    while slots[slot] != EMPTY:
        row = slots[slot]
        if ends[row] - begins[row] == end - begin:
            at, other = index(begin), index(begins[row])
            while at < index(end) and source[at] == stored[other]:
                at, other = at + index(1), other + index(1)
            if at == index(end):
                break
        slot = (slot + 1) & (len(slots) - 1)
    return slot
