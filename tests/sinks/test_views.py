"""The views say what plain Python says of the same few rows."""

import math
from decimal import Decimal
from typing import Any

import pytest
from scipy.stats import chi2

from sinks.store import Store
from tests.sinks.rows_by_hand import at, fill, put

pytestmark = pytest.mark.embedded


def positions(store: Store, second: float) -> list[tuple[str, str, Decimal]]:
    rows = store.query(
        f"""SELECT account_id, bucket, quantity FROM positions_at(at = {at(second)})
        ORDER BY account_id, bucket"""
    )
    return [(row["account_id"], row["bucket"], row["quantity"]) for row in rows]


def test_positions_follow_fills_transfers_and_settlements(store: Store) -> None:
    fill(store, 1, "a", "BUY", quantity=3)
    fill(store, 2, "a", "SELL", quantity=1)
    fill(store, 2, "a", "BUY", quantity="0.5", margin_mode="ISOLATED")
    fill(store, 2, "b", "SELL", quantity=2)
    leg = {"event_time": at(3), "transfer_id": "x", "instrument_id": "BTC-PERP", "bucket": "cross"}
    put(store, "transfers", **leg, account_id="a", quantity=-2)
    put(store, "transfers", **leg, account_id="@insurance:USDT", quantity=2)
    put(store, "funding", event_time=at(10), instrument_id="BTC-PERP", kind="SETTLEMENT")
    fill(store, 11, "b", "BUY", quantity=4)
    assert positions(store, 0.5) == []
    assert positions(store, 2) == [
        ("a", "BTC-PERP", Decimal("0.5")), ("a", "cross", Decimal(2)), ("b", "cross", Decimal(-2)),
    ]  # fmt: skip
    assert positions(store, 3) == [
        ("@insurance:USDT", "cross", Decimal(2)), ("a", "BTC-PERP", Decimal("0.5")),
        ("b", "cross", Decimal(-2)),
    ]  # fmt: skip
    assert positions(store, 10) == []
    assert positions(store, 11) == [("b", "cross", Decimal(4))]


def state(store: Store, second: float, account: str, offset: int, **buckets: list[Any]) -> None:
    n = len(buckets["equity"])
    put(
        store, "margin_state", event_time=at(second), account_id=account, _offset=offset,
        buckets__bucket=["cross", "BTC-PERP"][:n], buckets__stage=buckets["stage"],
        buckets__equity=buckets["equity"], buckets__initial_margin=[2] * n,
        buckets__maintenance_margin=[1] * n, buckets__health=buckets["equity"],
        buckets__guard=["LIVE"] * n, buckets__episode=[0] * n, buckets__initial_equity=[0] * n,
        buckets__worst_scenario=["x"] * n,
    )  # fmt: skip


def test_the_state_at_a_time_is_the_last_until_then(store: Store) -> None:
    state(store, 1, "a", 1, equity=[5], stage=["HEALTHY"])
    state(store, 2, "a", 2, equity=[4], stage=["WARNED"])
    state(store, 2, "a", 3, equity=[3, 7], stage=["CALLED", "HEALTHY"])
    state(store, 9, "b", 4, equity=[8], stage=["HEALTHY"])
    sql = "SELECT account_id, bucket, stage, equity FROM states_at(at = {}) ORDER BY 1, 4"

    def states(second: float) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in store.query(sql.format(at(second)))]

    assert states(0) == []
    assert states(1.5) == [("a", "cross", "HEALTHY", 5)]
    assert states(5) == [("a", "cross", "CALLED", 3), ("a", "BTC-PERP", "HEALTHY", 7)]
    assert len(states(9)) == 3
    curve = store.query(
        "SELECT equity, worst_health FROM equity_curve(account = 'a') ORDER BY event_time, equity"
    )
    assert [(row["equity"], row["worst_health"]) for row in curve] == [(5, 5), (4, 4), (10, 3)]


def test_each_episode_has_one_outcome(store: Store) -> None:
    def said(second: float, account: str, level: str) -> None:
        put(store, "margin_calls", event_time=at(second), account_id=account, level=level,
            bucket="cross", episode=1, top_up=7)  # fmt: skip

    def done(second: float, account: str, action: str) -> None:
        put(store, "liquidations", event_time=at(second), account_id=account, action=action,
            bucket="cross", episode=1)  # fmt: skip

    for number, account in enumerate(("cured", "reduced", "taken", "open", "late")):
        said(number, account, "WARNING")
        said(number + 1, account, "CALL")
    said(11, "cured", "CURED")
    done(3.5, "reduced", "REDUCE")
    said(20, "reduced", "CURED")
    done(4, "taken", "REDUCE")
    done(5, "taken", "TAKE_OVER")
    said(50, "late", "ESCALATED")
    rows = store.query("SELECT account_id, outcome, orders, answered_s, top_up FROM call_outcomes")
    told = {row["account_id"]: (row["outcome"], row["orders"], row["answered_s"]) for row in rows}
    assert told == {
        "cured": ("CURED", 0, 10.0), "reduced": ("LIQUIDATED", 1, 1.5),
        "taken": ("TAKEN_OVER", 1, 1.0), "open": ("CALLED", 0, None),
        "late": ("ESCALATED", 0, None),
    }  # fmt: skip
    assert {row["top_up"] for row in rows} == {7}


