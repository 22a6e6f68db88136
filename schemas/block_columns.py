"""Columns of a block made by hand: empty ones, ones from records as dicts, and two as one."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from schemas.block import Columns, Items, taken
from schemas.block_read import Bools
from schemas.registry import Field, RecordSchema, record_schema
from schemas.spans import Bytes, Spans

_DTYPES: dict[str, Any] = {
    "long": np.int64,
    "enum": np.int64,
    "double": np.float64,
    "boolean": np.bool_,
}
_NULLS: dict[str, Any] = {"long": 0, "enum": 0, "double": np.nan, "boolean": False}


def blank(field: Field, source: Bytes, n: int) -> Any:
    """A column of n nulls, to be written to; texts and bytes as spans of `source`."""
    if field.kind in _DTYPES:
        return np.full(n, _NULLS[field.kind], _DTYPES[field.kind])
    return Spans.empty(source, n)


def gathered(
    accepted: Sequence[tuple[int, Mapping[str, Any]]], schema: RecordSchema, *, spans: bool
) -> Columns:
    """The columns of rows whose records were decoded one by one."""
    rows = np.array([row for row, _ in accepted], np.int64)
    data, nulls = _gathered(schema.fields, [record for _, record in accepted], spans)
    return Columns(schema.record, rows, data, nulls)


def merged(one: Columns, other: Columns) -> Columns:
    """The rows of both, in the order of the block."""
    rows = np.concatenate([one.rows, other.rows])
    order = np.argsort(rows)
    data = {name: taken(_joined(c, other.data[name]), order) for name, c in one.data.items()}
    nulls = {name: np.concatenate([m, other.nulls[name]])[order] for name, m in one.nulls.items()}
    return Columns(one.record, rows[order], data, nulls)


def records_of(columns: Columns) -> list[dict[str, Any]]:
    """The rows as records, one by one."""
    return _records(record_schema(columns.record).fields, columns)


def _records(fields: Sequence[Field], columns: Columns | Items) -> list[dict[str, Any]]:
    names = [field.name for field in fields]
    values = []
    for field in fields:
        column = _listed(field, columns.data[field.name])
        for place in np.flatnonzero(columns.nulls.get(field.name, ())).tolist():
            column[place] = None
        values.append(column)
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _listed(field: Field, column: Any) -> list[Any]:
    match column:
        case Items():
            items = iter(_records(field.items, column))
            return [list(islice(items, length)) for length in column.lengths.tolist()]
        case Spans():
            return column.texts()[0] if field.kind == "string" else column.values()
        case list():
            return list(column)
        case _ if field.kind == "enum":
            return [field.symbols[number] for number in column.tolist()]
        case _:
            values: list[Any] = column.tolist()
            return values


def _gathered(
    fields: Sequence[Field], records: Sequence[Mapping[str, Any]], spans: bool
) -> tuple[dict[str, Any], dict[str, Bools]]:
    data: dict[str, Any] = {}
    nulls: dict[str, Bools] = {}
    for field in fields:
        values = [record[field.name] for record in records]
        data[field.name] = _column(field, values, spans)
        if field.nullable:
            nulls[field.name] = np.array([value is None for value in values], np.bool_)
    return data, nulls


def _column(field: Field, values: list[Any], spans: bool) -> Any:
    if field.kind == "array":
        lengths = np.array([len(items) for items in values], np.int64)
        return Items(lengths, *_gathered(field.items, [i for v in values for i in v], spans))
    if field.kind in ("string", "bytes"):
        return Spans.of([_raw(value) for value in values]) if spans else values
    if field.kind == "enum":
        values = [None if value is None else field.symbols.index(value) for value in values]
    null = _NULLS[field.kind]
    return np.array([null if v is None else v for v in values], _DTYPES[field.kind])


def _raw(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _joined(one: Any, other: Any) -> Any:
    match one:
        case list():
            return one + other
        case Spans():
            return Spans.joined([one, other])
        case Items():
            return Items(
                np.concatenate([one.lengths, other.lengths]),
                {name: _joined(column, other.data[name]) for name, column in one.data.items()},
                {name: np.concatenate([m, other.nulls[name]]) for name, m in one.nulls.items()},
            )
        case _:
            return np.concatenate([one, other])
