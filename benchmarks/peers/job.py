"""The job that all contenders in Python do with one fill: decode, check, book, pack."""

from io import BytesIO
from struct import Struct
from typing import Any

import fastavro

from schemas.registry import record_schema
from schemas.wire import HEADER_BYTES

E8 = 10**8
Held = list[int]
"""Signed quantity e8, cost e8, cash e8 of an account in an instrument."""

FLAT = (0, 0, 0)
PACKED = Struct(">qqq")
"""A value of those changelogs whose format is ours to choose."""

_SCHEMA = record_schema("fill").parsed


def decoded(key: bytes, value: bytes, instruments: frozenset[str]) -> dict[str, Any]:
    """The fill in a framed value; ValueError where it could not be booked."""
    fill: Any = fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), _SCHEMA, None)
    if key != fill["account_id"].encode() or fill["instrument_id"] not in instruments:
        raise ValueError(f"{fill['fill_id']}: wrong key or instrument")
    if fill["price_e8"] <= 0 or fill["quantity_e8"] <= 0:
        raise ValueError(f"{fill['fill_id']}: price and quantity must be positive")
    return fill  # type: ignore[no-any-return]


def place_of(fill: dict[str, Any]) -> str:
    return f"{fill['account_id']} {fill['instrument_id']}"


def booked(held: Any, fill: dict[str, Any]) -> Held:
    """What is held after the fill: a position that comes to zero realises its cost."""
    quantity, cost, cash = held
    signed = fill["quantity_e8"] if fill["side"] == "BUY" else -fill["quantity_e8"]
    quantity += signed
    cost += signed * fill["price_e8"] // E8
    cash -= fill["fee_e8"]
    if quantity == 0:
        cash, cost = cash - cost, 0
    return [quantity, cost, cash]
