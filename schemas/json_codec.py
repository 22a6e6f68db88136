"""The same records as JSON: amounts as plain decimal text, times as ISO-8601, bytes as base64.

Amounts are those fields whose Avro type says `"scale": 8`; all other longs are integers.
"""

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from schemas import units
from schemas.dead_letter import DeadLetterReason, RefusedRecord
from schemas.registry import Field, record_schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?Z")
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _US
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _US


def encode(record: str, values: Mapping[str, Any]) -> bytes:
    """The record as a JSON object in UTF-8; RefusedRecord where `values` do not fit the schema."""
    plain = _object(record_schema(record).fields, values, _to_json, record)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def decode(record: str, data: bytes) -> dict[str, Any]:
    """The values of a JSON object, with the defaults of missing fields.

    Raises RefusedRecord whatever is wrong with `data`; fields the schema lacks are wrong.
    """
    schema = record_schema(record)
    try:
        source = json.loads(
            data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise _refused(record, f"not JSON: {str(error)[:200]}") from error
    return _object(schema.fields, source, _from_json, record)


def _object(
    fields: tuple[Field, ...], source: Any, convert: Callable[[Field, Any, str], Any], path: str
) -> dict[str, Any]:
    if not isinstance(source, Mapping):
        raise _refused(path, f"an object is needed, not {_shown(source)}")
    unknown = source.keys() - {field.name for field in fields}
    if unknown:
        raise _refused(path, f"unknown field {_shown(min(unknown, key=str))}")
    values = {}
    for field in fields:
        place = f"{path}.{field.name}"
        if field.name not in source and not field.has_default:
            raise RefusedRecord(DeadLetterReason.MISSING_FIELD, f"{place} is missing")
        value = source.get(field.name, field.default)
        keep = value is None and field.nullable
        keep = keep or (field.name not in source and convert is _from_json)
        values[field.name] = value if keep else convert(field, value, place)
    return values


def _to_json(field: Field, value: Any, place: str) -> Any:
    if field.kind == "array":
        return _array(field, value, _to_json, place)
    if field.kind == "bytes" and isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if field.kind != "long":
        return _scalar(field, value, place)
    number = _long(value, place)
    if field.timestamp:
        moment = _EPOCH + timedelta(microseconds=_in_calendar(number, place))
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if field.scale == 8:
        return units.text(_in_range(number, place))
    return number


def _from_json(field: Field, value: Any, place: str) -> Any:
    if field.kind == "array":
        return _array(field, value, _from_json, place)
    if field.kind == "bytes":
        return _base64(value, place)
    if field.kind != "long":
        return _scalar(field, value, place)
    if field.timestamp:
        return _time_us(value, place)
    return _amount_e8(value, place) if field.scale == 8 else _long(value, place)


def _array(
    field: Field, value: Any, convert: Callable[[Field, Any, str], Any], place: str
) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise _refused(place, f"an array is needed, not {_shown(value)}")
    return [
        _object(field.items, item, convert, f"{place}[{number}]")
        for number, item in enumerate(value)
    ]


def _scalar(field: Field, value: Any, place: str) -> Any:
    """Strings, symbols, booleans and doubles, which look the same on both sides."""
    match field.kind:
        case "string" if isinstance(value, str) and _is_utf8(value):
            return value
        case "enum" if isinstance(value, str) and value in field.symbols:
            return str(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "double" if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                if math.isfinite(number := float(value)):
                    return number
            except OverflowError:
                pass
    wanted = f"one of {', '.join(field.symbols)}" if field.kind == "enum" else field.kind
    raise _refused(place, f"{wanted} is needed, not {_shown(value)}")


def _long(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refused(place, f"an integer is needed, not {_shown(value)}")
    if not -(2**63) <= value < 2**63:
        raise _refused(place, "an integer of more than 64 bits")
    return value


def _in_range(amount_e8: int, place: str) -> int:
    if abs(amount_e8) > units.LIMIT_E8:
        message = f"{place}: {amount_e8} is beyond {units.LIMIT_E8}"
        raise RefusedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, message)
    return amount_e8


def _in_calendar(time_us: int, place: str) -> int:
    if not _FIRST_US <= time_us <= _LAST_US:
        message = f"{place}: {time_us} microseconds lie outside the years 1 to 9999"
        raise RefusedRecord(DeadLetterReason.TIME_OUT_OF_RANGE, message)
    return time_us


def _amount_e8(value: Any, place: str) -> int:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise _refused(place, f"a plain decimal as a string is needed, not {_shown(value)}")
    try:
        return units.e8(value)
    except OverflowError as error:
        message = f"{place}: {error}"
        raise RefusedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, message) from error
    except ValueError as error:
        raise _refused(place, str(error)) from error


def _time_us(value: Any, place: str) -> int:
    if isinstance(value, str) and _TIME.fullmatch(value):
        whole, _, fraction = value[:-1].partition(".")
        try:
            seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH
        except ValueError as error:
            raise _refused(place, f"{value}: {error}") from error
        return seconds // _US + int(fraction.ljust(6, "0"))
    if isinstance(value, str):
        raise _refused(place, f"a time like 2026-01-31T23:59:59.000001Z, not {_shown(value)}")
    return _in_calendar(_long(value, place), place)


def _base64(value: Any, place: str) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise _refused(place, f"not base64: {error}") from error
    raise _refused(place, f"base64 text is needed, not {_shown(value)}")


def _is_utf8(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _shown(value: Any) -> str:
    """The value, short and printable, for a message."""
    return type(value).__name__ if isinstance(value, (dict, list)) else ascii(value)[:60]


def _refused(place: str, message: str) -> RefusedRecord:
    return RefusedRecord(DeadLetterReason.UNDECODABLE, f"{place}: {message}")
