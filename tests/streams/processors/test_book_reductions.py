"""Portfolios: the whole book shrinks by one share, and what closing cannot help is taken over."""

from typing import Any

from schemas.units import E8
from streams.state.profiles import load_profile
from tests.streams.processors.test_reductions import SLICE, Desk, reduces
from tests.streams.state.exchange import NOW_US, deposit, fill, instrument, mark

Record = dict[str, Any]


class PortfolioDesk(Desk):
    """Alice is margined as a portfolio; both perpetuals are driven by the pair BTC-USDT."""

    def __init__(self, profile: str) -> None:
        super().__init__(profile=load_profile(profile))
        for name in ("BTC-PERP", "ETH-PERP"):
            more = {"underlying": "BTC-USDT", "tick_e8": E8 // 10, "lot_e8": E8 // 1000}
            self.send("instruments", instrument(name, "LINEAR_PERP", "BTC", "USDT", **more))
        self.send("accounts", {
            "event_time": NOW_US, "account_id": "alice", "mode": "PORTFOLIO",
            "risk_profile": profile, "status": "ACTIVE",
        })  # fmt: skip

    def at(self, price: int, times: int = 2, depth: float | None = None) -> list[Record]:
        """All three at one price, so many times; the records of `liquidations` that follow."""
        said = []
        depth_e8 = None if depth is None else round(depth * E8)
        for _ in range(times):
            self.tick_number += 1
            time_us = NOW_US + self.tick_number * 1_000_000
            for name in ("BTC-USDT", "BTC-PERP", "ETH-PERP"):
                tick = mark(self.tick_number, name, price, event_time=time_us)
                self.send("prices", tick | {"bid_depth_e8": depth_e8, "ask_depth_e8": depth_e8})
            self.cycle.decide()
            said += self.cycle.take_outputs()
        self.outputs += said
        return [dict(one.values) for one in said if one.topic == "liquidations"]

    def hedged(self, cash: int) -> None:
        """Long 4 of the one, short 1 of the other."""
        self.buy("alice", 4, cash)
        self.send("fills", fill(9, "alice", instrument_id="ETH-PERP", side="SELL"))


def test_every_position_shrinks_by_the_same_share_with_an_id_of_its_own() -> None:
    desk = PortfolioDesk("deribit-pm")
    desk.hedged(25_000)
    orders = reduces(desk.at(47_000))
    assert {one["instrument_id"]: one["side"] for one in orders} == {
        "BTC-PERP": "SELL",
        "ETH-PERP": "BUY",
    }
    sizes = {one["instrument_id"]: one["quantity_e8"] for one in orders}
    assert 0 < sizes["BTC-PERP"] < 4 * E8
    assert abs(sizes["BTC-PERP"] - 4 * sizes["ETH-PERP"]) <= 4 * E8 // 1000
    numbers = [int(one["liquidation_id"].rsplit("/", 1)[1]) for one in orders]
    assert numbers[1] == numbers[0] + 1
    for order in orders:
        desk.answer(order, price_e8=47_000 * E8)
    assert SLICE not in desk.balances(), "no price is that at which all of them are bankrupt"
    assert [one["action"] for one in desk.at(47_000, 1)] == ["COMPLETED"]


def test_a_book_that_waits_for_one_market_keeps_its_shape() -> None:
    desk = PortfolioDesk("deribit-pm")
    desk.hedged(25_000)
    sizes = {
        one["instrument_id"]: one["quantity_e8"] for one in reduces(desk.at(47_000, depth=0.4))
    }
    assert sizes["BTC-PERP"] == E8 // 10
    assert sizes["ETH-PERP"] == E8 // 40


def test_coins_that_nothing_could_close_are_taken_over() -> None:
    desk = PortfolioDesk("derive-pmrm2")
    desk.send("collateral", deposit(1, asset="BTC", amount_e8=E8))
    desk.send("collateral", deposit(2, kind="ADJUSTMENT", amount_e8=-46_000 * E8))
    said = desk.at(50_000)
    assert [one["action"] for one in said] == ["CANCEL_ORDERS", "TAKE_OVER"]
    assert (said[1]["instrument_id"], said[1]["quantity_e8"]) == (None, 0)
    legs = [dict(one.values) for one in desk.outputs if one.topic == "transfers"]
    desk.send("transfers", *legs)
    assert not [place for place in desk.balances() if place[0] == "alice"]


def test_what_hedges_coins_is_not_closed_beyond_the_hedge() -> None:
    desk = PortfolioDesk("derive-pmrm2")
    desk.send("collateral", deposit(1, asset="BTC", amount_e8=E8))
    desk.send("collateral", deposit(2, kind="ADJUSTMENT", amount_e8=-44_000 * E8))
    desk.send("fills", fill(9, "alice", side="SELL", quantity_e8=2 * E8))
    (order,) = reduces(desk.at(50_000))
    assert order["side"] == "BUY"
    assert 0 < order["quantity_e8"] <= E8
