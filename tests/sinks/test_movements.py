"""What moved an account's cash, and whether transfers sum to zero, of a few rows by hand."""

from typing import Any

import pytest

from sinks.store import Store
from tests.sinks.rows_by_hand import at, fill, put

pytestmark = pytest.mark.embedded
MOVED_SQL = """
SELECT bucket, what, toString(amount) AS moved FROM cash_movements(penalty_ppm = 5000)
WHERE account_id = 'a' AND amount != 0 ORDER BY event_time, bucket, what
"""
Leg = dict[str, Any]


@pytest.fixture
def listed(store: Store) -> Store:
    for name, kind, asset in (
        ("BTC-PERP", "LINEAR_PERP", "USDT"), ("BTC-USD-INV", "INVERSE_PERP", "BTC"),
        ("BTC-USDT", "SPOT", "USDT"),
    ):  # fmt: skip
        put(store, "instruments", event_time=at(0), instrument_id=name, kind=kind, multiplier=1,
            base="BTC", settlement_asset=asset)  # fmt: skip
    return store


def moved(store: Store) -> list[tuple[str, str, str]]:
    return [(row["bucket"], row["what"], row["moved"]) for row in store.query(MOVED_SQL)]


def test_profit_is_told_when_a_position_ends_and_rounded_as_in_the_book(listed: Store) -> None:
    inverse = {"instrument_id": "BTC-USD-INV", "quantity": 1}
    fill(listed, 1, "a", "BUY", price=30_000, **inverse)  # -0.00003333(3), so 3333 units
    fill(listed, 2, "a", "SELL", price=60_000, **inverse)  # 0.00001666(6), so 1667 units
    fill(listed, 3, "a", "BUY", price=100, quantity=2, fee="0.5", fee_asset="USDT")
    fill(listed, 4, "a", "SELL", price=90)
    assert moved(listed) == [("cross", "REALISED", "0.00001666"), ("cross", "FEE", "-0.5")]
    fill(listed, 5, "a", "SELL", price=120)
    assert moved(listed)[2:] == [("cross", "REALISED", "10")]


def test_funding_is_of_what_was_held_at_its_time_and_ties_go_to_even(listed: Store) -> None:
    fill(listed, 1, "a", "SELL", quantity="0.00000001", price=100)
    due = {"instrument_id": "BTC-PERP", "kind": "FUNDING", "rate": 0.025}
    put(listed, "funding", event_time=at(1), mark=100, **due)  # 2.5 units
    put(listed, "funding", event_time=at(2), mark=140, **due)  # 3.5 units
    fill(listed, 3, "a", "BUY", quantity="0.00000001", price=100)
    put(listed, "funding", event_time=at(4), mark=140, **due)
    assert moved(listed) == [("cross", "FUNDING", "0.00000002"), ("cross", "FUNDING", "0.00000004")]


def test_a_settlement_ends_positions_and_whatever_comes_behind_it(listed: Store) -> None:
    fill(listed, 1, "a", "BUY", price=100, quantity=3)
    put(listed, "funding", event_time=at(2), instrument_id="BTC-PERP", kind="SETTLEMENT", mark=110)
    assert moved(listed) == [("cross", "REALISED", "30")]
    put(listed, "transfers", event_time=at(3), account_id="a", transfer_id="x", bucket="cross",
        kind="TAKEOVER", instrument_id="BTC-PERP", quantity=2, cost=210)  # fmt: skip
    put(listed, "funding", event_time=at(4), instrument_id="BTC-PERP", kind="FUNDING", mark=110,
        rate=0.1)  # fmt: skip
    assert moved(listed) == [("cross", "REALISED", "30"), ("cross", "REALISED", "10")]