@pytest.mark.parametrize(("kind", "cost"), [("LINEAR_PERP", 2 * 10 * 4), ("INVERSE_PERP", 1 / 120)])
def test_an_orders_cost_is_against_the_mark_it_was_decided_on(
    store: Store, kind: str, cost: float
) -> None:
    put(store, "instruments", instrument_id="BTC-PERP", kind=kind, multiplier=10)
    for number in (1, 2):
        put(
            store, "liquidations", event_time=at(1), account_id="a", action="REDUCE", side="SELL",
            liquidation_id=f"a/cross/1/{number}", instrument_id="BTC-PERP", quantity=5, equity=3,
            maintenance_margin=4, marks__instrument_id=["ETH-PERP", "BTC-PERP"],
            marks__mark=[9, 100], marks__guard=["LIVE", "LIVE"],
        )  # fmt: skip
    for price, quantity in ((95, 1), (97, 1)):
        fill(store, 2, "a", "SELL", price=price, quantity=quantity, liquidation_id="a/cross/1/1")
        fill(store, 2, "mm", "BUY", price=price, quantity=quantity, liquidation_id="a/cross/1/1")
    rows = store.query("SELECT * FROM liquidation_orders ORDER BY liquidation_id")
    first, second = rows
    assert (first["asked"], first["filled"], first["fill_price"], first["mark"]) == (5, 2, 96, 100)
    assert first["reason"] == "equity 3 below maintenance margin 4"
    expected = cost if kind == "LINEAR_PERP" else 2 * 10 * (1 / 96 - 1 / 100)
    assert math.isclose(first["slippage"], expected)
    assert (second["filled"], second["fill_price"], second["slippage"]) == (0, None, None)


def test_bars_hold_the_first_highest_lowest_and_last_mark(store: Store) -> None:
    for sequence, (second, price) in enumerate([(0, 5), (1, 9), (1, 4), (1, 6), (10, 7)]):
        put(
            store, "prices", event_time=at(second), instrument_id="X", sequence=sequence, mark=price
        )
    rows = store.query("SELECT * FROM price_bars(seconds = 10) ORDER BY start")
    bars = [(r["open"], r["high"], r["low"], r["close"], r["ticks"]) for r in rows]
    assert bars == [(5, 9, 4, 6, 4), (7, 7, 7, 7, 1)]


def rising_and_falling(store: Store, moves: list[float], rate_ppm: int) -> None:
    """One mark a minute; a rate in force from the start."""
    put(
        store, "risk_params", effective_at=at(-60), subject="X", margin_scalar_ppm=1_000_000,
        tiers__floor=[0, 1000], tiers__initial_ppm=[rate_ppm, 500_000],
        tiers__maintenance_ppm=[1, 1],
    )  # fmt: skip
    price = 100.0
    for minute, move in enumerate([0.0, *moves]):
        price *= 1 + move
        put(store, "prices", event_time=at(60 * minute), instrument_id="X", sequence=minute,
            mark=f"{price:.8f}")  # fmt: skip


def kupiec(n: int, x: int, p: float) -> float:
    """Kupiec (1995): the likelihood ratio of x failures of n where a part p is expected."""

    def likelihood(part: float) -> float:
        return x * math.log(part) + (n - x) * math.log(1 - part) if 0 < part < 1 else 0.0

    return -2 * (likelihood(p) - likelihood(x / n))


def test_coverage_and_its_test_are_kupiecs(store: Store) -> None:
    rising_and_falling(
        store, [-0.03, 0.01, -0.06, 0.02, 0.07, -0.01, 0.0, 0.01, -0.02, 0.05], 40_000
    )
    sql = "SELECT * FROM margin_coverage(horizon_s = 60, expected = 0.05) ORDER BY side"
    long, short = store.query(sql)
    for row, exceedances in ((long, 1), (short, 2)):
        assert (row["horizons"], row["exceedances"]) == (10, exceedances)
        assert math.isclose(row["coverage"], 1 - exceedances / 10)
        expected = kupiec(10, exceedances, 0.05)
        assert math.isclose(row["kupiec"], expected, rel_tol=1e-9)
        assert math.isclose(row["p_value"], chi2.sf(expected, 1), rel_tol=1e-9)
    assert math.isclose(long["worst_move"], 0.06, rel_tol=1e-6)


