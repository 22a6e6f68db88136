"""Many records of one schema to bytes at once, field by field: how a turn's outputs are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from struct import Struct
from typing import Any

import numpy as np

from schemas.record_codec import encode
from schemas.registry import Field, Kind, record_schema
from schemas.wire import frame

Records = Sequence[Mapping[str, Any]]
Column = Sequence[Any]

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
    if not rows:
        return []
    coded = (_field(*pair) for pair in zip(fields, _columns(fields, rows), strict=True))
    return list(map(b"".join, zip(*coded, strict=True)))


def _columns(fields: Sequence[Field], rows: Records) -> Iterator[tuple[Any, ...]]:
    """The values of each field; what is not given is its default."""
    of_row = itemgetter(*(one.name for one in fields))
    try:
        return zip(*map(of_row, rows), strict=True)
    except KeyError:
        defaults = {one.name: one.default for one in fields if one.has_default}
        return zip(*(of_row({**defaults, **row}) for row in rows), strict=True)


def _field(one: Field, column: Column) -> list[bytes]:
    if not one.nullable:
        return _values(one, column)
    values = iter(_values(one, [value for value in column if value is not None]))
    return [_NULL if value is None else _THERE + next(values) for value in column]


def _values(one: Field, column: Column) -> list[bytes]:
    if one.kind == "array":
        return _arrays(one, column)
    if one.kind == "enum":
        numbers = _longs(list(range(len(one.symbols))))
        return list(map(dict(zip(one.symbols, numbers, strict=True)).__getitem__, column))
    return _PLAIN[one.kind](column)


def _texts(column: Column) -> list[bytes]:
    distinct = list(set(column))
    coded = _counted(list(map(str.encode, distinct)))
    return list(map(dict(zip(distinct, coded, strict=True)).__getitem__, column))


def _counted(texts: Column) -> list[bytes]:
    return [size + text for size, text in zip(_longs(list(map(len, texts))), texts, strict=True)]


def _arrays(one: Field, column: Column) -> list[bytes]:
    """How many, the items, a zero; an array or an item that many share is written once."""
    arrays = dict(zip(map(id, column), column, strict=True))
    every = list(chain.from_iterable(arrays.values()))
    distinct = dict(zip(map(id, every), every, strict=True))
    item = dict(zip(distinct, _records(one.items, list(distinct.values())), strict=True))
    sizes = _longs(list(map(len, arrays.values())))
    coded = {
        number: b"".join([size, *map(item.__getitem__, map(id, items)), _ZERO]) if items else _ZERO
        for number, size, items in zip(arrays, sizes, arrays.values(), strict=True)
    }
    return list(map(coded.__getitem__, map(id, column)))


def _longs(column: Column) -> list[bytes]:
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


_PLAIN: dict[Kind, Callable[[Column], list[bytes]]] = {
    "long": _longs,
    "double": lambda column: list(map(_DOUBLE.pack, column)),
    "boolean": lambda column: [b"\x01" if value else b"\x00" for value in column],
    "string": _texts,
    "bytes": _counted,
}
