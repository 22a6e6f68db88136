"""Decisions on the board's clock: guards, quarantine, ids, and what is published."""

from typing import Any

import pytest

from schemas.units import E8
from streams.processors import sweep
from streams.processors.outputs import Output
from streams.state.partition_log import Image
from tests.simulation.driver import WRITTEN_MS
from tests.streams.state.exchange import NOW_US, Bench, deposit, fill, instrument, mark, risk_params

SECOND_US = 1_000_000


class Story(Bench):
    """A bench whose prices tick once a second, and the outputs by topic."""

    def __init__(self) -> None:
        super().__init__()
        self.tick_number = 0
        self.outputs: list[Output] = []

    def tick(self, price: int, name: str = "BTC-PERP", **more: Any) -> list[Output]:
        self.tick_number += 1
        time_us = NOW_US + self.tick_number * SECOND_US
        self.send("prices", mark(self.tick_number, name, price, **{"event_time": time_us, **more}))
        self.cycle.decide()
        now = self.cycle.take_outputs()
        self.outputs += now
        return now

    def said(self) -> list[str]:
        return [
            one.values.get("level") or one.values["action"]
            for one in self.outputs
            if one.topic in ("margin-calls", "liquidations")
        ]


def leveraged() -> Story:
    """Alice: 10,000 USDT, long 2 BTC at 50,000: maintenance is 750 at 50,000."""
    story = Story()
    story.send("collateral", deposit(1))
    story.send("fills", fill(1, quantity_e8=2 * E8))
    return story


def test_a_fall_walks_down_the_ladder_and_the_id_counts() -> None:
    story = leveraged()
    for price in (50_000, 45_300, 45_300):
        story.tick(price)
    assert story.said() == ["CALL", "CANCEL_ORDERS", "REDUCE"]
    ids = [one.output_id for one in story.outputs if one.topic in ("margin-calls", "liquidations")]
    assert ids == [f"alice/cross/1/{number}" for number in range(1, len(ids) + 1)]
    order = story.outputs[-2] if story.outputs[-1].topic == "margin-state" else story.outputs[-1]
    assert order.values["side"] == "SELL"
    assert 0 < order.values["quantity_e8"] <= 2 * E8
    assert order.values["bankruptcy_price_e8"] <= order.values["limit_price_e8"] <= 45_300 * E8
    assert order.source == "prices-0-2"


def test_a_deposit_cures() -> None:
    story = leveraged()
    story.tick(45_350)
    assert story.said() == ["CALL"]
    story.send("collateral", deposit(2, amount_e8=5_000 * E8))
    story.tick(45_350)
    assert story.said() == ["CALL", "CURED"]
    states = [one.values for one in story.outputs if one.topic == "margin-state"]
    assert states[-1]["buckets"][0]["stage"] == "HEALTHY"


def test_nothing_is_liquidated_on_a_mark_far_from_its_index() -> None:
    story = leveraged()
    for _ in range(4):
        story.tick(45_000, index_e8=51_000 * E8)
    assert story.said() == ["CALL"], "called, and flagged"
    call = next(one for one in story.outputs if one.topic == "margin-calls")
    assert call.values["marks"][0]["guard"] == "DEVIANT"
    story.tick(45_000)
    story.tick(45_000)
    assert "TAKE_OVER" in story.said() or "REDUCE" in story.said()


def test_nothing_is_liquidated_on_an_old_mark() -> None:
    story = leveraged()
    story.tick(50_000)
    story.tick_number += 3_600  # only another instrument ticks: BTC-PERP is an hour old
    story.tick(1, "ETH-PERP")
    story.send("collateral", deposit(2, kind="WITHDRAWAL", amount_e8=-9_900 * E8))
    for _ in range(3):
        story.tick(1, "ETH-PERP")
    assert "REDUCE" not in story.said()
    assert "TAKE_OVER" not in story.said()


def test_a_quarantined_account_is_called_but_not_liquidated() -> None:
    story = leveraged()
    story.send("fills", fill(2, price_e8=-1))
    for _ in range(4):
        story.tick(45_100)
    assert story.said() == ["CALL"]


