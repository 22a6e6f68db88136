"""Orders that reduce: their pace, what their fills pay, every way in which they are answered."""

from typing import Any

import pytest

from risk.liquidation.pacing import Pace
from schemas.units import E8
from streams.state.ledger import partition_of
from streams.state.partition_log import Image
from tests.streams.processors.test_cycle import SECOND_US, Story
from tests.streams.state.exchange import Bench, deposit, fill, risk_params

SLICE = ("@penalties:USDT#0", "cross", "USDT")
Record = dict[str, Any]


class Desk(Story):
    """A bench whose accounts are long BTC-PERP, 1% of maintenance margin throughout."""

    def __init__(self, **settings: Any) -> None:
        Bench.__init__(self, **settings)
        self.tick_number = 0
        self.outputs = []
        flat = [{"floor_e8": 0, "initial_ppm": 20_000, "maintenance_ppm": 10_000}]
        for name in ("BTC-PERP", "ETH-PERP"):
            self.send("risk-params", risk_params(name, version=2, tiers=flat))
        self._number = 0

    def buy(self, account: str, contracts: float, cash: int, **more: Any) -> None:
        self._number += 1
        self.send("collateral", deposit(self._number, account, amount_e8=cash * E8))
        self.send("fills", fill(self._number, account, quantity_e8=round(contracts * E8), **more))

    def tell(self, price: int, depth: float | None = None, times: int = 1) -> list[Record]:
        """Ticks a second apart; the records of `liquidations` that follow."""
        depth_e8 = None if depth is None else round(depth * E8)
        said = []
        for _ in range(times):
            said += self.tick(price, bid_depth_e8=depth_e8, ask_depth_e8=depth_e8)
        return [dict(one.values) for one in said if one.topic == "liquidations"]

    def answer(self, order: Record, **more: Any) -> None:
        """A fill of an order at its limit, in full unless told otherwise."""
        self._number += 1
        self.send("fills", fill(
            1_000 + self._number, order["account_id"], instrument_id=order["instrument_id"],
            **{
                "side": order["side"], "quantity_e8": order["quantity_e8"],
                "price_e8": order["limit_price_e8"], "liquidation_id": order["liquidation_id"],
                **more,
            },
        ))  # fmt: skip

    def paid_e8(self) -> int:
        return self.balances().get(SLICE, 0)


def reduces(said: list[Record]) -> list[Record]:
    return [one for one in said if one["action"] == "REDUCE"]


def under(equity: int = 400, contracts: float = 1) -> tuple[Desk, Record]:
    """Alice is long at 50,000 and has so much left of 490 at 49,000: her first order is out."""
    desk = Desk()
    desk.buy("alice", contracts, round(1_000 * contracts) + equity)
    (order,) = reduces(desk.tell(49_000, times=2))
    return desk, order


def test_a_fill_of_the_open_order_pays_what_is_left_above_bankruptcy_up_to_the_fee() -> None:
    desk, order = under()
    price_e8 = order["limit_price_e8"]
    before = desk.balances()["alice", "cross", "USDT"]
    desk.answer(order)
    left_e8 = (price_e8 - order["bankruptcy_price_e8"]) * order["quantity_e8"] // E8
    most_e8 = price_e8 * order["quantity_e8"] // E8 * 5_000 // 1_000_000
    assert desk.paid_e8() == min(left_e8, most_e8) > 0
    assert desk.balances()["alice", "cross", "USDT"] == before - desk.paid_e8()


