"""The accounts that differ from what the changelog has of them, found without a look at all."""

import numpy as np

from schemas.block import Int64s
from streams.state.columns import ColumnTable


class Touched:
    """Rows of a table whose column `dirty` says so.

    A row is noted where it becomes dirty, so that those of a turn cost nothing of the others; what
    is noted and no longer dirty, or no longer live, counts for nothing.
    """

    def __init__(self, table: ColumnTable) -> None:
        self._table = table
        self._noted: list[Int64s] = []

    def add(self, rows: Int64s) -> None:
        """These differ; they may repeat."""
        dirty = self._table["dirty"]
        fresh = rows[~dirty[rows]]
        if len(fresh):
            dirty[fresh] = True
            self._noted.append(fresh)

    def clear(self, rows: Int64s) -> None:
        """The changelog has these as they are."""
        self._table["dirty"][rows] = False

    def rows(self) -> Int64s:
        """Those that differ, ascending."""
        if not self._noted:
            return np.empty(0, np.int64)
        noted = np.sort(np.concatenate(self._noted))
        counts = self._table["dirty"][noted] & self._table.live[noted]
        counts[1:] &= noted[1:] != noted[:-1]
        self._noted = [noted[counts]]
        return self._noted[0]
