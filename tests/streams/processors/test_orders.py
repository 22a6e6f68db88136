"""Open orders ask for initial margin, and for no more."""

from typing import Any

import pytest

from schemas.units import E8
from tests.streams.state.exchange import NOW_US, Bench, deposit, fill, mark


def order(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_time": NOW_US + number, "account_id": "alice", "order_id": f"o-{number}",
        "instrument_id": "BTC-PERP", "side": "BUY", "price_e8": 49_000 * E8, "remaining_e8": E8,
        "margin_mode": "CROSS", "reduce_only": False, **more,
    }  # fmt: skip


def margins(*orders: dict[str, Any]) -> tuple[int, int]:
    """Initial and maintenance margin of an account that is long 1 BTC at 50,000."""
    bench = Bench()
    bench.send("collateral", deposit(1))
    bench.send("fills", fill(2))
    if orders:
        bench.send("orders", *orders)
    bench.send("prices", mark(10))
    bench.cycle.decide()
    states = [o.values for o in bench.cycle.take_outputs() if o.topic == "margin-state"]
    bucket = next(s for s in states if s["account_id"] == "alice")["buckets"][0]
    return bucket["initial_margin_e8"], bucket["maintenance_margin_e8"]


def test_the_worse_of_all_bids_or_all_asks_counts() -> None:
    plain = margins()
    bids = margins(order(3), order(4, side="SELL"))
    assert bids == (margins(order(3))[0], plain[1])
    assert bids[0] > plain[0]
    assert margins(order(3, side="SELL")) == plain
    assert margins(order(3, side="SELL", remaining_e8=5 * E8))[0] > plain[0]


@pytest.mark.parametrize("more", [{"reduce_only": True}, {"instrument_id": "BTC-USDT"}])
def test_what_opens_nothing_asks_for_nothing(more: dict[str, Any]) -> None:
    assert margins(order(3, **more)) == margins()


def test_an_order_that_nobody_could_pay_for_stops_no_worker() -> None:
    assert margins(order(3, remaining_e8=9_000_000_000 * E8))[0] > 1_000_000 * E8
