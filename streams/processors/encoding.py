"""Columns of records to framed bytes, in compiled code: how a turn's many outputs are written."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Columns, Int64s, Items
from schemas.registry import Field, record_schema
from schemas.spans import Bytes, Spans
from schemas.wire import frame

Octets = NDArray[np.uint8]

HEAD, UNION, LONG, BOOLEAN, DOUBLE, TEXT, ITEMS = range(7)
"""What is written next: the frame; whether a nullable value is there; a value of its kind."""
STEPS = {
    "long": LONG, "enum": LONG, "boolean": BOOLEAN, "double": DOUBLE, "string": TEXT, "bytes": TEXT,
    "array": ITEMS,
}  # fmt: skip
CELLS = np.array([2, 1, 1, 1, 1, 2, 3])
"""How many cells a row has for each: a number; of bytes where they begin and how many they are;
of items how many they are, before that."""
WIDEST = 11
"""Bytes of a step at most, beside those that it copies."""


def encode(columns: Columns) -> list[bytes]:
    """The framed bytes of each row, as `record_codec.encode` gives them of the same values.

    `columns` are as `Columns` says; texts may be `Spans`.
    """
    schema, n = record_schema(columns.record), len(columns)
    head = frame(schema.schema_id, b"")
    rows = _Rows(n)
    rows.copy(HEAD, np.frombuffer(head, np.uint8), np.zeros(n, np.int64), np.full(n, len(head)))
    _add_fields(rows, schema.fields, columns)
    octets, bounds = rows.written()
    raw, ends = octets.tobytes(), bounds.tolist()
    return [raw[start:end] for start, end in pairwise(ends)]


class _Rows:
    """What is to be written of n rows, step by step."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._steps: list[int] = []
        self._cells: list[NDArray[Any]] = []
        self._sources = [np.empty(0, np.uint8)]
        self._begin = 0
        self._copied = 0

    def put(self, step: int, *cells: NDArray[Any]) -> None:
        self._steps.append(step)
        self._cells += cells

    def copy(self, step: int, source: Octets, start: Int64s, sizes: Int64s, *cells: Int64s) -> None:
        """A step that copies bytes of `source`."""
        self.put(step, *cells, start + self._begin, sizes)
        self._sources.append(source)
        self._begin += len(source)
        self._copied += int(sizes.sum())

    def written(self) -> tuple[Octets, Int64s]:
        """The bytes of all rows, and n + 1 bounds of the rows in them."""
        cells = np.empty((len(self._cells), self._n), np.int64)
        for place, cell in enumerate(self._cells):
            cells[place] = cell
        octets = np.empty(self._n * len(self._steps) * WIDEST + self._copied, np.uint8)
        bounds = np.zeros(self._n + 1, np.int64)
        steps = np.array(self._steps, np.int64)
        write_rows(steps, cells, np.concatenate(self._sources), octets, bounds)
        return octets[: bounds[-1]], bounds


def _add_fields(rows: _Rows, fields: Sequence[Field], columns: Columns | Items) -> None:
    for field in fields:
        if field.nullable:
            rows.put(UNION, ~columns.nulls[field.name])
        step, column = STEPS[field.kind], columns.data[field.name]
        if step == TEXT:
            texts = column if isinstance(column, Spans) else _spans(column)
            rows.copy(TEXT, texts.source.array, texts.start, texts.sizes)
        elif step == ITEMS:
            _add_items(rows, field.items, column)
        elif step == DOUBLE:
            rows.put(DOUBLE, np.ascontiguousarray(column, np.float64).view(np.int64))
        else:
            rows.put(step, column)


def _add_items(rows: _Rows, fields: Sequence[Field], items: Items) -> None:
    last = np.cumsum(items.lengths)
    of_items = _Rows(int(items.lengths.sum()))
    _add_fields(of_items, fields, items)
    octets, bounds = of_items.written()
    start = bounds[last - items.lengths]
    rows.copy(ITEMS, octets, start, bounds[last] - start, items.lengths)


def _spans(column: list[Any]) -> Spans:
    """Of texts or byte strings, or None."""
    if column and all(isinstance(one, str) for one in column):
        text = "".join(column)
        if text.isascii():  # a letter is a byte
            sizes = np.fromiter(map(len, column), np.int64, len(column))
            return Spans(Bytes([text.encode()]), np.cumsum(sizes) - sizes, sizes)
    return Spans.of([one.encode() if isinstance(one, str) else one or b"" for one in column])


@compiled
def write_rows(
    steps: Int64s, cells: Int64s, source: Octets, octets: Octets, bounds: Int64s
) -> None:
    """The rows of `cells` [C, n] one after the other into `octets`, and where each ends."""
    at = 0
    for row in range(cells.shape[1]):
        cell, there = 0, True
        for step in steps:
            first = cell
            cell += CELLS[step]
            if not there:
                there = True
                continue
            number = cells[first, row]
            if step == UNION:
                there = number != 0
                octets[at] = 2 * number
                at += 1
            elif step == LONG:
                at = _write_number(octets, at, (number << 1) ^ (number >> 63))
            elif step == BOOLEAN:
                octets[at] = number
                at += 1
            elif step == DOUBLE:
                for byte in range(8):
                    octets[at + byte] = (number >> (8 * byte)) & 0xFF
                at += 8
            elif step == ITEMS:
                if number:
                    at = _write_number(octets, at, number << 1)
                    at = _copy(source, cells[first + 1, row], cells[first + 2, row], octets, at)
                octets[at] = 0
                at += 1
            else:
                if step == TEXT:
                    at = _write_number(octets, at, cells[first + 1, row] << 1)
                at = _copy(source, number, cells[first + 1, row], octets, at)
        bounds[row + 1] = at


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
