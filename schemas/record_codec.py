"""One Avro record at a time, framed: the fallback and the slow twin of `block_decode`.

fastavro reads; what it lets pass (a varint beyond 64 bits, a negative enum number, a boolean of 2)
is caught by `strict_walk` wherever the bytes differ from those fastavro itself would write.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from schemas.dead_letter import DeadLetterReason, RefusedRecord
from schemas.registry import Field, RecordSchema, UnknownSchemaError, record_schema, schema_by_id
from schemas.strict_walk import WalkError, walk
from schemas.wire import WireError, frame, unframe


def encode(record: str, values: Mapping[str, Any]) -> bytes:
    """The framed bytes of a record; fields with a default may be missing.

    Raises UnknownSchemaError, or TypeError, ValueError or OverflowError where `values` do not
    fit the schema.
    """
    schema = record_schema(record)
    _refuse_fractions(schema.fields, values)
    return frame(schema.schema_id, _body(schema, values))


def decode(value: bytes | None, expected: str | None = None) -> tuple[str, dict[str, Any]]:
    """Record name and values of a framed value; RefusedRecord whatever is wrong with it.

    With `expected`, a record of any other name is refused too.
    """
    if value is None:
        raise RefusedRecord(DeadLetterReason.UNDECODABLE, "no value")
    try:
        schema_id, body = unframe(value)
        schema = schema_by_id(schema_id)
    except WireError as error:
        raise RefusedRecord(DeadLetterReason.UNDECODABLE, str(error)) from error
    except UnknownSchemaError as error:
        raise RefusedRecord(DeadLetterReason.UNKNOWN_SCHEMA, str(error)) from error
    if expected is not None and schema.record != expected:
        message = f"a record of {schema.record} where {expected} was expected"
        raise RefusedRecord(DeadLetterReason.UNKNOWN_SCHEMA, message)
    return schema.record, _values(schema, body)


def _values(schema: RecordSchema, body: bytes) -> dict[str, Any]:
    reader = BytesIO(body)
    try:
        values: dict[str, Any] = fastavro.schemaless_reader(reader, schema.parsed, None)
        if reader.tell() == len(body) and _body(schema, values) == body:
            return values
        complaint = _complaint(schema, body)
    except Exception as error:  # whatever a reader raises on hostile bytes, the record is refused
        # The walk's words name the field; fastavro's hold memory addresses, so no two runs agree.
        complaint = _complaint(schema, body) or type(error).__name__
    if complaint is not None:
        raise RefusedRecord(DeadLetterReason.UNDECODABLE, f"{schema.record}: {complaint}")
    return values


def _complaint(schema: RecordSchema, body: bytes) -> str | None:
    try:
        walk(schema.fields, body)
    except WalkError as error:
        return str(error)
    return None


def _body(schema: RecordSchema, values: Mapping[str, Any]) -> bytes:
    writer = BytesIO()
    fastavro.schemaless_writer(writer, schema.parsed, values, strict_allow_default=True)
    return writer.getvalue()


def _refuse_fractions(fields: tuple[Field, ...], values: Mapping[str, Any]) -> None:
    """fastavro would cut the fraction off a float given for a long; money must not lose it."""
    for field in fields:
        value = values.get(field.name)
        if field.kind == "long" and isinstance(value, float):
            raise TypeError(f"{field.name} is an integer, not {value!r}")
        if field.kind == "array":
            for item in value or ():
                _refuse_fractions(field.items, item)
