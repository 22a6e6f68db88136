"""The rules that a fill must keep, one after the other, and what it is worth."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.reference.ledger import rounded, value_e8

E8 = 10**8
MOST_E8 = 10**18 - 1
YEAR_2000_US, YEAR_2100_US = 946_684_800_000_000, 4_102_444_800_000_000
Record = Mapping[str, Any]


def broken(
    fill: Record, key: bytes | None, contracts: Mapping[str, Record], assets: set[str]
) -> str | None:
    """The reason of the first rule that a fill breaks; None where it keeps all of them."""
    rules = _rules(fill, key, contracts, assets)
    return next((reason for reason, breaks in rules if breaks), None)


def _rules(
    fill: Record, key: bytes | None, contracts: Mapping[str, Record], assets: set[str]
) -> Iterator[tuple[str, bool]]:
    """Each rule's reason, and whether it is broken."""
    texts = (fill[name] for name in ("account_id", "fill_id", "instrument_id", "fee_asset"))
    price, quantity, time_us = fill["price_e8"], fill["quantity_e8"], fill["event_time"]
    amounts = price, quantity, fill["fee_e8"], fill["isolated_margin_e8"]
    yield "MISSING_FIELD", not all(texts)
    yield "WRONG_KEY", key != fill["account_id"].encode()
    yield "TIME_OUT_OF_RANGE", not YEAR_2000_US <= time_us < YEAR_2100_US
    yield "UNKNOWN_INSTRUMENT", fill["instrument_id"] not in contracts
    yield "UNKNOWN_ASSET", fill["fee_asset"] not in assets
    contract = contracts[fill["instrument_id"]]
    settled = contract["status"] == "SETTLED"
    yield "SETTLED_INSTRUMENT", settled and time_us > contract["event_time"]
    yield "NON_POSITIVE_PRICE", price <= 0
    yield "NON_POSITIVE_QUANTITY", quantity <= 0
    yield "AMOUNT_OUT_OF_RANGE", any(abs(amount) > MOST_E8 for amount in amounts)
    yield "OFF_TICK_PRICE", price % contract["tick_e8"] != 0
    yield "OFF_LOT_QUANTITY", quantity % contract["lot_e8"] != 0


def worth_e8(fill: Record, contract: Record) -> tuple[int, int, int]:
    """Signed quantity, value, and quantity x multiplier."""
    signed = fill["quantity_e8"] * (1 if fill["side"] == "BUY" else -1)
    inverse, multiplier = contract["kind"].startswith("INVERSE"), contract["multiplier_e8"]
    value = value_e8(inverse, multiplier, signed, fill["price_e8"])
    return signed, value, rounded(signed * multiplier, E8)
