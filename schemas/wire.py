"""The Confluent wire format: a zero byte, the schema's id in 4 bytes, the Avro body.

Source: Confluent documentation, "Wire format" of the Schema Registry's serialisers.
"""

import struct

MAGIC = 0
HEADER_BYTES = 5

_HEADER = struct.Struct(">BI")


class WireError(ValueError):
    """The bytes do not begin as a framed value does."""


def frame(schema_id: int, body: bytes) -> bytes:
    """The framed value; `schema_id` in 0..2^32-1, else ValueError."""
    if not 0 <= schema_id < 2**32:
        raise ValueError(f"a schema id has 4 bytes, {schema_id} does not fit")
    return _HEADER.pack(MAGIC, schema_id) + body


def unframe(value: bytes) -> tuple[int, bytes]:
    """Schema id and body of a framed value; WireError where there is no header."""
    if len(value) < HEADER_BYTES:
        raise WireError(f"{len(value)} bytes are too few for the {HEADER_BYTES} of the header")
    magic, schema_id = _HEADER.unpack_from(value)
    if magic != MAGIC:
        raise WireError(f"the first byte is {magic}, not {MAGIC}")
    return schema_id, value[HEADER_BYTES:]


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, low bits first."""
    assert number >= 0
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    result.append(number)
    return bytes(result)
