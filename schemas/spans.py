"""Texts and byte strings of a block as places in its bytes, so that none need become an object."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s
from schemas.wire import varint

WIDEST_CELL = 128
PAD_BYTES = WIDEST_CELL + 16

MARK = 0xFF
"""A byte that no UTF-8 has."""


class Bytes:
    """The values of a block, one after another, with padding so that reads may look ahead."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self.joined = b"".join([*values, bytes(PAD_BYTES)])
        self.array = np.frombuffer(self.joined, dtype=np.uint8)
        places = len(self.array) - 7
        self.words: NDArray[np.uint64] = np.ndarray((places,), "<u8", self.joined, strides=(1,))
        self.doubles: NDArray[np.float64] = np.ndarray((places,), "<f8", self.joined, strides=(1,))


class Spans:
    """A column of texts or byte strings: n places in `source`, from `start`, `sizes` bytes long."""

    def __init__(self, source: Bytes, start: Int64s, sizes: Int64s) -> None:
        self.source, self.start, self.sizes = source, start, sizes

    @staticmethod
    def empty(source: Bytes, n: int) -> "Spans":
        """A column of n empty texts."""
        return Spans(source, np.zeros(n, np.int64), np.zeros(n, np.int64))

    @staticmethod
    def of(values: list[bytes]) -> "Spans":
        """A column of these values."""
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        return Spans(Bytes([b"\x00", *values]), 1 + np.cumsum(sizes) - sizes, sizes)

    @staticmethod
    def joined(run: "list[Spans]") -> "Spans":
        """Columns as one, with bytes of its own."""
        sizes = np.concatenate([one.sizes for one in run])
        # A byte stands before each value, as everywhere.
        start = np.cumsum(sizes + 1) - sizes
        return Spans(Bytes([one._marked() for one in run]), start, sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> "Spans":
        return Spans(self.source, self.start[places], self.sizes[places])

    def __setitem__(self, places: Int64s, values: "Spans") -> None:
        assert values.source is self.source, "places in other bytes mean nothing here"
        self.start[places], self.sizes[places] = values.start, values.sizes

    def values(self) -> list[bytes]:
        """The byte strings."""
        joined, stop = self.source.joined, self.start + self.sizes
        return [joined[a:b] for a, b in zip(self.start.tolist(), stop.tolist(), strict=True)]

    def text(self, place: int) -> str:
        """One of the texts, which must be UTF-8."""
        start = int(self.start[place])
        return self.source.joined[start : start + int(self.sizes[place])].decode()

    def texts(self) -> tuple[list[str], list[int]]:
        """The texts, and the places of those that are not UTF-8 and given as empty."""
        grid = self._cells(MARK)
        # With the marks alone above 0x7F all of it is ASCII, and a split finds every text.
        if grid is not None and np.count_nonzero(grid & 0x80) == len(self):
            return grid.tobytes().decode("latin-1").split(chr(MARK))[1:], []
        result, wrong = [], []
        for place, value in enumerate(self.values()):
            try:
                result.append(value.decode())
            except UnicodeDecodeError:
                result.append("")
                wrong.append(place)
        return result, wrong

    @cached_property
    def prefixed(self) -> bytes:
        """Every value behind its length, an unsigned varint."""
        grid = self._cells(self.sizes)
        if grid is not None:
            return grid.tobytes()
        return b"".join([varint(len(value)) + value for value in self.values()])

    def not_utf8(self) -> list[int]:
        """The places of values that are no text."""
        # Short lengths are ASCII: no two values join to a character across one.
        if self.sizes.max(initial=0) < WIDEST_CELL and self.prefixed.isascii():
            return []
        return self.texts()[1]

    def _marked(self) -> bytes:
        grid = self._cells(MARK)
        if grid is not None:
            return grid.tobytes()
        return b"".join([bytes([MARK]) + value for value in self.values()])

    def _cells(self, heads: Int64s | int) -> NDArray[np.uint8] | None:
        """Every value behind its head, bytes of all in a row; None where one is too long."""
        width = int(self.sizes.max(initial=0)) + 1
        if width > WIDEST_CELL:
            return None
        places = len(self.source.array) - width + 1
        cells = np.ndarray((places,), f"V{width}", self.source.joined, strides=(1,))
        # Something stands before every value, its length in a record, unless it is empty.
        grid = cells[np.maximum(self.start - 1, 0)].view(np.uint8).reshape(-1, width)
        grid[:, 0] = heads
        if self.sizes.min(initial=width) == width - 1:
            return grid
        return grid[np.arange(width) <= self.sizes[:, None]]
