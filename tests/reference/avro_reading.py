"""The slow twin of reading Avro bodies: one byte at a time, in plain Python, from the spec.

Source: Apache Avro specification 1.11, "Binary encoding". Shares nothing with fastavro or numpy.
"""

import struct
from collections.abc import Callable
from typing import Any

from schemas.registry import Field


class UnreadableError(ValueError):
    """The bytes are not what the schema says."""


class Reader:
    """Reads one body from its first byte to its last."""

    def __init__(self, body: bytes) -> None:
        self.left = list(body)

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.left):
            raise UnreadableError(f"{count} bytes of {len(self.left)}")
        taken, self.left = bytes(self.left[:count]), self.left[count:]
        return taken

    def number(self) -> int:
        groups = []
        while not groups or groups[-1] >= 128:
            groups.append(self.take(1)[0])
        number = sum((group % 128) * 128**place for place, group in enumerate(groups))
        if len(groups) > 10 or number >= 2**64:
            raise UnreadableError("more than 64 bits")
        return number // 2 if number % 2 == 0 else -(number + 1) // 2

    def one_of(self, count: int) -> int:
        number = self.number()
        if not 0 <= number < count:
            raise UnreadableError(f"{number} of {count}")
        return number

    def one_byte_of(self, count: int) -> int:
        byte = self.take(1)[0]
        if byte >= count:
            raise UnreadableError(f"{byte} of {count}")
        return byte

    def array(self, items: tuple[Field, ...]) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        while count := self.number():
            stated = self.number() if count < 0 else None
            before = len(self.left)
            for _ in range(abs(count)):
                records.append(self.record(items))
            if stated is not None and stated != before - len(self.left):
                raise UnreadableError(f"a run of {stated} bytes")
        return records

    def record(self, fields: tuple[Field, ...]) -> dict[str, Any]:
        return {field.name: self.field(field) for field in fields}

    def field(self, field: Field) -> Any:
        if field.nullable and self.one_of(2) == 0:
            return None
        readers: dict[str, Callable[[], Any]] = {
            "long": self.number,
            "enum": lambda: field.symbols[self.one_of(len(field.symbols))],
            "double": lambda: struct.unpack("<d", self.take(8))[0],
            "boolean": lambda: bool(self.one_byte_of(2)),
            "bytes": lambda: self.take(self.number()),
            "string": lambda: self.take(self.number()).decode("utf-8"),
            "array": lambda: self.array(field.items),
        }
        return readers[field.kind]()


def read_record(fields: tuple[Field, ...], body: bytes) -> dict[str, Any]:
    """The values of a record; ValueError where the body is not exactly one."""
    reader = Reader(body)
    values = reader.record(fields)
    if reader.left:
        raise UnreadableError("bytes follow the record")
    return values


def varint(number: int, groups: int = 1) -> bytes:
    """The zigzag varint of a number of any size, padded to at least `groups` bytes."""
    number = 2 * number if number >= 0 else -2 * number - 1
    digits = []
    while number or len(digits) < groups or not digits:
        number, digit = divmod(number, 128)
        digits.append(digit)
    return bytes([digit + 128 for digit in digits[:-1]] + digits[-1:])
