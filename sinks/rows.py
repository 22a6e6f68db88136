"""A block decoded into the columns of its record's table, and the rows that do not fit there."""

from typing import Any

import numpy as np

from schemas import block_decode
from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason, Refusal
from schemas.units import LIMIT_E8
from sinks.columns import RecordColumn, record_columns
from sinks.native import Bools, NativeColumn, record_column

# What DateTime64 can hold: 1900-01-01 to the end of 2299, in microseconds.
EARLIEST_US = -2_208_988_800_000_000
LATEST_US = 10_413_791_999_999_999


def decoded(block: Block, record: str) -> tuple[Int64s, list[NativeColumn], list[Refusal]]:
    """The places in the block of the rows that fit, their columns, and the other rows.

    Refused are bytes that are no such record, and values that the table's types cannot hold.
    """
    result = block_decode.decode(block, record, spans=True)
    fits, beyond = _fitting(result.columns)
    columns = result.columns.chosen(np.flatnonzero(fits))
    natives = [_native(columns, column) for column in record_columns(record)]
    refused = sorted([*result.refused, *beyond], key=lambda refusal: refusal.row)
    return columns.rows, natives, refused


def _native(columns: Columns, column: RecordColumn) -> NativeColumn:
    if column.array is None:
        return record_column(column, columns.data[column.field], columns.nulls.get(column.field))
    items = columns.data[column.array]
    return record_column(
        column, items.data[column.field], items.nulls.get(column.field), items.lengths
    )


def _fitting(columns: Columns) -> tuple[Bools, list[Refusal]]:
    fits = np.ones(len(columns), np.bool_)
    refused: list[Refusal] = []
    for column in record_columns(columns.record):
        if column.kind == "decimal":
            low, high, reason = -LIMIT_E8, LIMIT_E8, DeadLetterReason.AMOUNT_OUT_OF_RANGE
        elif column.kind == "micros":
            low, high, reason = EARLIEST_US, LATEST_US, DeadLetterReason.TIME_OUT_OF_RANGE
        else:
            continue
        holder: Any = columns if column.array is None else columns.data[column.array]
        numbers = holder.data[column.field]
        wrong = np.flatnonzero((numbers < low) | (numbers > high))
        rows = wrong
        if column.array is not None:
            rows = np.searchsorted(np.cumsum(holder.lengths), wrong, side="right")
        for number, row in zip(numbers[wrong].tolist(), rows.tolist(), strict=True):
            if fits[row]:
                message = f"{column.field} is {number}, which its column cannot hold"
                refused.append(Refusal(int(columns.rows[row]), reason, message))
            fits[row] = False
    return fits, refused
