"""The ids of recent records, to tell a record that an exchange sent twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from risk.compiled import compiled
from schemas.spans import Spans

UInt64s = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Slots = NDArray[np.int32]
EMPTY = -1
FIRST_IDS = 512
YOUNG_LIMIT = 65_536
WINDOW = 1_000_000


class RecentIds:
    """64-bit hashes of at least the last `window` ids, in two sorted generations and a young set.

    8 bytes an id. Two different ids share a hash once in about 10^13 at the full window; the
    record is then dead-lettered as a duplicate, which a person can undo.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self._young = _Young()
        self._newer: UInt64s = np.empty(0, np.uint64)
        self._older: UInt64s = np.empty(0, np.uint64)
        self._unsaved: list[UInt64s] = []

    def first_seen(self, hashed: UInt64s, considered: Bools) -> Bools:
        """bool[n]: not among the recent ids, nor earlier in `hashed` where `considered`.

        Rows that are not considered come out True. Nothing is remembered yet.
        """
        fresh = np.ones(len(hashed), np.bool_)
        rows = np.flatnonzero(considered)
        if len(rows):
            fresh[rows] = self._first(hashed[rows])
        return fresh

    def remember(self, hashed: UInt64s) -> None:
        if len(hashed):
            self._unsaved.append(hashed)
            self.load(hashed)

    def unsaved(self) -> UInt64s:
        """What was remembered since the last call."""
        hashed = np.concatenate([np.empty(0, np.uint64), *self._unsaved])
        self._unsaved.clear()
        return hashed

    def load(self, hashed: UInt64s) -> None:
        """Remember what was saved, the oldest first."""
        self._young.add(hashed)
        if len(self._young) >= YOUNG_LIMIT:
            self._newer = np.sort(np.concatenate([self._newer, self._young.ids()]))
            self._young = _Young()
            if len(self._newer) >= self.window:
                self._older, self._newer = self._newer, np.empty(0, np.uint64)

    def _first(self, hashed: UInt64s) -> Bools:
        if self._none_seen(np.sort(hashed)):
            return np.ones(len(hashed), np.bool_)
        first = np.zeros(len(hashed), np.bool_)
        first[np.unique(hashed, return_index=True)[1]] = True
        for generation in self._generations():
            first &= ~_holds(generation, hashed)
        return first & ~self._young.holds(hashed)

    def _none_seen(self, ordered: UInt64s) -> bool:
        """Whether all differ and none is known: what nearly every block is like."""
        return (
            bool((ordered[1:] != ordered[:-1]).all())
            and not self._young.holds(ordered).any()
            and not any(_holds(generation, ordered).any() for generation in self._generations())
        )

    def _generations(self) -> list[UInt64s]:
        return [generation for generation in (self._newer, self._older) if len(generation)]


class _Young:
    """A set of hashes, found by their low bits."""

    def __init__(self) -> None:
        self._ids: UInt64s = np.empty(FIRST_IDS, np.uint64)
        self._slots = np.full(2 * FIRST_IDS, EMPTY, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def ids(self) -> UInt64s:
        return self._ids[: self._count]

    def holds(self, hashed: UInt64s) -> Bools:
        found = np.empty(len(hashed), np.bool_)
        _find(self._slots, self._ids, hashed, found)
        return found

    def add(self, hashed: UInt64s) -> None:
        present, size = self.ids(), len(self._ids)
        while size < self._count + len(hashed):
            size *= 2
        if size > len(self._ids):
            self._ids, self._slots = np.empty(size, np.uint64), np.full(2 * size, EMPTY, np.int32)
            _enter(self._slots, self._ids, 0, present)
        self._count = _enter(self._slots, self._ids, self._count, hashed)


@compiled
def _find(slots: Slots, ids: UInt64s, hashed: UInt64s, found: Bools) -> None:
    """Whether each is there, into `found`. A slot holds a place in `ids`, EMPTY none."""
    last = np.uint64(len(slots) - 1)
    for row in range(len(hashed)):
        slot = hashed[row] & last
        while slots[slot] != EMPTY and ids[slots[slot]] != hashed[row]:
            slot = (slot + np.uint64(1)) & last
        found[row] = slots[slot] != EMPTY


@compiled
def _enter(slots: Slots, ids: UInt64s, count: int, hashed: UInt64s) -> int:
    """Put those that are not there behind the first `count`; how many there are then."""
    last = np.uint64(len(slots) - 1)
    for row in range(len(hashed)):
        slot = hashed[row] & last
        while slots[slot] != EMPTY and ids[slots[slot]] != hashed[row]:
            slot = (slot + np.uint64(1)) & last
        if slots[slot] == EMPTY:
            slots[slot] = count
            ids[count] = hashed[row]
            count += 1
    return count


def _holds(generation: UInt64s, hashed: UInt64s) -> Bools:
    place = np.minimum(np.searchsorted(generation, hashed), len(generation) - 1)
    found: Bools = generation[place] == hashed
    return found


def hashes(ids: Sequence[str] | Spans) -> UInt64s:
    """64-bit hashes of texts, the same in every process and every release: they are stored."""
    encoded = ids.values() if isinstance(ids, Spans) else map(str.encode, ids)
    return np.fromiter(map(xxh3_64_intdigest, encoded), np.uint64, len(ids))
