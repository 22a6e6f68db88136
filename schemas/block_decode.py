"""A block to columns, whole arrays at a time, with a length guard on every row.

Each field is read for all rows at once, and of an array each item for all rows that have it.
A row is vouched for only where every read stayed within its own bytes and the last one ended
exactly at their end; any other row goes to `record_codec`, which has the last word. So no damaged
record can shift into its neighbour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas import record_codec
from schemas.block import Block, Columns, Int64s, Items
from schemas.block_columns import blank, gathered, merged
from schemas.block_read import (
    Bools,
    Rows,
    read_booleans,
    read_doubles,
    read_longs,
    read_numbers_below,
    read_spans,
)
from schemas.dead_letter import Refusal, RefusedRecord
from schemas.registry import Field, RecordSchema, record_schema
from schemas.spans import Bytes
from schemas.wire import HEADER_BYTES, frame

FEW = 24
"""Rows that are decoded one by one about as fast as by columns."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The rows of a block that are records, as columns, and the refusals of the others."""

    columns: Columns
    refused: list[Refusal]


def decode(block: Block, record: str, *, spans: bool = False) -> Decoded:
    """The columns of a block of one record, as `Columns` says; with `spans`, texts as `Spans`."""
    schema = record_schema(record)
    if len(block) < FEW:
        accepted, refused = decode_rows(block, record)
        return Decoded(gathered(accepted, schema, spans=spans), refused)
    source, rows = _framed_rows(block, schema)
    data, nulls = _read_fields(schema.fields, source, rows)
    rows.sound &= rows.at == rows.end
    columns = Columns(record, np.arange(len(block)), data, nulls)
    _settle_texts(schema.fields, columns, rows.sound, columns.rows, spans=spans)
    accepted, refused = decode_chosen(block, record, np.flatnonzero(~rows.sound).tolist())
    columns = columns.chosen(np.flatnonzero(rows.sound))
    if accepted:
        others = gathered(accepted, schema, spans=spans)
        columns = merged(columns, others) if len(columns) else others
    return Decoded(columns, refused)


def decode_rows(
    block: Block, record: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Refusal]]:
    """Every row by itself: for records read as such, and the slow twin of `decode`."""
    return decode_chosen(block, record, range(len(block)))


def decode_chosen(
    block: Block, record: str, rows: Sequence[int]
) -> tuple[list[tuple[int, dict[str, Any]]], list[Refusal]]:
    """Some rows, each by itself."""
    accepted, refused = [], []
    for row in rows:
        try:
            accepted.append((row, record_codec.decode(block.values[row], record)[1]))
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


def _read_fields(
    fields: Sequence[Field], source: Bytes, rows: Rows
) -> tuple[dict[str, Any], dict[str, Bools]]:
    """Columns by field, texts not yet looked at, and where a nullable field is null."""
    data: dict[str, Any] = {}
    nulls: dict[str, Bools] = {}
    for field in fields:
        if field.nullable:
            present = read_numbers_below(source, rows, 2) == 1
            nulls[field.name] = ~present
            data[field.name] = _read_present(field, source, rows, np.flatnonzero(present))
        else:
            data[field.name] = _read_values(field, source, rows)
    return data, nulls


def _read_present(field: Field, source: Bytes, rows: Rows, present: Int64s) -> Any:
    if len(present) == len(rows.at):
        return _read_values(field, source, rows)
    column = blank(field, source, len(rows.at))
    if len(present):
        some = rows.pick(present)
        column[present] = _read_values(field, source, some)
        rows.put(present, some)
    return column


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
        case "array":
            return _read_items(field.items, source, rows)
        case _:
            return read_spans(source, rows)


def _read_items(fields: Sequence[Field], source: Bytes, rows: Rows) -> Items:
    """Arrays that are one run of items; a row with any other is not sound.

    Nor are the few rows that have many more items than the others, for their turns would take
    longer than those of all the rest. An item has a byte for each field at least, which bounds
    what a damaged count asks for.
    """
    counts = read_longs(source, rows)
    within = (counts >= 0) & (counts <= (rows.end - rows.at) // len(fields))
    rows.sound &= within
    counts = np.where(within, counts, 0)
    first = np.cumsum(counts) - counts
    total = int(counts.sum())
    data = {field.name: blank(field, source, total) for field in fields}
    nulls = {field.name: np.zeros(total, np.bool_) for field in fields if field.nullable}
    having, nth, spare_turns = np.flatnonzero(counts), 0, len(counts) // (4 * FEW)
    while len(having) >= FEW or (len(having) and spare_turns > 0):
        spare_turns -= len(having) < FEW
        some = rows.pick(having)
        values, missing = _read_fields(fields, source, some)
        for name, column in values.items():
            data[name][first[having] + nth] = column
        for name, mask in missing.items():
            nulls[name][first[having] + nth] = mask
        rows.put(having, some)
        nth += 1
        having = having[counts[having] > nth]
    rows.sound[having] = False
    _read_ends(source, rows, np.flatnonzero(counts))
    return Items(counts, data, nulls)


def _read_ends(source: Bytes, rows: Rows, having: Int64s) -> None:
    """A zero is to follow the items of each of these rows."""
    some = rows.pick(having)
    read_numbers_below(source, some, 1)
    rows.put(having, some)


def _settle_texts(
    fields: Sequence[Field], columns: Columns | Items, sound: Bools, row_of: Int64s, *, spans: bool
) -> None:
    """Marks rows with texts that are not UTF-8; puts lists for spans unless these are wanted."""
    for field in fields:
        column = columns.data[field.name]
        if field.kind == "array":
            of_items = np.repeat(row_of, column.lengths)
            _settle_texts(field.items, column, sound, of_items, spans=spans)
        elif field.kind == "string" and spans:
            sound[row_of[column.not_utf8()]] = False
        elif field.kind in ("string", "bytes") and not spans:
            values, wrong = column.texts() if field.kind == "string" else (column.values(), [])
            sound[row_of[wrong]] = False
            for place in np.flatnonzero(columns.nulls.get(field.name, ())).tolist():
                values[place] = None
            columns.data[field.name] = values