def test_collateral_moves_between_buckets_and_a_pair_moves_two_balances(listed: Store) -> None:
    paid = {"event_time": at(1), "account_id": "a", "asset": "USDT"}
    put(listed, "collateral", **paid, amount=50, kind="DEPOSIT")
    put(listed, "collateral", **paid, amount=20, kind="TRANSFER", isolated_instrument_id="BTC-PERP")
    fill(listed, 2, "a", "BUY", margin_mode="ISOLATED", isolated_margin=7)
    fill(listed, 3, "a", "SELL", instrument_id="BTC-USDT", quantity="0.1", price=99)
    assert moved(listed) == [
        ("BTC-PERP", "TRANSFER", "20"), ("cross", "DEPOSIT", "50"), ("cross", "TRANSFER", "-20"),
        ("BTC-PERP", "MARGIN", "7"), ("cross", "MARGIN", "-7"),
        *sorted([("cross", "TRADE", "-0.1"), ("cross", "TRADE", "9.9")]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("second", "price", "penalty"),
    [(4, 100, "-0.5"), (4, "99.8", "-0.3"), (4, 99, None), (6, 100, None)],
    ids=["the fee", "what is above bankruptcy", "nothing is above it", "the order is over"],
)
def test_a_fill_of_an_open_liquidation_order_pays_a_penalty(
    listed: Store, second: float, price: Any, penalty: str | None
) -> None:
    for number, action in ((3, "REDUCE"), (6, "COMPLETED")):
        put(listed, "liquidations", event_time=at(number), account_id="a", bucket="cross",
            action=action, step=number, liquidation_id=f"a/cross/1/{number}",
            bankruptcy_price="99.5")  # fmt: skip
    fill(listed, second, "a", "SELL", price=price, liquidation_id="a/cross/1/3")
    fill(listed, second, "mm", "BUY", price=price, liquidation_id="a/cross/1/3")
    assert moved(listed) == ([("cross", "PENALTY", penalty)] if penalty else [])


def test_what_was_refused_or_turned_away_moves_nothing(listed: Store) -> None:
    for offset in (7, 8):
        put(listed, "collateral", event_time=at(1), account_id="a", asset="USDT", amount=5,
            kind="DEPOSIT", _partition=2, _offset=offset)  # fmt: skip
    put(listed, "dead_letters", event_time=at(1), topic="collateral", partition=2, offset=8)
    put(listed, "dead_letters", event_time=at(1), topic="fills", partition=2, offset=7)
    fill(listed, 1, "a", "SELL", price=10)
    for name in ("taken", "refused"):
        put(listed, "transfers", event_time=at(2), account_id="a", transfer_id=name, bucket="cross",
            kind="DELEVERAGE", instrument_id="BTC-PERP", quantity=1, cost=4)  # fmt: skip
    put(listed, "transfers", event_time=at(3), account_id="@insurance:USDT", kind="RETURN",
        transfer_id="refused/return", instrument_id="BTC-PERP", quantity=1, cost=4)  # fmt: skip
    assert moved(listed) == [("cross", "DEPOSIT", "5"), ("cross", "REALISED", "6")]


def legs(store: Store, *told: Leg) -> tuple[int, int]:
    """Sums and how many are not zero, with these legs of a transfer added to those there are."""
    for one in told:
        put(store, "transfers", event_time=at(1), transfer_id="x", **{"asset": "USDT"} | one)
    row = store.query("SELECT sums, not_zero FROM transfer_sums")[0]
    return row["sums"], row["not_zero"]


def test_transfers_sum_to_zero_by_asset_and_instrument(store: Store) -> None:
    assert legs(store) == (0, 0)
    assert legs(store, {"leg": 0, "amount": 5}) == (1, 1)
    assert legs(store, {"leg": 1, "amount": -5}) == (1, 0)
    assert legs(store, {"leg": 2, "asset": "BTC", "amount": 3}) == (2, 1)
    assert legs(store, {"leg": 3, "asset": "BTC", "amount": -3}) == (2, 0)
    held = {"asset": None, "instrument_id": "BTC-PERP", "quantity": 1}
    assert legs(store, {"leg": 4, **held}, {"leg": 5, **held, "quantity": -1}) == (3, 0)


def test_a_leg_that_was_delivered_twice_counts_once(store: Store) -> None:
    one, other = {"leg": 0, "amount": 5}, {"leg": 64, "amount": -5}
    assert legs(store, one, other) == (1, 0)
    assert legs(store, one) == (1, 0)
    assert legs(store, {**one, "amount": "-0.5"}) == (1, 1)
    third = {"leg": 2, "amount": "0.5"}
    assert legs(store, third) == (1, 0)
    assert legs(store, third, {"leg": 3, "amount": "-0.5"}) == (1, 1)
