"""A block decoded into the columns of its record's table, and the rows that do not fit there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas import block_decode
from schemas.block import Block, Int64s
from schemas.dead_letter import DeadLetterReason, Refusal
from schemas.registry import record_schema
from schemas.units import LIMIT_E8
from sinks.columns import RecordColumn, record_columns
from sinks.native import Bools, NativeColumn, record_column

# What DateTime64 can hold: 1900-01-01 to the end of 2299, in microseconds.
EARLIEST_US = -2_208_988_800_000_000
LATEST_US = 10_413_791_999_999_999
NO_ROW: dict[str, Any] = {"decimal": 0, "micros": 0, "long": 0, "double": 0.0, "boolean": False,
                          "enum": 0, "string": "", "bytes": b""}  # fmt: skip

Values = tuple[Any, Bools | None, Int64s | None]


def decoded(block: Block, record: str) -> tuple[Int64s, list[NativeColumn], list[Refusal]]:
    """The places in the block of the rows that fit, their columns, and the other rows.

    Refused are bytes that are no such record, and values that the table's types cannot hold.
    """
    columns = record_columns(record)
    if record_schema(record).flat:
        result = block_decode.decode(block, record)
        rows, refused = result.columns.rows, result.refused
        values: dict[str, Values] = {
            c.name: (result.columns.data[c.field], result.columns.nulls.get(c.field), None)
            for c in columns
        }
    else:
        accepted, refused = block_decode.decode_rows(block, record)
        rows = np.array([row for row, _ in accepted], np.int64)
        values = gathered(columns, [fields for _, fields in accepted])
    fits, beyond = _fitting(columns, values, rows)
    if beyond:
        values = {c.name: _taken(values[c.name], fits) for c in columns}
    natives = [record_column(c, *values[c.name]) for c in columns]
    refused = sorted([*refused, *beyond], key=lambda refusal: refusal.row)
    return rows[fits], natives, refused


def gathered(
    columns: Sequence[RecordColumn], records: Sequence[Mapping[str, Any]]
) -> dict[str, Values]:
    """Values, nulls and lengths by column name, from records as dicts."""
    result: dict[str, Values] = {}
    for column in columns:
        if column.array is None:
            result[column.name] = (*_flat(column, [r[column.field] for r in records]), None)
        else:
            arrays = [r[column.array] for r in records]
            lengths = np.array([len(array) for array in arrays], np.int64)
            items = [item[column.field] for array in arrays for item in array]
            result[column.name] = (*_flat(column, items), lengths)
    return result


def _flat(column: RecordColumn, values: list[Any]) -> tuple[Any, Bools | None]:
    nulls = np.array([value is None for value in values], bool) if column.nullable else None
    if column.kind == "enum":
        numbers: dict[Any, int] = {symbol: n for n, symbol in enumerate(column.symbols)}
        return np.array([numbers.get(value, 0) for value in values], np.int64), nulls
    filled = [NO_ROW[column.kind] if value is None else value for value in values]
    if column.kind in ("string", "bytes"):
        return filled, nulls
    dtype = {"double": np.float64, "boolean": np.bool_}.get(column.kind, np.int64)
    return np.array(filled, dtype), nulls


def _fitting(
    columns: Sequence[RecordColumn], values: Mapping[str, Values], rows: Int64s
) -> tuple[Bools, list[Refusal]]:
    fits = np.ones(len(rows), bool)
    refused: list[Refusal] = []
    for column in columns:
        if column.kind == "decimal":
            low, high, reason = -LIMIT_E8, LIMIT_E8, DeadLetterReason.AMOUNT_OUT_OF_RANGE
        elif column.kind == "micros":
            low, high, reason = EARLIEST_US, LATEST_US, DeadLetterReason.TIME_OUT_OF_RANGE
        else:
            continue
        numbers, _, lengths = values[column.name]
        wrong = np.flatnonzero((numbers < low) | (numbers > high))
        for place in wrong:
            row = place if lengths is None else np.repeat(np.arange(len(rows)), lengths)[place]
            if fits[row]:
                message = f"{column.field} is {numbers[place]}, which its column cannot hold"
                refused.append(Refusal(int(rows[row]), reason, message))
            fits[row] = False
    return fits, refused


def _taken(values: Values, fits: Bools) -> Values:
    """The values of the rows that fit."""
    numbers, nulls, lengths = values
    kept = fits if lengths is None else np.repeat(fits, lengths)
    if isinstance(numbers, list):
        numbers = [value for value, keep in zip(numbers, kept, strict=True) if keep]
    else:
        numbers = numbers[kept]
    return (
        numbers,
        None if nulls is None else nulls[kept],
        None if lengths is None else lengths[fits],
    )
