"""Tables of numpy columns: rows are reused when freed, and moved to longer columns when full."""

import mmap
from abc import ABC, abstractmethod
from array import array
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from schemas.block import Int64s
from streams.state.probing import (
    EMPTY,
    Pairs,
    Slots,
    enter_pairs,
    find_pairs,
    leave_pairs,
    settle_pairs,
)

Bools = NDArray[np.bool_]
FIRST_CAPACITY = 64
FIRST_SLOTS = 128
PIECE = 4_096
HUGE, LARGE = 1 << 21, 1 << 22
"""Bytes of a huge page, and of arrays that are to have such: rows are looked up here and there."""
FULL = 0.75
"""Of the slots in use: beyond it there are twice as many."""


class ColumnTable(ABC):
    """Columns of equal length; `live` tells the rows in use, the others hold zeros.

    A page of a column costs memory once something is written to it: what most rows have none of,
    as deadlines, is written only where there is some.
    """

    def __init__(self, **dtypes: DTypeLike) -> None:
        self._columns: dict[str, NDArray[Any]] = {
            name: zeros(FIRST_CAPACITY, dtype) for name, dtype in dtypes.items()
        }
        self.live: Bools = zeros(FIRST_CAPACITY, np.bool_)
        self._slots = _empty(FIRST_SLOTS)
        self._end = 0
        """Behind the last row that was ever in use."""
        self._free = array("q")
        """Rows before it that are not; the one freed last is used first."""

    def __len__(self) -> int:
        return self._end - len(self._free)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The whole column, free rows included."""
        return self._columns[name]

    @property
    def capacity(self) -> int:
        return len(self.live)

    def put(self, name: str, rows: Int64s, values: NDArray[Any]) -> Bools:
        """Write values [n] to distinct rows of a column where they differ; bool[n]: they did."""
        column = self._columns[name]
        differs: Bools = column[rows] != values
        column[rows[differs]] = values[differs]
        return differs

    def live_rows(self) -> Int64s:
        return np.flatnonzero(self.live)

    def _unused(self, count: int) -> Int64s:
        """Rows to be taken next, and slots for them."""
        freed = np.frombuffer(self._free[-count:], np.int64)[::-1]
        end = self._end + count - len(freed)
        if end > self.capacity:
            self._lengthen(max(end, self.capacity * 3 // 2))
        if len(self) + count > FULL * len(self._slots):
            size = len(self._slots)
            while len(self) + count > FULL * size:
                size *= 2
            self._slots = _empty(size)
            self._settle(self.live_rows())
        return np.concatenate([freed, np.arange(self._end, end)])

    def _take(self, rows: Int64s) -> None:
        """The first of `_unused`, in its order."""
        freed = min(len(rows), len(self._free))
        del self._free[len(self._free) - freed :]
        self._end += len(rows) - freed
        self.live[rows] = True

    def _give_back(self, rows: Int64s) -> None:
        """Rows that have left their slots."""
        self._free.frombytes(rows.tobytes())
        self.live[rows] = False
        for column in self._columns.values():
            column[rows[column[rows] != 0]] = 0

    def _lengthen(self, size: int) -> None:
        self.live = _longer(self.live, size)
        for name, column in self._columns.items():
            self._columns[name] = _longer(column, size)

    @abstractmethod
    def _settle(self, rows: Int64s) -> None:
        """Put rows into their slots."""


class PairTable(ColumnTable):
    """Rows that are found by two columns of integers, those that are named first."""

    def __init__(self, **dtypes: DTypeLike) -> None:
        super().__init__(**dtypes)
        self.key = list(dtypes)[:2]

    def find(self, first: int, second: int) -> int | None:
        row = int(self.found(np.array([first]), np.array([second]))[0])
        return None if row == EMPTY else row

    def found(self, first: Int64s, second: Int64s) -> Int64s:
        """int64[n]: the row of each key, EMPTY where there is none."""
        rows = np.empty(len(first), np.int64)
        find_pairs(self._pairs(), _plain(first), _plain(second), rows)
        return rows

    def rows(self, first: Int64s, second: Int64s) -> Int64s:
        """int64[n]: the row of each key; new ones in the order in which they are first named."""
        rows = self.found(first, second)
        missing = np.flatnonzero(rows == EMPTY)
        if len(missing):
            fresh, there = self._unused(len(missing)), np.empty(len(missing), np.int64)
            keys = _plain(first[missing]), _plain(second[missing])
            self._take(fresh[: enter_pairs(self._pairs(), keys, fresh, there)])
            rows[missing] = there
        return rows

    def release(self, rows: Int64s) -> None:
        """Free rows, each once: they are found no more."""
        assert self.live[rows].all(), "a row is free already"
        leave_pairs(self._pairs(), rows)
        self._give_back(rows)

    def _settle(self, rows: Int64s) -> None:
        settle_pairs(self._pairs(), rows)

    def _pairs(self) -> Pairs:
        first, second = (_signed(self._columns[name]) for name in self.key)
        return self._slots, first, second


def zeros(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """An array in pages of its own: each costs memory once it is written to, and all go back to
    the system when the array is gone.

    The allocator would rather take what was used before: then `np.zeros` writes all of it, and
    what is freed stays the process's where a small thing beside it does.
    """
    kind = np.dtype(dtype)
    length = size * kind.itemsize
    large = length >= LARGE
    pages = mmap.mmap(-1, -(-length // HUGE) * HUGE if large else length, mmap.MAP_PRIVATE)
    if large and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them: slower, and no less right
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.ndarray(size, kind, pages)


def _empty(size: int) -> Slots:
    slots: Slots = zeros(size, np.int32)
    slots[:] = EMPTY
    return slots


def _longer(column: NDArray[Any], size: int) -> NDArray[Any]:
    """The same at its beginning, zeros behind; what is all zeros is not written."""
    longer = zeros(size, column.dtype)
    for begin in range(0, len(column), PIECE):
        piece = column[begin : begin + PIECE]
        if piece.any():
            longer[begin : begin + len(piece)] = piece
    return longer


def _signed(column: NDArray[Any]) -> NDArray[Any]:
    """The same bits, where they were unsigned: integers of both kinds compare as floats."""
    return column.view(np.int64) if column.dtype == np.uint64 else column


def _plain(keys: Int64s) -> Int64s:
    """As the kernels are compiled for."""
    return np.ascontiguousarray(keys, np.int64)
