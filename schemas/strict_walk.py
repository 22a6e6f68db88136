"""Walks over one Avro body to its end without keeping its values, and refuses every liberty."""

from schemas.registry import Field


class WalkError(ValueError):
    """The body is not exactly one record; the message says where it goes wrong."""


def walk(fields: tuple[Field, ...], body: bytes) -> None:
    """Passes silently where `body` is exactly one record of `fields`, else WalkError.

    Varints longer than needed pass, as they do with other readers; beyond 64 bits they do not.
    """
    at = _record(fields, body, 0)
    if at != len(body):
        raise WalkError(f"{len(body) - at} bytes follow the record")


def _record(fields: tuple[Field, ...], body: bytes, at: int) -> int:
    for field in fields:
        try:
            at = _field(field, body, at)
        except WalkError as error:
            raise WalkError(f"{field.name}: {error}") from error
    return at


def _field(field: Field, body: bytes, at: int) -> int:
    if field.nullable:
        branch, at = _long(body, at)
        if branch not in (0, 1):
            raise WalkError(f"branch {branch} of a union of two")
        if branch == 0:
            return at
    if field.kind == "array":
        return _array(field, body, at)
    if field.kind == "double":
        return _skip(body, at, 8)
    if field.kind == "boolean":
        if body[at : at + 1] not in (b"\x00", b"\x01"):
            raise WalkError("a boolean is one byte, 0 or 1")
        return at + 1
    number, at = _long(body, at)
    if field.kind in ("string", "bytes"):
        end = _skip(body, at, number)
        if field.kind == "string":
            _refuse_non_utf8(body[at:end])
        return end
    if field.kind == "enum" and not 0 <= number < len(field.symbols):
        raise WalkError(f"number {number} of {len(field.symbols)} symbols")
    return at


def _array(field: Field, body: bytes, at: int) -> int:
    count, at = _long(body, at)
    while count:
        stated_end = None
        if count < 0:
            size, at = _long(body, at)
            count, stated_end = -count, _skip(body, at, size)
        for _ in range(count):
            if at >= len(body):
                raise WalkError("the bytes end within an array")
            at = _record(field.items, body, at)
        if stated_end is not None and at != stated_end:
            raise WalkError("an array's block is not as long as it says")
        count, at = _long(body, at)
    return at


def _skip(body: bytes, at: int, size: int) -> int:
    if not 0 <= size <= len(body) - at:
        raise WalkError(f"{size} bytes where {len(body) - at} are left")
    return at + size


def _refuse_non_utf8(text: bytes) -> None:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WalkError(f"not UTF-8: {error.reason}") from error


def _long(body: bytes, at: int) -> tuple[int, int]:
    """The zigzag varint at `at`, and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            raise WalkError("the bytes end within a number")
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            break
    else:
        raise WalkError("a number of more than 10 bytes")
    if number >= 2**64:
        raise WalkError("a number of more than 64 bits")
    return (number >> 1) ^ -(number & 1), at
