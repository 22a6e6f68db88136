"""A table whose rows are found by name; the names are bytes, one behind the other."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import DTypeLike

from schemas.block import Int64s, taken
from schemas.spans import MARK, Spans
from streams.state.columns import ColumnTable, zeros
from streams.state.probing import (
    EMPTY,
    Asked,
    Bytes,
    Texts,
    enter_texts,
    find_texts,
    joined_texts,
    leave_texts,
    move_texts,
    settle_texts,
)

FIRST_BYTES = 1_024
MOST_BYTES = 2**31 - 1
"""Of all names together: where one begins and ends takes 32 bits each."""
BEGIN, END = "name_begins", "name_ends"
NameList = Sequence[str] | Sequence[bytes] | Spans


class NameTable(ColumnTable):
    """Columns by name; a name is UTF-8, and looked at whole: no hash is trusted."""

    def __init__(self, **dtypes: DTypeLike) -> None:
        super().__init__(**dtypes, **{BEGIN: np.int32, END: np.int32})
        self._bytes: Bytes = zeros(FIRST_BYTES, np.uint8)
        self._used = 0
        self._wasted = 0
        """Bytes of names that are gone."""

    def find(self, name: str) -> int | None:
        row = int(self.found([name])[0])
        return None if row == EMPTY else row

    def found(self, names: NameList) -> Int64s:
        """int64[n]: the row of each name, EMPTY where it has none."""
        rows = np.empty(len(names), np.int64)
        find_texts(self._texts(), spelled(names), rows)
        return rows

    def unknown(self, names: NameList) -> set[str]:
        """Those that have no row."""
        missing = np.flatnonzero(self.found(names) == EMPTY)
        return set(texts_of(taken(names, missing))) if len(missing) else set()

    def row(self, name: str) -> int:
        """The row of a name; a zeroed one where it is new."""
        return int(self.rows([name])[0])

    def rows(self, names: NameList) -> Int64s:
        """int64[n]: the row of each name; new ones in the order in which they are first named."""
        asked = spelled(names)
        rows = np.empty(len(names), np.int64)
        find_texts(self._texts(), asked, rows)
        missing = np.flatnonzero(rows == EMPTY)
        if len(missing):
            new = asked[0], asked[1][missing], asked[2][missing]
            fresh, there = self._unused(len(missing)), np.empty(len(missing), np.int64)
            self._make_room(int((new[2] - new[1]).sum()))
            count, self._used = enter_texts(self._texts(), new, fresh, self._used, there)
            self._take(fresh[:count])
            rows[missing] = there
        return rows

    def name(self, row: int) -> str:
        """The name of a row that is in use."""
        return self.encoded(np.array([row]))[0].decode()

    def names(self, rows: Int64s) -> list[str]:
        """The names of rows that are in use."""
        return [name.decode() for name in self.encoded(rows)]

    def encoded(self, rows: Int64s) -> list[bytes]:
        """The names of rows that are in use, in UTF-8."""
        joined = joined_texts(self._texts(), np.ascontiguousarray(rows, np.int64))
        return joined.tobytes().split(bytes([MARK]))[1:]

    def release(self, rows: Int64s) -> None:
        """Free rows, each once: their names are forgotten."""
        assert self.live[rows].all(), "a row is free already"
        leave_texts(self._texts(), rows)
        self._wasted += int((self._columns[END][rows] - self._columns[BEGIN][rows]).sum())
        self._give_back(rows)
        if self._wasted > self._used // 2:
            self._move_to(zeros(max(self._used - self._wasted, FIRST_BYTES), np.uint8))

    def _make_room(self, more: int) -> None:
        if self._used + more > len(self._bytes):
            size = self._used - self._wasted + more
            if size > MOST_BYTES:
                raise OverflowError(f"names of {size:,} bytes: a worker holds {MOST_BYTES:,}")
            self._move_to(zeros(min(size * 3 // 2, MOST_BYTES), np.uint8))

    def _move_to(self, room: Bytes) -> None:
        self._used = move_texts(self._texts(), self.live_rows(), room)
        self._bytes, self._wasted = room, 0

    def _settle(self, rows: Int64s) -> None:
        settle_texts(self._texts(), rows)

    def _texts(self) -> Texts:
        return self._slots, self._bytes, self._columns[BEGIN], self._columns[END]


def given(names: Sequence[str | None] | Spans) -> NameList:
    """Those that are there."""
    return names if isinstance(names, Spans) else [name for name in names if name is not None]


def texts_of(names: NameList) -> list[str]:
    """The names as texts."""
    if isinstance(names, Spans):
        return names.texts()[0]
    return [name if isinstance(name, str) else name.decode() for name in names]


def spelled(names: NameList) -> Asked:
    """The bytes of names, and where each begins and ends in them."""
    if isinstance(names, Spans):
        return names.source.array, names.start, names.start + names.sizes
    if names and isinstance(names[0], str):
        text = "".join(cast(Sequence[str], names))
        if text.isascii():  # a letter is a byte
            return _placed(text.encode(), names)
        names = [name.encode() for name in cast(Sequence[str], names)]
    return _placed(b"".join(cast(Sequence[bytes], names)), names)


def _placed(joined: bytes, names: Sequence[str] | Sequence[bytes]) -> Asked:
    sizes = np.fromiter(map(len, names), np.int64, len(names))
    ends = np.cumsum(sizes)
    return np.frombuffer(joined, np.uint8), ends - sizes, ends
