"""Many records of one schema to bytes at once, field by field: how a turn's outputs are written."""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any

import numpy as np

from schemas.record_codec import encode
from schemas.registry import Field, Kind, record_schema
from schemas.wire import frame

Records = Sequence[Mapping[str, Any]]

FEW = 10
"""So many records are faster written one by one."""
_GROUPS = np.arange(0, 64, 7, dtype=np.uint64)
"""How far the groups of 7 bits of a varint are shifted."""
_MORE = np.uint64(1) << _GROUPS[1:]
"""The least numbers with another group behind each but the last."""
_ZERO, _NULL, _THERE = b"\x00", b"\x00", b"\x02"
_DOUBLE = Struct("<d")


def encode_all(record: str, rows: Records) -> list[bytes]:
    """The framed bytes of each, as `record_codec.encode` gives them.

    Raises what it raises where a record does not fit the schema.
    """
    schema = record_schema(record)
    if len(rows) > FEW:
        try:
            bodies = _records(schema.fields, rows)
        except (TypeError, ValueError, LookupError, OverflowError):
            pass  # which of them is wrong, and why, is told below
        else:
            head = frame(schema.schema_id, b"")
            return [head + body for body in bodies]
    return [encode(record, row) for row in rows]


def _records(fields: Sequence[Field], rows: Records) -> list[bytes]:
    return list(map(b"".join, zip(*(_field(one, rows) for one in fields), strict=True)))


def _field(one: Field, rows: Records) -> list[bytes]:
    """One field of all rows."""
    name, default = one.name, one.default
    if one.has_default:
        column = [row.get(name, default) for row in rows]
    else:
        column = [row[name] for row in rows]
    if not one.nullable:
        return _values(one, column)
    values = iter(_values(one, [value for value in column if value is not None]))
    return [_NULL if value is None else _THERE + next(values) for value in column]


def _values(one: Field, column: list[Any]) -> list[bytes]:
    if one.kind == "array":
        return _arrays(one, column)
    if one.kind == "enum":
        numbers = _longs(list(range(len(one.symbols))))
        return list(map(dict(zip(one.symbols, numbers, strict=True)).__getitem__, column))
    return _PLAIN[one.kind](column)


def _texts(column: list[str]) -> list[bytes]:
    distinct = list(set(column))
    coded = _counted(list(map(str.encode, distinct)))
    return list(map(dict(zip(distinct, coded, strict=True)).__getitem__, column))


def _counted(texts: list[bytes]) -> list[bytes]:
    return [size + text for size, text in zip(_longs(list(map(len, texts))), texts, strict=True)]


def _arrays(one: Field, column: list[Records]) -> list[bytes]:
    """How many, the items, a zero; an item that many records share is written once."""
    distinct = {id(item): item for items in column for item in items}
    coded = dict(zip(distinct, _records(one.items, list(distinct.values())), strict=True))
    sizes = _longs(list(map(len, column)))
    return [
        b"".join([size, *(coded[id(item)] for item in items), _ZERO]) if items else _ZERO
        for size, items in zip(sizes, column, strict=True)
    ]


def _longs(column: list[int]) -> list[bytes]:
    """Zigzag varints; TypeError where one is no integer of 64 bits."""
    values = np.array(column)
    if len(column) and values.dtype.kind not in "ib":
        raise TypeError(f"no integers of 64 bits: {values.dtype}")
    values = values.astype(np.int64)
    raw = ((values << 1) ^ (values >> 63)).view(np.uint64)[:, None]
    groups = (raw >> _GROUPS).astype(np.uint8) & 0x7F
    groups[:, :-1] |= (raw >= _MORE).astype(np.uint8) << 7
    # numpy's byte strings end at their last byte that is not zero, as varints do
    return [one or _ZERO for one in groups.view("S10").ravel().tolist()]


_PLAIN: dict[Kind, Callable[[list[Any]], list[bytes]]] = {
    "long": _longs,
    "double": lambda column: list(map(_DOUBLE.pack, column)),
    "boolean": lambda column: [b"\x01" if value else b"\x00" for value in column],
    "string": _texts,
    "bytes": _counted,
}
