"""The ClickHouse columns of a record, worked out from its Avro schema.

| Avro | table | on the way in |
| --- | --- | --- |
| long, scale 8 | Decimal64(8), name without `_e8` | the same int64 |
| long, timestamp-micros | DateTime64(6, 'UTC') | the same int64 |
| other long | Int64 | int64 |
| double, boolean | Float64, Bool | float64, one byte |
| enum | LowCardinality(String) | Enum8, the server looks the symbol up |
| string | String; LowCardinality(String) for names that repeat | String |
| bytes | String | String |
| union with null | Nullable(...) of the above | null map |
| array of records | one Array column a field, named `array.field` | lengths, then the flat column |

What is nullable in the record is Nullable in the table and nothing else is, so a null and an
empty string, or a null and a zero, stay different.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.registry import Field, record_schema

Kind = Literal["decimal", "micros", "long", "double", "boolean", "enum", "string", "bytes"]

REPEATING = frozenset({
    "asset", "base", "bucket", "fee_asset", "instrument_id", "isolated_instrument_id",
    "price_instrument_id", "quote", "regime", "risk_profile", "settlement_asset", "source",
    "subject", "topic", "underlying",
})  # fmt: skip
BARE_TYPES: dict[Kind, str] = {
    "decimal": "Decimal(18, 8)",
    "micros": "DateTime64(6, 'UTC')",
    "long": "Int64",
    "double": "Float64",
    "boolean": "Bool",
    "string": "String",
    "bytes": "String",
}


@dataclass(frozen=True, slots=True)
class RecordColumn:
    """One column of a record's table and the field that fills it.

    `array` is the field that holds the array of records where the column is nested, else None.
    """

    field: str
    array: str | None
    kind: Kind
    nullable: bool
    symbols: tuple[str, ...]
    doc: str

    @property
    def name(self) -> str:
        """Name in the table: `price` for price_e8, `buckets.equity` for a nested one."""
        bare = self.field.removesuffix("_e8") if self.kind == "decimal" else self.field
        return f"{self.array}.{bare}" if self.array else bare

    @property
    def table_type(self) -> str:
        """Type in the table, spelled as ClickHouse spells it back."""
        bare = "String" if self.kind == "enum" else BARE_TYPES[self.kind]
        inner = f"Nullable({bare})" if self.nullable else bare
        if self.kind == "enum" or (self.kind == "string" and self.field in REPEATING):
            inner = f"LowCardinality({inner})"
        return f"Array({inner})" if self.array else inner

    @property
    def wire_type(self) -> str:
        """Type an insert declares; the server converts it to `table_type` without loss."""
        bare = _enum_type(self.symbols) if self.kind == "enum" else BARE_TYPES[self.kind]
        inner = f"Nullable({bare})" if self.nullable else bare
        return f"Array({inner})" if self.array else inner


@cache
def record_columns(record: str) -> tuple[RecordColumn, ...]:
    """The columns of a record's table in field order; UnknownSchemaError for no such record."""
    columns: list[RecordColumn] = []
    for field in record_schema(record).fields:
        if field.kind == "array":
            columns.extend(_column(item, array=field.name) for item in field.items)
        else:
            columns.append(_column(field, array=None))
    return tuple(columns)


def _column(field: Field, *, array: str | None) -> RecordColumn:
    return RecordColumn(field.name, array, _kind(field), field.nullable, field.symbols, field.doc)


def _kind(field: Field) -> Kind:
    assert field.kind != "array", f"{field.name}: arrays in arrays have no table"
    if field.kind != "long":
        return field.kind
    if field.timestamp:
        return "micros"
    return "decimal" if field.scale == 8 else "long"


def _enum_type(symbols: tuple[str, ...]) -> str:
    members = ", ".join(f"'{symbol}' = {number}" for number, symbol in enumerate(symbols))
    return f"Enum8({members})"
