"""The ids of recent records, to tell a record that an exchange sent twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

UInt64s = NDArray[np.uint64]
Bools = NDArray[np.bool_]
YOUNG_LIMIT = 65_536
WINDOW = 1_000_000


class RecentIds:
    """64-bit hashes of at least the last `window` ids, in two sorted generations and a young set.

    8 bytes an id. Two different ids share a hash once in about 10^13 at the full window; the
    record is then dead-lettered as a duplicate, which a person can undo.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self._young: set[int] = set()
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
        self._young.update(hashed.tolist())
        if len(self._young) >= YOUNG_LIMIT:
            young = np.fromiter(self._young, np.uint64, len(self._young))
            self._newer = np.sort(np.concatenate([self._newer, young]))
            self._young.clear()
            if len(self._newer) >= self.window:
                self._older, self._newer = self._newer, np.empty(0, np.uint64)

    def _first(self, hashed: UInt64s) -> Bools:
        if self._none_seen(np.sort(hashed)):
            return np.ones(len(hashed), np.bool_)
        first = np.zeros(len(hashed), np.bool_)
        first[np.unique(hashed, return_index=True)[1]] = True
        for generation in self._generations():
            first &= ~_holds(generation, hashed)
        young = self._young
        return first & np.fromiter((h not in young for h in hashed.tolist()), np.bool_, len(hashed))

    def _none_seen(self, ordered: UInt64s) -> bool:
        """Whether all differ and none is known: what nearly every block is like."""
        return (
            bool((ordered[1:] != ordered[:-1]).all())
            and self._young.isdisjoint(ordered.tolist())
            and not any(_holds(generation, ordered).any() for generation in self._generations())
        )

    def _generations(self) -> list[UInt64s]:
        return [generation for generation in (self._newer, self._older) if len(generation)]


def _holds(generation: UInt64s, hashed: UInt64s) -> Bools:
    place = np.minimum(np.searchsorted(generation, hashed), len(generation) - 1)
    found: Bools = generation[place] == hashed
    return found


def hashes(ids: Sequence[str]) -> UInt64s:
    """64-bit hashes of texts, the same in every process and every release: they are stored."""
    return np.fromiter(map(xxh3_64_intdigest, map(str.encode, ids)), np.uint64, len(ids))
