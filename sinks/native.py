"""Columns as one block of ClickHouse's Native format, written from arrays.

The client library has no fast way in for fixed point (it takes Decimal objects, one at a time),
but the format holds a Decimal(18, 8) and a DateTime64(6) as the very int64 we carry: an array's
bytes are the column's bytes, exact and without a loop. It is also why no Arrow is needed.

Source: ClickHouse documentation, "Native" input format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.spans import Spans
from schemas.wire import varint
from sinks.columns import RecordColumn

Bools = NDArray[np.bool_]
DTYPES: dict[str, str] = {
    "decimal": "<i8", "micros": "<i8", "long": "<i8", "double": "<f8", "boolean": "|u1",
    "enum": "|i1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NativeColumn:
    """A column ready to send: its name, its declared ClickHouse type and its bytes."""

    name: str
    type: str
    data: bytes


def block(columns: Sequence[NativeColumn], rows: int) -> bytes:
    """One Native block of `rows` rows."""
    parts = [varint(len(columns)), varint(rows)]
    for column in columns:
        parts += [strings([column.name]), strings([column.type]), column.data]
    return b"".join(parts)


def record_column(
    column: RecordColumn,
    values: NDArray[Any] | Spans,
    nulls: Bools | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> NativeColumn:
    """A record's column from values in the conventions of `schemas.block.Columns`.

    Parameters
    ----------
    values : an array (long, double, boolean; an enum as its symbol's number) or spans of texts
        or bytes, one a row, or one an element of the arrays where the column is nested.
    nulls : bool of the same length, for a nullable column.
    lengths : int64[rows], how many elements each row's array has, for a nested column.
    """
    if isinstance(values, Spans):
        data = values.prefixed
    else:
        data = values.astype(DTYPES[column.kind]).tobytes()
    if column.nullable:
        assert nulls is not None, f"{column.name} is nullable"
        data = nulls.astype("|u1").tobytes() + data
    if column.array:
        assert lengths is not None, f"{column.name} is nested"
        data = np.cumsum(lengths).astype("<u8").tobytes() + data
    return NativeColumn(column.name, column.wire_type, data)


def strings(values: Sequence[str | bytes | None]) -> bytes:
    """Length-prefixed strings; None counts as empty."""
    return b"".join([_packed(value) for value in values])


def _packed(value: str | bytes | None) -> bytes:
    raw = value.encode() if isinstance(value, str) else value or b""
    return varint(len(raw)) + raw
