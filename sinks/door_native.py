"""Blocks of the Native format as clients expect them that name the protocol they speak.

Over HTTP a server writes its Native format for the protocol version that the client names: with a
preamble before each block, and a byte before each column that says how it is laid out. chDB writes
it as for a client of version 0, without either; here they are put in. Source: ClickHouse,
`NativeWriter`; Go's client, on which Grafana's data source is built, reads no other form.
"""

import re
from collections.abc import Callable

from sinks.door_rules import NOT_IMPLEMENTED, RefusedError

FRAMED_FROM = 54454
"""Protocol version from which each column says how it is laid out."""
PREAMBLE = b"\x01\x00\x02\xff\xff\xff\xff\x00"
"""Field 1: no overflow row; field 2: bucket -1; field 0: the end."""
PLAIN = b"\x00"
SIZES = {
    "UInt8": 1, "Int8": 1, "Bool": 1, "Enum8": 1, "Nothing": 1, "UInt16": 2, "Int16": 2, "Date": 2,
    "Enum16": 2, "UInt32": 4, "Int32": 4, "Float32": 4, "DateTime": 4, "Date32": 4, "IPv4": 4,
    "Decimal32": 4, "UInt64": 8, "Int64": 8, "Float64": 8, "DateTime64": 8, "Decimal64": 8,
    "UInt128": 16, "Int128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16, "UInt256": 32,
    "Int256": 32, "Decimal256": 32,
}  # fmt: skip
ELEMENT_NAME = re.compile(r"(?:`(?:[^`\\]|\\.)*`|\w+) (?=\w)")


def framed(body: bytes) -> bytes:
    """The blocks of `body` with preambles; RefusedError for a type that is not walked here."""
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        start = at
        columns, at = _varint(body, at)
        rows, at = _varint(body, at)
        parts += [PREAMBLE, body[start:at]]
        for _ in range(columns):
            start = at
            at = _after_string(body, at)
            length, at = _varint(body, at)
            kind = body[at : at + length].decode()
            at += length
            parts += [body[start:at], PLAIN]
            start, at = at, _after_column(kind, body, at, rows)
            parts.append(body[start:at])
    return b"".join(parts)


def _after_column(kind: str, body: bytes, at: int, rows: int) -> int:
    """Versions of dictionaries come before all values, also where they are nested."""
    return _walk(kind, body, at + 8 * kind.count("LowCardinality(") if rows else at, rows)


def _walk(kind: str, body: bytes, at: int, rows: int) -> int:
    """Where the values of a column end that begin at `at`."""
    if rows == 0:
        return at
    name, _, inside = kind.partition("(")
    arguments = inside.removesuffix(")")
    if name in SIZES:
        return at + rows * SIZES[name]
    if name in SHAPES:
        return SHAPES[name](arguments, body, at, rows)
    raise RefusedError(NOT_IMPLEMENTED, f"no Native blocks of {kind} are sent here; cast it")


def _string(_: str, body: bytes, at: int, rows: int) -> int:
    for _row in range(rows):
        at = _after_string(body, at)
    return at


def _nullable(inner: str, body: bytes, at: int, rows: int) -> int:
    return _walk(inner, body, at + rows, rows)


def _array(inner: str, body: bytes, at: int, rows: int) -> int:
    at += 8 * rows
    return _walk(inner, body, at, int.from_bytes(body[at - 8 : at], "little"))


def _map(inner: str, body: bytes, at: int, rows: int) -> int:
    return _array(f"Tuple({inner})", body, at, rows)


def _tuple(inner: str, body: bytes, at: int, rows: int) -> int:
    for element in _arguments(inner):
        named = ELEMENT_NAME.match(element)
        at = _walk(element[named.end() :] if named else element, body, at, rows)
    return at


def _nested(inner: str, body: bytes, at: int, rows: int) -> int:
    return _array(f"Tuple({inner})", body, at, rows)


def _fixed_string(size: str, _: bytes, at: int, rows: int) -> int:
    return at + int(size) * rows


def _decimal(arguments: str, _: bytes, at: int, rows: int) -> int:
    digits = int(arguments.split(",", maxsplit=1)[0])
    return at + rows * next(size for most, size in DECIMALS if digits <= most)


def _simple_state(arguments: str, body: bytes, at: int, rows: int) -> int:
    return _walk(_arguments(arguments)[-1], body, at, rows)


def _dictionary(inner: str, body: bytes, at: int, rows: int) -> int:
    """Kind of the index, values of the dictionary, then a place in it for each row."""
    width = 1 << body[at]
    values, at = int.from_bytes(body[at + 8 : at + 16], "little"), at + 16
    bare = inner.removeprefix("Nullable(").removesuffix(")") if inner[:9] == "Nullable(" else inner
    return _walk(bare, body, at, values) + 8 + rows * width


DECIMALS = ((9, 4), (18, 8), (38, 16), (76, 32))
SHAPES: dict[str, Callable[[str, bytes, int, int], int]] = {
    "String": _string, "Nullable": _nullable, "Array": _array, "Map": _map, "Tuple": _tuple,
    "Nested": _nested, "FixedString": _fixed_string, "Decimal": _decimal,
    "SimpleAggregateFunction": _simple_state, "LowCardinality": _dictionary,
}  # fmt: skip


def _arguments(text: str) -> list[str]:
    """What stands between the commas that are in no brackets and no quotes."""
    parts, depth = [""], 0
    for token in re.findall(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|.", text, re.S):
        depth += (token == "(") - (token == ")")
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def _after_string(body: bytes, at: int) -> int:
    length, at = _varint(body, at)
    return at + length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while body[at] > 127:
        number |= (body[at] & 127) << shift
        shift += 7
        at += 1
    return number | body[at] << shift, at + 1
