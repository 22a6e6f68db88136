"""What users of other systems complain of does not happen here: the promises of a page of ours."""

from typing import Any

import pytest

from schemas.units import E8
from streams.processors.outputs import Output
from tests.streams.state.exchange import (
    NOW_US,
    Bench,
    Record,
    asset,
    deposit,
    fill,
    funding,
    instrument,
    mark,
    risk_params,
)

SECOND_US = 1_000_000


class Story(Bench):
    """Prices a second apart, one decision each; every output is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.second = 0
        self.outputs: list[Output] = []

    def tick(self, price_e8: int, name: str = "BTC-PERP", **more: Any) -> None:
        self.second += 1
        told = {"mark_e8": price_e8, "index_e8": price_e8}
        told |= {"event_time": NOW_US + self.second * SECOND_US, **more}
        self.send("prices", mark(self.second, name, **told))
        self.cycle.decide()
        self.outputs += self.cycle.take_outputs()

    def said(self, account: str = "alice") -> list[str]:
        """Calls and liquidation orders of an account, in order."""
        return [
            one.values.get("level") or one.values["action"]
            for one in self.outputs
            if one.topic in ("margin-calls", "liquidations") and one.key == account
        ]

    def state(self, account: str = "alice") -> Record:
        """Its cross pool, as last published."""
        states = [o.values for o in self.outputs if o.topic == "margin-state" and o.key == account]
        pool: Record = states[-1]["buckets"][0]
        return pool


def leveraged(deposit_e8: int = 10_000 * E8, **more: Any) -> Story:
    """Alice is long 2 at 50,000 unless told otherwise."""
    story = Story()
    story.send("collateral", deposit(1, amount_e8=deposit_e8))
    story.send("fills", fill(1, **{"quantity_e8": 2 * E8, **more}))
    return story


@pytest.mark.parametrize("price_e8", [712, 7_120, 50_000 * E8])
def test_a_very_cheap_coin_is_liquidated_after_the_same_fall_as_a_dear_one(price_e8: int) -> None:
    story = Story()
    fine = {"tick_e8": 1, "lot_e8": 1}
    story.send("instruments", instrument("MEME-PERP", "LINEAR_PERP", "MEME", "USDT", **fine))
    story.send("risk-params", risk_params("MEME-PERP"))
    quantity_e8 = 9_000 * E8 * E8 // price_e8
    story.send("collateral", deposit(1, amount_e8=900 * E8))
    position = {"instrument_id": "MEME-PERP", "price_e8": price_e8, "quantity_e8": quantity_e8}
    story.send("fills", fill(1, **position))
    for fall in (0, 9, 9, 9):  # E = 90 and MM = 0.5% of 8,190: 41
        story.tick(price_e8 * (100 - fall) // 100, "MEME-PERP")
    assert "REDUCE" not in story.said()
    for _ in range(2):  # E = 36 or less
        story.tick(price_e8 * 904 // 1_000, "MEME-PERP")
    assert story.said()[-2:] == ["CANCEL_ORDERS", "REDUCE"]


def test_a_slow_fall_is_warned_and_called_before_anything_is_sold() -> None:
    story = leveraged()
    for price in range(50_000, 45_000, -50):
        story.tick(price * E8)
        if "REDUCE" in story.said():
            break
    assert story.said() == ["WARNING", "CALL", "CANCEL_ORDERS", "REDUCE"]
    warning = next(one.values for one in story.outputs if one.topic == "margin-calls")
    assert warning["top_up_e8"] > 0, "with what would make it good"


def test_a_trade_far_from_the_mark_liquidates_nobody_else() -> None:
    story = leveraged()
    story.tick(50_000 * E8)
    for number, (name, side) in enumerate([("bob", "BUY"), ("carol", "SELL")], 10):
        story.send("collateral", deposit(number, name))
        story.send(
            "fills", fill(number, name, side=side, price_e8=30_000 * E8, quantity_e8=E8 // 9)
        )
    for _ in range(3):
        story.tick(50_000 * E8)
    assert story.said() == []
    assert story.state()["equity_e8"] == 10_000 * E8


def test_equity_on_the_maintenance_margin_is_kept_and_one_unit_less_is_not() -> None:
    """2 at 45,500: MM is 1% of 91,000 less 250, E is what was paid in less 9,000."""
    for missing_e8, sold in ((0, False), (1, True)):
        story = leveraged(9_660 * E8 - missing_e8)
        for _ in range(4):
            story.tick(45_500 * E8)
        assert story.state()["maintenance_margin_e8"] == 660 * E8
        assert ("REDUCE" in story.said()) is sold


def test_whoever_is_under_water_is_taken_over_in_the_decision_that_confirms_it() -> None:
    story = leveraged()
    story.send("collateral", *(deposit(n, f"other-{n}") for n in range(2, 30)))
    story.send("fills", *(fill(n, f"other-{n}", quantity_e8=2 * E8) for n in range(2, 30)))
    for _ in range(2):
        story.tick(44_000 * E8)
    for name in ("alice", *(f"other-{n}" for n in range(2, 30))):
        assert story.said(name)[-1] == "TAKE_OVER", name


@pytest.mark.parametrize("by", ["withdrawal", "fee", "funding", "collateral"])
def test_time_never_moves_on_without_a_look_at_who_changed(by: str) -> None:
    """The clock is moved by a price that alice does not hold; her own mark stays where it is."""
    story = leveraged(15_000 * E8)
    story.send("assets", asset("BTC", "BTC-USDT", []))
    if by == "collateral":
        story.send("collateral", deposit(2, asset="BTC", amount_e8=E8 // 2))
        story.send("collateral", deposit(3, kind="WITHDRAWAL", amount_e8=-14_999 * E8))
    story.tick(50_000 * E8, "BTC-USDT")
    story.tick(50_000 * E8)
    assert story.said() == []
    if by == "withdrawal":
        story.send("collateral", deposit(4, kind="WITHDRAWAL", amount_e8=-14_500 * E8))
    elif by == "fee":
        story.send("fills", fill(4, quantity_e8=E8 // 1_000, fee_e8=14_500 * E8))
    elif by == "funding":
        at_us = NOW_US + story.second * SECOND_US + 1
        story.send("funding", funding(4, rate=0.12, event_time=at_us))
    name, price = ("BTC-USDT", 1_000) if by == "collateral" else ("ETH-PERP", 2_500)
    story.tick(price * E8, name)
    assert story.said(), "called at the first decision after it"


def test_dust_under_its_margin_is_closed_whole() -> None:
    """0.001 at 50,000, far below the smallest order: it goes as a whole and does not linger."""
    story = leveraged(3 * E8, quantity_e8=E8 // 1_000)
    for _ in range(2):
        story.tick(47_200 * E8)
    order = next(one.values for one in story.outputs if one.values.get("action") == "REDUCE")
    assert order["quantity_e8"] == E8 // 1_000
    sold = {"side": "SELL", "price_e8": order["limit_price_e8"], "quantity_e8": E8 // 1_000}
    story.send("fills", fill(9, liquidation_id=order["liquidation_id"], **sold))
    story.tick(47_200 * E8)
    assert story.said()[-2:] == ["CURED", "COMPLETED"]
    assert not [place for place in story.positions() if place[0] == "alice"]


def test_a_premium_received_does_not_pay_for_the_margin_of_the_option_sold() -> None:
    story = leveraged()
    terms = {"strike_e8": 50_000 * E8, "option_type": "CALL", "underlying": "BTC-PERP"}
    terms |= {"expiry": NOW_US + 86_400 * 30 * SECOND_US}
    story.send("instruments", instrument("BTC-CALL", "OPTION", "BTC", "USDT", **terms))
    story.tick(3_000 * E8, "BTC-CALL", implied_volatility=0.6)
    story.tick(50_000 * E8)
    before = story.state()
    sold = {"instrument_id": "BTC-CALL", "side": "SELL", "price_e8": 3_000 * E8}
    story.send("fills", fill(5, quantity_e8=E8 // 100, **sold))
    story.tick(50_000 * E8)
    after = story.state()
    assert after["equity_e8"] == before["equity_e8"], "cash came in, and is owed as the option"
    assert after["maintenance_margin_e8"] > before["maintenance_margin_e8"]


def test_every_liquidation_says_whose_how_much_at_which_price_and_on_what() -> None:
    story = leveraged()
    for price in (50_000, 45_300, 45_300):
        story.tick(price * E8)
    order = next(one.values for one in story.outputs if one.values.get("action") == "REDUCE")
    assert order["account_id"] == "alice"
    assert order["liquidation_id"].startswith("alice/cross/1/")
    assert (order["side"], order["instrument_id"]) == ("SELL", "BTC-PERP")
    assert order["quantity_e8"] > 0
    assert order["bankruptcy_price_e8"] <= order["limit_price_e8"] <= 45_300 * E8
    assert order["equity_e8"] < order["maintenance_margin_e8"]
    used = {"instrument_id": "BTC-PERP", "mark_e8": 45_300 * E8, "guard": "LIVE"}
    assert order["marks"] == [used]
