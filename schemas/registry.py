"""Schema id and record name to schema, from the .avsc files packaged beside this file."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import fastavro

from schemas.topics import BY_SCHEMA_ID, TOPICS

Kind = Literal["long", "double", "boolean", "string", "bytes", "enum", "array"]

_FOLDER = Path(__file__).parent / "avro"
_IDS = {topic.record: topic.schema_id for topic in TOPICS}


class UnknownSchemaError(KeyError):
    """No schema has this id or name."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    `symbols` are an enum's; `items` are the fields of an array's records; `scale` is the number
    of decimals of a long (8: e8, 6: ppm, 0: a count); `timestamp` marks microseconds since the
    epoch. `default` means something only where `has_default`.
    """

    name: str
    kind: Kind
    nullable: bool
    symbols: tuple[str, ...]
    default: Any
    has_default: bool
    items: tuple["Field", ...] = ()
    scale: int = 0
    timestamp: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """A record's schema: its fields in the order of their bytes.

    `parsed` is what fastavro works with, without logical types, so that times stay integers.
    """

    record: str
    schema_id: int
    fields: tuple[Field, ...]
    parsed: dict[str, Any]
    doc: str = ""


@cache
def record_schema(record: str) -> RecordSchema:
    """The schema of a record of the catalogue; UnknownSchemaError where there is none."""
    if record not in _IDS:
        raise UnknownSchemaError(f"no record is called {record!r}")
    source = json.loads((_FOLDER / f"{record}.avsc").read_text(encoding="utf-8"))
    fields = tuple(_field(field) for field in source["fields"])
    return RecordSchema(
        record=record,
        schema_id=_IDS[record],
        fields=fields,
        parsed=cast(dict[str, Any], fastavro.parse_schema(_without_logical_types(source))),
        doc=source.get("doc", ""),
    )


def schema_by_id(schema_id: int) -> RecordSchema:
    """The schema with this id; UnknownSchemaError where there is none."""
    if schema_id not in BY_SCHEMA_ID:
        raise UnknownSchemaError(f"no schema has the id {schema_id}")
    return record_schema(BY_SCHEMA_ID[schema_id].record)


def _field(source: dict[str, Any]) -> Field:
    """Reads one field; ValueError where it uses more of Avro than the records here do."""
    kind = source["type"]
    nullable = isinstance(kind, list)
    if nullable:
        if len(kind) != 2 or kind[0] != "null":
            raise ValueError(f"{source['name']}: a union here is null and one other type")
        kind = kind[1]
    detail = kind if isinstance(kind, dict) else {"type": kind}
    if detail["type"] not in ("long", "double", "boolean", "string", "bytes", "enum", "array"):
        raise ValueError(f"{source['name']}: no reader for the type {detail['type']!r}")
    items = detail["items"]["fields"] if detail["type"] == "array" else ()
    return Field(
        name=source["name"],
        kind=detail["type"],
        nullable=nullable,
        symbols=tuple(detail.get("symbols", ())),
        default=source.get("default"),
        has_default="default" in source,
        items=tuple(_field(item) for item in items),
        scale=detail.get("scale", 0),
        timestamp=detail.get("logicalType") == "timestamp-micros",
        doc=source.get("doc", ""),
    )


def _without_logical_types(source: Any) -> Any:
    if isinstance(source, dict):
        return {
            key: _without_logical_types(value)
            for key, value in source.items()
            if key != "logicalType"
        }
    if isinstance(source, list):
        return [_without_logical_types(value) for value in source]
    return source


def symbol_numbers(record: str, *path: str) -> dict[str, int]:
    """The number of each symbol of an enum; `path` names its field, after the arrays around it."""
    fields, field = record_schema(record).fields, None
    for name in path:
        field = next(one for one in fields if one.name == name)
        fields = field.items
    return {symbol: number for number, symbol in enumerate(field.symbols if field else ())}
