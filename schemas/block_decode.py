"""A block to columns, whole arrays at a time, with a length guard on every row.

Each field is read for all rows at once. A row is vouched for only where every read stayed within
its own bytes and the last one ended exactly at their end; any other row goes to `record_codec`,
which has the last word. So no damaged record can shift into its neighbour.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas import record_codec
from schemas.block import Block, Columns, Int64s
from schemas.block_read import (
    Bools,
    Bytes,
    Rows,
    read_booleans,
    read_bytes,
    read_doubles,
    read_longs,
    read_numbers_below,
    read_strings,
)
from schemas.dead_letter import Refusal, RefusedRecord
from schemas.registry import Field, RecordSchema, record_schema
from schemas.wire import HEADER_BYTES, frame

_DTYPES: dict[str, Any] = {
    "long": np.int64,
    "enum": np.int64,
    "double": np.float64,
    "boolean": np.bool_,
    "string": object,
    "bytes": object,
}
_NULLS = {"long": 0, "enum": 0, "double": np.nan, "boolean": False}


@dataclass(frozen=True, slots=True)
class Decoded:
    """The rows of a block that are records, as columns, and the refusals of the others."""

    columns: Columns
    refused: list[Refusal]


def decode(block: Block, record: str) -> Decoded:
    """The columns of a block of one flat record; ValueError where the record has arrays.

    Columns are as `Columns` says; a field of bytes is a list of bytes.
    """
    schema = record_schema(record)
    if not schema.flat:
        raise ValueError(f"{record} has arrays and does not fit columns; use decode_rows")
    source, rows = _framed_rows(block, schema)
    data: dict[str, Any] = {}
    nulls: dict[str, Bools] = {}
    for field in schema.fields:
        data[field.name] = _read_field(field, source, rows, nulls)
    rows.sound &= rows.at == rows.end
    refused = []
    for row in np.flatnonzero(~rows.sound).tolist():
        try:
            values = record_codec.decode(block.values[row], record)[1]
        except RefusedRecord as error:
            refused.append(Refusal(row, error.reason, error.message))
        else:
            rows.sound[row] = True
            _put(schema, data, nulls, row=row, values=values)
    return Decoded(_accepted(Columns(record, np.arange(len(block)), data, nulls), rows), refused)


def decode_rows(
    block: Block, record: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Refusal]]:
    """Every row by itself: for records with arrays, and the slow twin of `decode`."""
    accepted, refused = [], []
    for row, value in enumerate(block.values):
        try:
            accepted.append((row, record_codec.decode(value, record)[1]))
        except RefusedRecord as error:
            refused.append(Refusal(row, error.reason, error.message))
    return accepted, refused


def _framed_rows(block: Block, schema: RecordSchema) -> tuple[Bytes, Rows]:
    """The bytes, and the rows just behind their headers; a row with another one is unsound."""
    values = [value or b"" for value in block.values]
    source = Bytes(values)
    sizes = np.fromiter(map(len, values), np.int64, len(values))
    end = np.cumsum(sizes)
    start = end - sizes
    header = np.frombuffer(frame(schema.schema_id, b""), np.uint8)
    sound = sizes >= HEADER_BYTES
    for place, byte in enumerate(header):
        sound &= source.array.take(start + place) == byte
    return source, Rows(np.where(sound, start + HEADER_BYTES, end), end, sound)


def _read_field(field: Field, source: Bytes, rows: Rows, nulls: dict[str, Bools]) -> Any:
    if not field.nullable:
        return _read_values(field, source, rows)
    present = read_numbers_below(source, rows, 2) == 1
    nulls[field.name] = ~present
    chosen = np.flatnonzero(present)
    if len(chosen) == len(present):
        return _read_values(field, source, rows)
    column = np.full(len(present), _NULLS.get(field.kind), _DTYPES[field.kind])
    if len(chosen):
        some = rows.pick(chosen)
        column[chosen] = _read_values(field, source, some)
        rows.put(chosen, some)
    return column.tolist() if column.dtype == object else column


def _read_values(field: Field, source: Bytes, rows: Rows) -> Any:
    match field.kind:
        case "long":
            return read_longs(source, rows)
        case "enum":
            return read_numbers_below(source, rows, len(field.symbols))
        case "double":
            return read_doubles(source, rows)
        case "boolean":
            return read_booleans(source, rows)
        case "bytes":
            return read_bytes(source, rows)
        case _:
            return read_strings(source, rows)


def _put(
    schema: RecordSchema,
    data: dict[str, Any],
    nulls: dict[str, Bools],
    *,
    row: int,
    values: dict[str, Any],
) -> None:
    """Writes the values of a row that only `record_codec` could vouch for."""
    for field in schema.fields:
        value = values[field.name]
        if field.nullable:
            nulls[field.name][row] = value is None
        if value is None:
            value = _NULLS.get(field.kind)
        elif field.kind == "enum":
            value = field.symbols.index(value)
        data[field.name][row] = value


def _accepted(columns: Columns, rows: Rows) -> Columns:
    if rows.sound.all():
        return columns
    kept: Int64s = np.flatnonzero(rows.sound)
    places = kept.tolist()
    data = {
        name: [column[row] for row in places] if isinstance(column, list) else column[kept]
        for name, column in columns.data.items()
    }
    nulls = {name: column[kept] for name, column in columns.nulls.items()}
    return Columns(columns.record, kept, data, nulls)
