"""The records that a block's columns say, and that the columns are of the kinds they promise."""

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from schemas.block import Columns, Items
from schemas.registry import Field, record_schema
from schemas.spans import Spans

DTYPES = {"long": "int64", "enum": "int64", "double": "float64", "boolean": "bool"}


def records_of(columns: Columns, *, spans: bool) -> list[dict[str, Any]]:
    """One dict a row; texts are `Spans` where `spans` says so, else lists."""
    return _records(record_schema(columns.record).fields, columns, len(columns), spans)


def _records(
    fields: tuple[Field, ...], columns: Columns | Items, n: int, spans: bool
) -> list[dict[str, Any]]:
    assert list(columns.data) == [field.name for field in fields]
    assert list(columns.nulls) == [field.name for field in fields if field.nullable]
    values = [_values(field, columns, n, spans) for field in fields]
    return [dict(zip(columns.data, record, strict=True)) for record in zip(*values, strict=True)]


def _values(field: Field, columns: Columns | Items, n: int, spans: bool) -> list[Any]:
    column = columns.data[field.name]
    assert len(column) == n
    if field.kind == "array":
        ends = [0, *accumulate(column.lengths.tolist())]
        records = _records(field.items, column, ends[-1], spans)
        return [records[a:b] for a, b in pairwise(ends)]
    values = _plain(field, column, spans)
    if field.nullable:
        null = columns.nulls[field.name]
        assert null.dtype == np.bool_
        assert len(null) == n
        assert all(not values[place] or values[place] != values[place] for place in
                   np.flatnonzero(null))  # fmt: skip
        values = [None if none else value for none, value in zip(null, values, strict=True)]
    if field.kind == "enum":
        return [None if value is None else field.symbols[value] for value in values]
    return values


def _plain(field: Field, column: Any, spans: bool) -> list[Any]:
    if field.kind in DTYPES:
        assert column.dtype == DTYPES[field.kind]
        return column.tolist()
    if not spans:
        assert isinstance(column, list)
        return column
    assert isinstance(column, Spans)
    values = column.values()
    return [value.decode() for value in values] if field.kind == "string" else values
