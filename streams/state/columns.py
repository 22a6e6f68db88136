"""A table of numpy columns: rows are found by key, reused when freed, doubled when full."""

from collections.abc import Hashable, Iterable
from itertools import repeat
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from schemas.block import Int64s

Key = TypeVar("Key", bound=Hashable)
FIRST_CAPACITY = 64
MANY = 1_000


class ColumnTable(Generic[Key]):
    """Columns of equal length; `live` tells the rows in use, `keys[row]` what they are about."""

    def __init__(self, **dtypes: DTypeLike) -> None:
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(FIRST_CAPACITY, dtype) for name, dtype in dtypes.items()
        }
        self.live = np.zeros(FIRST_CAPACITY, np.bool_)
        self.keys: list[Key | None] = []
        self._row_of: dict[Key, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._row_of)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The whole column, free rows included (they hold zeros)."""
        return self._columns[name]

    @property
    def capacity(self) -> int:
        return len(self.live)

    def find(self, key: Key) -> int | None:
        return self._row_of.get(key)

    def row(self, key: Key) -> int:
        """The row of a key; a zeroed one where it is new."""
        row = self._row_of.get(key)
        return self._occupy(key) if row is None else row

    def rows(self, keys: Iterable[Key]) -> Int64s:
        """The rows of many keys, one lookup each; zeroed ones for those that are new."""
        listed = list(keys)
        found = np.fromiter(map(self._row_of.get, listed, repeat(-1)), np.int64, len(listed))
        missing = np.flatnonzero(found < 0)
        if len(missing):
            new = [listed[place] for place in missing.tolist()]
            many = len(listed) >= MANY
            found[missing] = self._append(new) if many else list(map(self.row, new))
        return found

    def unknown(self, keys: Iterable[Key]) -> set[Key]:
        """Those that have no row."""
        return set(keys).difference(self._row_of)

    def rows_of(self, keys: Int64s) -> Int64s:
        """As `rows` for integer keys that repeat a lot: one lookup a distinct key."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        return self.rows(distinct.tolist())[inverse]

    def live_rows(self) -> Int64s:
        return np.flatnonzero(self.live)

    def release(self, rows: Int64s) -> None:
        """Free rows: their keys are forgotten and their columns zeroed."""
        for row in rows.tolist():
            key = self.keys[row]
            assert key is not None, f"row {row} is free already"
            del self._row_of[key]
            self.keys[row] = None
            self._free.append(row)
        self.live[rows] = False
        for column in self._columns.values():
            column[rows] = 0

    def _occupy(self, key: Key) -> int:
        if self._free:
            row = self._free.pop()
            self.keys[row] = key
        else:
            row = len(self.keys)
            if row == self.capacity:
                self._double()
            self.keys.append(key)
        self._row_of[key] = row
        self.live[row] = True
        return row

    def _append(self, new: list[Key]) -> Int64s:
        """Rows for many new keys at once, behind all others: how a large book comes back."""
        row_of, first, known = self._row_of, len(self.keys), len(self)
        row_of.update(zip(new, range(first, first + len(new)), strict=True))
        if len(self) - known < len(new):  # some are named twice
            distinct = list(dict.fromkeys(new))
            row_of.update(zip(distinct, range(first, first + len(distinct)), strict=True))
            rows = [row_of[key] for key in new]
        else:
            distinct, rows = new, list(range(first, first + len(new)))
        end = first + len(distinct)
        while self.capacity < end:
            self._double()
        self.keys.extend(distinct)
        self.live[first:end] = True
        return np.array(rows, np.int64)

    def _double(self) -> None:
        size = self.capacity
        self.live = np.concatenate([self.live, np.zeros(size, np.bool_)])
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.zeros(size, column.dtype)])