def test_the_rate_in_force_judges_a_move(store: Store) -> None:
    rising_and_falling(store, [-0.03, -0.03, -0.03], 40_000)
    put(
        store, "risk_params", effective_at=at(120), subject="X", margin_scalar_ppm=500_000,
        fee_ppm=5_000, tiers__floor=[0], tiers__initial_ppm=[40_000], tiers__maintenance_ppm=[1],
    )  # fmt: skip
    sql = "SELECT * FROM margin_coverage(horizon_s = 60, expected = 0.01) WHERE side = 'LONG'"
    assert store.query(sql)[0]["exceedances"] == 2


@pytest.mark.parametrize(("moves", "n", "x"), [([0.0] * 5, 5, 0), ([-0.5] * 3, 3, 3)])
def test_none_and_all_exceeded_have_a_test_too(
    store: Store, moves: list[float], n: int, x: int
) -> None:
    rising_and_falling(store, moves, 40_000)
    sql = "SELECT * FROM margin_coverage(horizon_s = 60, expected = 0.01) WHERE side = 'LONG'"
    row = store.query(sql)[0]
    assert (row["horizons"], row["exceedances"]) == (n, x)
    assert math.isclose(row["kupiec"], kupiec(n, x, 0.01), rel_tol=1e-9)


def test_the_lowest_balance_is_the_lowest_so_far(store: Store) -> None:
    for second, balance in enumerate((5, 2, 9, -1, 3)):
        put(store, "insurance_fund", event_time=at(second), asset="USDT", balance=balance)
    rows = store.query("SELECT lowest FROM insurance_balance ORDER BY event_time")
    assert [int(row["lowest"]) for row in rows] == [5, 2, 2, -1, -1]


@pytest.fixture
def auction(store: Store) -> dict[str, Any]:
    row = {"account_id": "@insurance:USDT", "auction_id": "i/1", "instrument_id": "X",
           "quantity": 10, "opening_price": 100, "floor_price": 90}  # fmt: skip
    put(store, "auctions", event_time=at(0), event="OPENED", **row)
    for bidder, price, award in (("a", 99, 4), ("b", 96, 2)):
        put(store, "auctions", event_time=at(1), event="AWARDED", bidder=bidder, price=price,
            award=award, **row)  # fmt: skip
    put(store, "auctions", event_time=at(5), event="CLOSED", **row)
    return store.query("SELECT * FROM auction_results")[0]


def test_an_auction_tells_what_it_sold(auction: dict[str, Any]) -> None:
    assert (auction["offered"], auction["sold"], auction["winners"]) == (10, 6, 2)
    assert (auction["mean_price"], auction["floor_price"]) == (98, 90)
    assert (auction["closed_at"] - auction["opened_at"]).total_seconds() == 5


def test_lag_counts_blocks_that_are_on_the_way(store: Store) -> None:
    block = {"topic": "fills", "topic_id": "t", "partition": 3, "crc": 1}
    for first, last, states in ((0, 9, ("PENDING", "STORED")), (10, 14, ("PENDING",))):
        for state_ in states:
            put(store, "ingest_blocks", first_offset=first, last_offset=last, state=state_,
                rows=last - first + 1, **block)  # fmt: skip
    row = store.query("SELECT * FROM sink_lag")[0]
    assert (row["stored_to"], row["on_the_way"], row["records"]) == (10, 1, 15)
    assert row["quiet_s"] >= 0


def test_an_accounts_story_is_all_that_was_said_and_done(store: Store) -> None:
    put(store, "margin_calls", event_time=at(2), account_id="a", level="CALL", top_up=5)
    put(store, "liquidations", event_time=at(3), account_id="a", action="REDUCE", quantity=1)
    fill(store, 1, "a", "BUY")
    put(store, "collateral", event_time=at(0), account_id="a", kind="DEPOSIT", amount=9)
    put(store, "transfers", event_time=at(4), account_id="a", kind="TAKEOVER", quantity=-1)
    fill(store, 1, "b", "SELL")
    rows = store.query("SELECT what FROM account_story(account = 'a') ORDER BY event_time")
    assert [row["what"] for row in rows] == ["DEPOSIT", "BUY", "CALL", "REDUCE", "TAKEOVER"]
