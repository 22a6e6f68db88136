"""The ids of recent records, to tell a record that an exchange sent twice."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
        self._window = window
        self._young: set[int] = set()
        self._newer: UInt64s = np.empty(0, np.uint64)
        self._older: UInt64s = np.empty(0, np.uint64)

    def first_seen(self, ids: Sequence[str], considered: Bools) -> Bools:
        """bool[n]: not among the recent ids, nor earlier in `ids` where `considered`.

        Rows that are not considered come out True. Nothing is remembered yet.
        """
        fresh = np.ones(len(ids), np.bool_)
        rows = np.flatnonzero(considered)
        if len(rows):
            fresh[rows] = self._first(hashes([ids[row] for row in rows.tolist()]))
        return fresh

    def remember(self, ids: Sequence[str]) -> None:
        self._young.update(hashes(ids).tolist())
        if len(self._young) >= YOUNG_LIMIT:
            young = np.fromiter(self._young, np.uint64, len(self._young))
            self._newer = np.sort(np.concatenate([self._newer, young]))
            self._young.clear()
            if len(self._newer) >= self._window:
                self._older, self._newer = self._newer, np.empty(0, np.uint64)

    def _first(self, hashed: UInt64s) -> Bools:
        first = np.zeros(len(hashed), np.bool_)
        first[np.unique(hashed, return_index=True)[1]] = True
        for generation in (self._newer, self._older):
            if len(generation):
                place = np.minimum(np.searchsorted(generation, hashed), len(generation) - 1)
                first &= generation[place] != hashed
        young = self._young
        return first & np.fromiter((h not in young for h in hashed.tolist()), np.bool_, len(hashed))


def hashes(ids: Sequence[str]) -> UInt64s:
    """64-bit hashes of texts, the same in every process."""
    return pl.Series(ids, dtype=pl.String).hash(seed=0).to_numpy()