def test_a_takeover_leaves_nothing_and_conserves_everything() -> None:
    story = leveraged()
    story.send("fills", fill(2, "bob", quantity_e8=2 * E8, side="SELL"))
    story.send("collateral", deposit(2, "bob", amount_e8=100_000 * E8))
    story.tick(44_000)
    story.tick(44_000)
    assert story.said() == ["CALL", "CANCEL_ORDERS", "TAKE_OVER"]
    legs = [dict(one.values) for one in story.outputs if one.topic == "transfers"]
    story.send("transfers", *legs)
    held, owned = story.positions(), story.balances()
    assert not [place for place in (*held, *owned) if place[0] == "alice"]
    assert held["@insurance:USDT", "cross", "BTC-PERP"] == (2 * E8, 100_000 * E8)
    assert owned["@insurance:USDT", "cross", "USDT"] == 10_000 * E8
    story.send("transfers", *legs)  # read twice: applied once
    assert story.positions() == held
    story.tick(44_000)
    states = {o.key: o.values for o in story.outputs if o.topic == "margin-state"}
    assert states["alice"]["positions"] == []


def test_a_book_from_the_changelog_goes_on_with_the_episode() -> None:
    story = leveraged()
    story.tick(45_400)
    image = Image()
    for pairs in story.cycle.log.records({0: story.cycle.ends(0)}).values():
        image.take(pairs)
    again = Story()
    again.cycle.take_partition(0, image.records)
    again.tick(45_400)
    assert again.said() == []  # the warning stands and was published
    assert [one.key for one in again.outputs] == ["alice"]  # but where she stands is said anew
    again.tick_number = 10
    again.tick(44_900)
    again.tick(44_900)
    ids = [one.output_id for one in again.outputs if one.topic == "liquidations"]
    assert ids == ["alice/cross/1/3", "alice/cross/1/4"]


def test_a_tick_from_the_future_does_not_move_the_clock() -> None:
    story = leveraged()
    story.tick(50_000)
    ahead = (WRITTEN_MS + 61_000) * 1_000
    story.tick(50_000, event_time=ahead)
    assert [o.values["reason"] for o in story.outputs if o.topic == "dead-letters"] == [
        "TIME_OUT_OF_RANGE"
    ]
    assert story.cycle.board.clock_us == NOW_US + SECOND_US


def test_an_absurd_mark_stops_neither_worker_nor_others() -> None:
    story = leveraged()
    story.send("fills", fill(3, "bob", quantity_e8=10**13, price_e8=E8))
    story.tick(9_000_000_000, index_e8=0)
    assert "TAKE_OVER" not in story.said()
    story.tick(45_000)
    story.tick(45_000)
    assert [o for o in story.outputs if o.topic == "liquidations" and o.key == "alice"]


def test_parameters_take_effect_at_their_time() -> None:
    story = leveraged()
    story.tick(50_000)
    later = NOW_US + 100 * SECOND_US
    story.send("risk-params", risk_params(
        "BTC-PERP", version=2, effective_at=later, margin_scalar_ppm=20_000_000))  # fmt: skip
    story.tick(50_000)
    assert story.said() == []
    story.tick_number = 99
    story.tick(50_000)
    assert story.said()[0] == "CALL"


def test_an_instrument_listed_a_moment_ago_is_not_unknown() -> None:
    """The broadcast topics are read to their end before a name is refused."""
    story = Story()
    fresh = instrument("NEW-PERP", "LINEAR_PERP", "NEW", "USDT")
    story.cycle.catch_up = lambda: story.send("instruments", fresh)
    story.send("fills", fill(1, instrument_id="NEW-PERP"))
    assert story.positions() == {("alice", "cross", "NEW-PERP"): (E8, 50_000 * E8)}
    assert story.letters() == []


def test_margin_states_of_all_are_published_again_spread_over_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story()
    people = [f"p-{number}" for number in range(5)]
    for number, name in enumerate(people):
        story.send("collateral", deposit(number, name))

    def told(later_s: int) -> list[str]:
        story.tick_number += later_s - 1
        return [one.key for one in story.tick(50_000) if one.topic == "margin-state"]

    assert sorted(told(1)) == people, "all of them were touched"
    period_s = sweep.PERIOD_MS // 1_000
    for _ in range(2):
        swept = [told(period_s // 5) for _ in range(5)]
        assert [len(some) for some in swept] == [1] * 5
        assert sorted(name for some in swept for name in some) == people
        assert told(1) == []
    monkeypatch.setattr(sweep, "MOST_AT_ONCE", 2)
    assert [len(told(one)) for one in (3 * period_s, 1, 1, 1)] == [2, 2, 1, 0]
