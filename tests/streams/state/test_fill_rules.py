"""Fills are judged as one rule after the other would judge them, and valued exactly."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block import Block
from schemas.record_codec import encode
from schemas.units import E8, LIMIT_E8
from streams.state.fill_rules import judge
from streams.state.flat_rows import read_flat
from streams.state.ledger import Ledger, WrongPartitionerError, partition_of
from streams.state.rules import Rules
from tests.reference.fill_rules import broken, worth_e8
from tests.streams.state.exchange import ASSETS, INSTRUMENTS, NOW_US, asset, fill

CONTRACTS = {one["instrument_id"]: one for one in INSTRUMENTS}
NAMED = {one[field] for one in INSTRUMENTS for field in ("base", "quote", "settlement_asset")}
AMOUNTS = st.one_of(
    st.sampled_from([0, -1, 1, LIMIT_E8, LIMIT_E8 + 1, -LIMIT_E8, -LIMIT_E8 - 1, -(2**63), 2**62]),
    st.integers(-LIMIT_E8, LIMIT_E8),
)
PRICES = st.one_of(st.integers(1, 10**7).map(lambda ticks: ticks * E8 // 10), AMOUNTS)
QUANTITIES = st.one_of(st.integers(1, 10**9).map(lambda lots: lots * E8), AMOUNTS)
TEXTS = st.sampled_from(["", "alice", "konto-ü", "a" * 200])
FILLS = st.fixed_dictionaries(
    {},
    optional={
        "account_id": TEXTS,
        "fill_id": TEXTS,
        "event_time": st.sampled_from([NOW_US, NOW_US + 1, 0, 946_684_800_000_000, 2**62]),
        "instrument_id": st.sampled_from([*CONTRACTS, "", "NEW-PERP"]),
        "fee_asset": st.sampled_from(["USDT", "USD", "", "XYZ"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "price_e8": PRICES,
        "quantity_e8": QUANTITIES,
        "fee_e8": AMOUNTS,
        "isolated_margin_e8": AMOUNTS,
    },
)


def block_of(fills: list[dict[str, Any]], keys: list[bytes | None]) -> Block:
    n, values = len(fills), [encode("fill", one) for one in fills]
    return Block("fills", 0, np.arange(n), keys, values, np.zeros(n, np.int64))


def ledger_of(partitions: int = 1) -> Ledger:
    rules = Rules()
    for one in INSTRUMENTS:
        rules.take_instrument(one)
    for name, priced_by, tiers in ASSETS:
        rules.take_asset(asset(name, priced_by, tiers))
    return Ledger(rules, partitions)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(FILLS, min_size=1, max_size=6),
    st.dictionaries(st.integers(0, 5), st.sampled_from([None, b"", b"bob", b"alic"]), max_size=2),
)
def test_fills_are_judged_rule_by_rule(
    drawn: list[dict[str, Any]], wrong_keys: dict[int, bytes | None]
) -> None:
    fills = [fill(number) | one for number, one in enumerate(drawn)]
    keys: list[bytes | None] = [one["account_id"].encode() for one in fills]
    for row, key in wrong_keys.items():
        keys[row % len(keys)] = key
    block = block_of(fills, keys)
    judged, admission = judge(ledger_of(), block, read_flat(block, "fill").columns)
    expected, seen = dict[int, str](), set[str]()
    for row, (one, key) in enumerate(zip(fills, keys, strict=True)):
        reason = broken(one, key, CONTRACTS, NAMED)
        if reason is None and one["fill_id"] in seen:
            reason = "DUPLICATE_ID"
        elif reason is None:
            seen.add(one["fill_id"])
            worth = worth_e8(one, CONTRACTS[one["instrument_id"]])
            reason = "AMOUNT_OUT_OF_RANGE" if max(map(abs, worth[1:])) > LIMIT_E8 else None
            if reason is None:
                found = judged.signed_e8, judged.value_e8, judged.base_e8
                assert tuple(int(column[row]) for column in found) == worth
        if reason:
            expected[row] = reason
    assert {one.row: str(one.reason) for one in admission.refused} == expected
    assert admission.ok.tolist() == [row not in expected for row in range(len(fills))]


def test_an_account_of_another_partition_is_refused_and_many_end_the_worker() -> None:
    names = [name for name in map(str, range(200)) if partition_of(name, 2) == 0][:30]
    strangers = [name for name in map(str, range(200)) if partition_of(name, 2) == 1][:61]
    some = block_of(
        [fill(n, name) for n, name in enumerate([*names, strangers[0]])],
        [name.encode() for name in [*names, strangers[0]]],
    )
    _, admission = judge(ledger_of(2), some, read_flat(some, "fill").columns)
    assert [(one.row, str(one.reason)) for one in admission.refused] == [(30, "WRONG_KEY")]
    assert f"{strangers[0]!r} belongs on partition 1" in admission.refused[0].message
    many = [*names, *strangers]
    block = block_of([fill(n, name) for n, name in enumerate(many)], [n.encode() for n in many])
    with pytest.raises(WrongPartitionerError, match="61 of 91 accounts"):
        judge(ledger_of(2), block, read_flat(block, "fill").columns)
