"""Hypothesis strategies that follow a record's schema, and blocks of framed bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from schemas.block import Block
from schemas.registry import Field, record_schema
from schemas.topics import TOPICS
from schemas.units import LIMIT_E8

RECORDS = tuple(topic.record for topic in TOPICS)

LONGS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-300, 300),
    st.sampled_from([s * 2**k + d for k in range(6, 63, 7) for s in (1, -1) for d in (-1, 0, 1)]),
)
TEXTS = st.one_of(
    st.text(st.characters(codec="ascii"), max_size=12),
    st.text(max_size=12),
    st.sampled_from(["", "BTC-PERP", "konto-ü", "\x00", "ÿ", "x" * 127, "x" * 128, "x" * 300]),
)
_PLAIN = {
    "long": LONGS,
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "string": TEXTS,
    "bytes": st.binary(max_size=20),
}
_CALENDAR_US = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
_AMOUNTS_E8 = st.integers(-LIMIT_E8, LIMIT_E8)


def values_of(record: str, *, in_range: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a record; with `in_range` only amounts and times that JSON can carry."""
    return _fields(record_schema(record).fields, in_range)


def _fields(fields: Sequence[Field], in_range: bool) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field.name: _field(field, in_range) for field in fields})


def _field(field: Field, in_range: bool) -> st.SearchStrategy[Any]:
    if field.kind == "array":
        return st.lists(_fields(field.items, in_range), max_size=3)
    if field.kind == "enum":
        values: st.SearchStrategy[Any] = st.sampled_from(field.symbols)
    elif in_range and field.timestamp:
        values = _CALENDAR_US
    elif in_range and field.scale == 8:
        values = _AMOUNTS_E8
    else:
        values = _PLAIN[field.kind]
    return st.one_of(st.none(), values) if field.nullable else values


def block_of(values: Sequence[bytes | None], topic: str = "fills") -> Block:
    """A block with these values at offsets 100, 101, ..."""
    n = len(values)
    return Block(
        topic=topic,
        partition=3,
        offsets=np.arange(100, 100 + n, dtype=np.int64),
        keys=[b"a-key"] * n,
        values=values,
        timestamps_ms=np.full(n, 1_700_000_000_000, dtype=np.int64),
    )