def test_a_good_fill_pays_the_fee_and_one_at_bankruptcy_nothing() -> None:
    desk, order = under()
    desk.answer(order, price_e8=49_500 * E8, quantity_e8=E8 // 10)
    assert desk.paid_e8() == 4_950 * E8 * 5_000 // 1_000_000
    desk.answer(order, price_e8=order["bankruptcy_price_e8"], quantity_e8=E8 // 10)
    desk.answer(order, price_e8=order["bankruptcy_price_e8"] - E8 // 10, quantity_e8=E8 // 10)
    assert desk.paid_e8() == 4_950 * E8 * 5_000 // 1_000_000


def test_how_the_fills_fall_into_blocks_does_not_change_what_they_pay() -> None:
    sums = []
    for together in (True, False):
        desk, order = under()
        parts = [
            fill(
                2_000 + number, "alice", side=order["side"], quantity_e8=E8 // 100 * number,
                price_e8=order["limit_price_e8"] + number * E8,
                liquidation_id=order["liquidation_id"],
            )
            for number in range(1, 6)
        ]  # fmt: skip
        for block in [parts] if together else [[one] for one in parts]:
            desk.send("fills", *block)
        sums.append((desk.balances(), desk.positions()))
    assert sums[0] == sums[1]


def test_a_part_fill_is_followed_by_an_order_for_what_is_missing() -> None:
    desk, order = under()
    desk.answer(order, price_e8=49_000 * E8, quantity_e8=E8 // 10)
    (second,) = reduces(desk.tell(49_000))
    assert second["liquidation_id"] == "alice/cross/1/4"
    silent, _ = under()
    (unanswered,) = reduces(silent.tell(49_000))
    assert order["quantity_e8"] > E8 // 10
    assert 0 < second["quantity_e8"] < unanswered["quantity_e8"]


def test_silence_is_answered_by_larger_and_worse_orders_and_then_a_takeover() -> None:
    desk, order = under()
    orders = [order, *(reduces(desk.tell(49_000))[0] for _ in range(3))]
    sizes = [one["quantity_e8"] for one in orders]
    limits = [one["limit_price_e8"] for one in orders]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert limits == sorted(limits, reverse=True)
    assert [one["action"] for one in desk.tell(49_000)] == ["TAKE_OVER"]
    desk.answer(orders[-1])
    assert desk.paid_e8() == 0, "a fill after the takeover is just a fill"


def test_a_fill_after_the_episode_and_one_of_an_order_before_are_just_fills() -> None:
    desk, order = under()
    (second,) = reduces(desk.tell(49_000))
    desk.answer(order, quantity_e8=E8 // 100)
    assert desk.paid_e8() == 0, "that order is no longer open"
    desk.buy("alice", 0.001, 5_000)
    assert [one["action"] for one in desk.tell(49_000)] == ["COMPLETED"]
    desk.answer(second, quantity_e8=E8 // 100)
    assert desk.paid_e8() == 0
    assert desk.positions()["alice", "cross", "BTC-PERP"][0] == E8 - 2 * E8 // 100 + E8 // 1000


@pytest.mark.parametrize(
    "name", [None, "", "alice/cross/1/9", "bob/cross/1/3", "alice/BTC-PERP/1/3", "nonsense"]
)
def test_a_fill_for_an_unknown_order_is_just_a_fill(name: str | None) -> None:
    desk, order = under()
    desk.answer(order, liquidation_id=name)
    assert desk.paid_e8() == 0
    held = desk.positions()["alice", "cross", "BTC-PERP"][0]
    assert held == E8 - order["quantity_e8"]


def test_a_fill_that_is_larger_than_asked_is_booked_as_it_is() -> None:
    desk, order = under()
    desk.answer(order, quantity_e8=2 * E8)
    assert desk.positions()["alice", "cross", "BTC-PERP"][0] == -E8
    assert desk.letters() == []
    value_e8 = 2 * order["limit_price_e8"]
    excess_e8 = 2 * (order["limit_price_e8"] - order["bankruptcy_price_e8"])
    assert desk.paid_e8() == min(excess_e8, value_e8 * 5_000 // 1_000_000)


def test_an_isolated_bucket_pays_for_itself() -> None:
    desk = Desk()
    desk.buy("alice", 1, 10_000, margin_mode="ISOLATED", isolated_margin_e8=1_400 * E8)
    (order,) = reduces(desk.tell(49_000, times=2))
    assert order["liquidation_id"].startswith("alice/BTC-PERP/1/")
    desk.answer(order, margin_mode="ISOLATED", price_e8=49_000 * E8)
    assert desk.paid_e8() > 0
    assert desk.balances()["alice", "BTC-PERP", "USDT"] == 1_400 * E8 - desk.paid_e8()


def test_the_open_order_is_known_again_after_a_restart() -> None:
    desk, order = under()
    image = Image()
    for pairs in desk.cycle.log.records({0: desk.cycle.ends(0)}).values():
        image.take(pairs)
    again = Desk()
    again.cycle.take_partition(0, image.records)
    again._end = dict(desk._end)
    for one in (desk, again):
        one.answer(order)
    assert again.paid_e8() == desk.paid_e8() > 0


def test_orders_wait_for_the_depth_and_the_largest_loss_goes_first() -> None:
    desk = Desk()
    for name, equity in (("ann", 400), ("ben", 300), ("cat", 200)):
        desk.buy(name, 1, 1_000 + equity)
    first = desk.tell(49_000, depth=4, times=2)
    asked = {one["account_id"]: one["quantity_e8"] for one in reduces(first)}
    assert sum(asked.values()) <= E8, "a quarter of the depth"
    assert "cat" in asked
    assert "ann" not in asked
    stages = {one.key: one.values["level"] for one in desk.outputs if one.topic == "margin-calls"}
    assert stages["ann"] == "CALL", "she waits where she is"


def test_no_window_asks_for_more_than_its_share_and_in_the_end_everybody_is_served() -> None:
    desk = Desk(pace=Pace(window_ms=2_000, depth_ppm=100_000))
    names = [f"a{number}" for number in range(8)]
    for number, name in enumerate(names):
        desk.buy(name, 1, 1_200 + 20 * number)
    asked: dict[int, int] = {}
    served = set()
    for _ in range(40):
        for order in reduces(desk.tell(49_000, depth=5)):
            window = order["event_time"] // (2 * SECOND_US)
            asked[window] = asked.get(window, 0) + order["quantity_e8"]
            served.add(order["account_id"])
            desk.answer(order, price_e8=49_000 * E8)
    assert served == set(names)
    assert max(asked.values()) <= E8 // 2
    assert not [one for one in desk.outputs if one.values.get("action") == "TAKE_OVER"]


def test_a_large_position_is_worked_off_in_parts_without_using_up_its_steps() -> None:
    desk = Desk()
    desk.buy("alice", 10, 14_000)
    sizes = []
    for _ in range(10):
        for order in reduces(desk.tell(49_000, depth=1)):
            sizes.append(order["quantity_e8"])
            desk.answer(order, price_e8=49_000 * E8)
    assert len(sizes) > 4
    assert max(sizes) <= E8 // 4
    assert not [one for one in desk.outputs if one.values.get("action") == "TAKE_OVER"]


def test_a_worker_has_the_part_of_the_market_that_its_partitions_are() -> None:
    desk = Desk(partitions=4)
    for number in (1, 2, 3):
        desk.cycle.drop_partition(number)
    name = next(n for n in (f"a{i}" for i in range(99)) if partition_of(n, 4) == 0)
    desk.buy(name, 10, 14_000)
    (order,) = reduces(desk.tell(49_000, depth=4, times=2))
    assert order["quantity_e8"] == E8 // 4


def test_markets_that_tell_no_depth_are_not_paced() -> None:
    desk = Desk()
    desk.buy("alice", 10, 14_000)
    (order,) = reduces(desk.tell(49_000, times=2))
    assert order["quantity_e8"] > E8
