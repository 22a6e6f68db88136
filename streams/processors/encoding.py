"""Columns of records to framed bytes, in compiled code: how a turn's many outputs are written."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Columns, Int64s, Items
from schemas.registry import Field, record_schema
from schemas.spans import Spans
from schemas.wire import frame

Octets = NDArray[np.uint8]

UNION, LONG, BOOLEAN, DOUBLE, TEXT, ITEMS = range(6)
"""What is written next: whether a nullable value is there; a value of its kind."""
STEPS = {
    "long": LONG, "enum": LONG, "boolean": BOOLEAN, "double": DOUBLE, "string": TEXT, "bytes": TEXT,
    "array": ITEMS,
}  # fmt: skip
WIDEST = 11
"""Bytes of a step at most, beside those that it copies."""


def encode(columns: Columns) -> list[bytes]:
    """The framed bytes of each row, as `record_codec.encode` gives them of the same values.

    `columns` are as `Columns` says; texts may be `Spans`.
    """
    schema = record_schema(columns.record)
    plan = _Plan(frame(schema.schema_id, b""), len(columns))
    plan.add(schema.fields, columns, len(columns))
    octets, bounds = plan.written()
    raw, ends = octets.tobytes(), bounds.tolist()
    return [raw[start:end] for start, end in pairwise(ends)]


class _Plan:
    """What is to be written of n rows, step by step, and of the items that they have.

    A step has a kind and three numbers: where its cells begin, a cell a row; how many rows, or
    items, there are; of texts where their bytes begin, of items how many steps each takes.
    """

    def __init__(self, head: bytes, n: int) -> None:
        self._head, self._n = len(head), n
        self._steps: list[tuple[int, int, int, int]] = []
        self._cells: list[NDArray[Any]] = []
        self._sources = [np.frombuffer(head, np.uint8)]
        self._cell, self._byte = 0, len(head)

    def add(self, fields: Sequence[Field], columns: Columns | Items, n: int) -> None:
        """The fields of n rows, or items."""
        for field in fields:
            if field.nullable:
                self._put(UNION, n, 0, columns.nulls[field.name])
            step, column = STEPS[field.kind], columns.data[field.name]
            if step == TEXT:
                source, start, sizes = _texts(column)
                self._put(TEXT, n, self._byte, start, sizes)
                self._sources.append(source)
                self._byte += len(source)
            elif step == ITEMS:
                self._add_items(field.items, column, n)
            elif step == DOUBLE:
                bits = np.ascontiguousarray(column, np.float64).view(np.int64)
                self._put(DOUBLE, n, 0, bits)
            else:
                self._put(step, n, 0, column)

    def written(self) -> tuple[Octets, Int64s]:
        """The bytes of all rows, and n + 1 bounds of the rows in them."""
        cells, sources = np.concatenate(self._cells, dtype=np.int64), np.concatenate(self._sources)
        return write_rows(np.array(self._steps), cells, sources, self._head, self._n)

    def _add_items(self, fields: Sequence[Field], items: Items, n: int) -> None:
        place = len(self._steps)
        self._put(ITEMS, n, 0, items.lengths)
        self.add(fields, items, int(items.lengths.sum()))
        self._steps[place] = (*self._steps[place][:3], len(self._steps) - place - 1)

    def _put(self, step: int, n: int, more: int, *cells: NDArray[Any]) -> None:
        self._steps.append((step, self._cell, n, more))
        self._cells += cells
        self._cell += n * len(cells)


def _texts(column: Spans | list[Any]) -> tuple[Octets, Int64s, Int64s]:
    """The bytes of texts or byte strings, or None; where each begins, and its size."""
    if isinstance(column, Spans):
        return column.source.array, column.start, column.sizes
    if column and all(isinstance(one, str) for one in column):
        text = "".join(column)
        if text.isascii():  # a letter is a byte
            return _placed(text.encode(), column)
    values = [one.encode() if isinstance(one, str) else one or b"" for one in column]
    return _placed(b"".join(values), values)


def _placed(joined: bytes, texts: Sequence[str] | Sequence[bytes]) -> tuple[Octets, Int64s, Int64s]:
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer(joined, np.uint8), np.cumsum(sizes) - sizes, sizes


@compiled
def write_rows(
    steps: Int64s, cells: Int64s, source: Octets, head: int, n: int
) -> tuple[Octets, Int64s]:
    """The rows one after the other, and n + 1 bounds of them; `steps` [S, 4] as of `_Plan`.

    Each begins with the first `head` bytes of `source`. An item's steps follow the step of its
    array; items have no arrays.
    """
    room = n * head + _room(steps, cells)
    octets, bounds = np.empty(room, np.uint8), np.zeros(n + 1, np.int64)
    items = np.zeros(len(steps), np.int64)  # of each array how many were written
    at = 0
    for row in range(n):
        at = _copy(source, 0, head, octets, at)
        place, step, there = row, 0, True
        array, last = -1, 0  # whose items are being written, and behind which it ends
        while step < len(steps):
            kind, cell, count, more = steps[step]
            number = cells[cell + place]
            if not there:
                there = True
                if kind == ITEMS:
                    items[step] += number
                    step += more
            elif kind == UNION:
                there = number == 0
                octets[at] = 2 if there else 0
                at += 1
            elif kind == TEXT:
                size = cells[cell + count + place]
                at = _write_number(octets, at, size << 1)
                at = _copy(source, more + number, size, octets, at)
            elif kind != ITEMS:
                at = _write_value(kind, number, octets, at)
            elif number:
                at = _write_number(octets, at, number << 1)
                array, place = step, items[step]
                last = place + number
                items[step] = last
            else:
                octets[at] = 0
                at += 1
                step += more
            step += 1
            if array >= 0 and step == array + 1 + steps[array, 3]:
                place += 1
                if place < last:
                    step = array + 1
                else:
                    octets[at] = 0
                    at += 1
                    array, place = -1, row
        bounds[row + 1] = at
    return octets[:at], bounds


@compiled
def _room(steps: Int64s, cells: Int64s) -> int:
    """So many bytes are enough for what all steps write."""
    room = 0
    for kind, cell, count, _ in steps:
        room += count * WIDEST
        if kind == TEXT:
            room += cells[cell + count : cell + 2 * count].sum()
    return room


@compiled
def _write_value(kind: int, number: int, octets: Octets, at: int) -> int:
    """A number, or the bits of one; where it ends."""
    if kind == LONG:
        return _write_number(octets, at, (number << 1) ^ (number >> 63))
    if kind == BOOLEAN:
        octets[at] = number
        return at + 1
    for byte in range(8):
        octets[at + byte] = (number >> (8 * byte)) & 0xFF
    return at + 8


@compiled
def _write_number(octets: Octets, at: int, number: int) -> int:
    """A varint of the 64 bits of a number; where it ends."""
    left = np.uint64(number)
    while left > np.uint64(0x7F):
        octets[at] = (left & np.uint64(0x7F)) | np.uint64(0x80)
        at += 1
        left >>= np.uint64(7)
    octets[at] = left
    return at + 1


@compiled
def _copy(source: Octets, start: int, size: int, octets: Octets, at: int) -> int:
    """So many bytes; where they end."""
    for place in range(size):
        octets[at + place] = source[start + place]
    return at + size
