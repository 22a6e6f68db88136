"""Records at the edges of what a schema allows, and the way back from a table's row to a record."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from schemas import record_codec
from schemas.block import Block
from schemas.registry import Field, record_schema
from schemas.units import LIMIT_E8
from sinks.columns import RecordColumn, record_columns
from sinks.rows import EARLIEST_US, LATEST_US
from sinks.store import Store

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LONGS = (0, 1, -1, 2**63 - 1, -(2**63), 300)
DECIMALS = (LIMIT_E8, -LIMIT_E8, 0, 1, -1, 123_456_789_012)
TIMES = (1_700_000_000_123_456, EARLIEST_US, LATEST_US, 0, -1, 1_700_000_000_999_999)
DOUBLES = (0.1, -0.0, 1e308, -5e-324, float("inf"), 2.5)
STRINGS = ("BTC-PERP", "", "Ünïcødé ✓ 取引", "x" * 300, "quote ' and \\ and \n", "\x00nul")
BYTES = (b"", b"\x00\xff\xfe", b"key", bytes(range(256)), b"\n", b"'")


def edge_records(record: str, count: int) -> list[dict[str, Any]]:
    """Records whose fields walk through the edges, each field at its own pace."""
    fields = record_schema(record).fields
    return [
        {field.name: _value(field, row + place) for place, field in enumerate(fields)}
        for row in range(count)
    ]


def _value(field: Field, turn: int) -> Any:
    if field.nullable and turn % 4 == 3:
        return None
    if field.kind == "array":
        return [
            {item.name: _value(item, turn + place + element) for place, item in
             enumerate(field.items)}
            for element in range(turn % 3)
        ]  # fmt: skip
    if field.kind == "long":
        edges: Sequence[Any] = LONGS
        if field.scale == 8:
            edges = DECIMALS
        elif field.timestamp:
            edges = TIMES
    else:
        edges = {
            "double": DOUBLES, "boolean": (True, False), "string": STRINGS, "bytes": BYTES,
            "enum": field.symbols,
        }[field.kind]  # fmt: skip
    return edges[turn % len(edges)]


def block_of(
    topic: str, record: str, records: Sequence[Mapping[str, Any]], *, first: int = 0
) -> Block:
    """The records as one block of partition 3."""
    n = len(records)
    return Block(
        topic, 3, np.arange(first, first + n), [b"key"] * n,
        [record_codec.encode(record, values) for values in records],
        np.full(n, 1_700_000_000_000),
    )  # fmt: skip


def fills(first: int, count: int, partition: int = 3) -> Block:
    """A block of fills."""
    made = block_of("fills", "fill", edge_records("fill", count), first=first)
    return Block("fills", partition, made.offsets, made.keys, made.values, made.timestamps_ms)


def stored_records(store: Store, table: str, record: str) -> list[dict[str, Any]]:
    """The records of a table in the order of their partitions and offsets."""
    columns = record_columns(record)
    chosen = ", ".join(
        f"hex({c.name}) AS `{c.name}`" if c.kind == "bytes" else f"`{c.name}`" for c in columns
    )
    rows = store.query(f"SELECT {chosen} FROM {table} ORDER BY _partition, _offset")
    return [_record(columns, row) for row in rows]


def _record(columns: Sequence[RecordColumn], row: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for column in columns:
        if column.array is None:
            result[column.field] = _field_value(column, row[column.name])
            continue
        elements = result.setdefault(column.array, [{} for _ in row[column.name]])
        for element, value in zip(elements, row[column.name], strict=True):
            element[column.field] = _field_value(column, value)
    return result


def _field_value(column: RecordColumn, value: Any) -> Any:
    if value is None:
        return None
    if column.kind == "decimal":
        assert isinstance(value, Decimal)
        return int(value.scaleb(8))
    if column.kind == "micros":
        return (value.replace(tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)
    return bytes.fromhex(value) if column.kind == "bytes" else value
