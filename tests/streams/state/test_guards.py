"""When a mark may be relied on: states, jumps that wait, several sources, halts, and the table."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import E8
from streams.base.settings import Settings
from streams.run.parts import limits
from streams.state.guards import Guard, Limits, Use, Verdict, allowed, verdict, worse_bound_e8
from streams.state.mark_board import MarkBoard
from tests.streams.state.exchange import INSTRUMENTS, NOW_US, Bench, instrument, mark

SECOND_US = 1_000_000


class Feeds(Bench):
    """Ticks of named sources, a second apart unless said otherwise."""

    def __init__(self, **more: Any) -> None:
        super().__init__(limits=Limits(**more))
        self.seconds = 0.0
        self.count = 0

    @property
    def board(self) -> MarkBoard:
        return self.cycle.board

    def tick(
        self, price: float, source: str = "a", *, after: float = 1, name: str = "BTC-PERP",
        **more: Any,
    ) -> Guard:  # fmt: skip
        self.seconds += after
        self.count += 1
        price_e8 = round(price * E8)
        time_us = NOW_US + round(self.seconds * SECOND_US)
        self.send("prices", mark(self.count, name, **{
            "mark_e8": price_e8, "index_e8": price_e8, "source": source, "event_time": time_us,
            **more,
        }))  # fmt: skip
        return self.guard(name)

    def guard(self, name: str = "BTC-PERP") -> Guard:
        number = self.cycle.ledger.rules.number[name]
        return Guard(int(self.board.guards()[number]))

    def mark(self) -> float:
        return int(self.board.mark_e8[0]) / E8

    def calm(self, ticks: int = 40, *sources: str) -> "Feeds":
        """Ticks around 50,000 that differ by 0.1%."""
        for number in range(ticks):
            for source in sources or ("a",):
                self.tick(50_000 + 50 * (number % 2), source, after=1 / max(len(sources), 1))
        return self


def test_a_mark_is_live_until_it_is_old_and_then_worse_than_anything_told_of_it() -> None:
    feeds = Feeds()
    assert feeds.guard() is Guard.STALE, "no mark at all"
    assert feeds.tick(50_000) is Guard.LIVE
    feeds.tick(2_500, name="ETH-PERP", after=15)
    assert feeds.guard() is Guard.LIVE
    feeds.tick(2_500, name="ETH-PERP", after=0.1)
    assert feeds.guard() is Guard.STALE
    feeds.tick(50_000, index_e8=60_000 * E8)
    feeds.tick(2_500, name="ETH-PERP", after=16)
    assert feeds.guard() is Guard.STALE


def test_a_mark_far_from_its_index_is_deviant_and_without_index_is_not_compared() -> None:
    feeds = Feeds()
    assert feeds.tick(50_000, index_e8=45_000 * E8) is Guard.DEVIANT
    assert feeds.tick(50_000, index_e8=45_500 * E8) is Guard.LIVE
    assert feeds.tick(50_000, index_e8=0) is Guard.LIVE


def test_bid_and_ask_far_apart_are_wide() -> None:
    feeds = Feeds()
    assert feeds.tick(100, bid_e8=95 * E8, ask_e8=105 * E8) is Guard.LIVE
    assert feeds.tick(100, bid_e8=94 * E8, ask_e8=105 * E8) is Guard.WIDE
    assert feeds.tick(100, bid_e8=94 * E8) is Guard.LIVE, "one side alone says nothing"
    far = {"bid_e8": -(2**62), "ask_e8": 2**62}
    assert feeds.tick(100, **far) is Guard.WIDE
    free = Feeds(wide_ppm=0)
    assert free.tick(100, **far) is Guard.LIVE


def test_a_halt_is_in_force_from_its_time_until_trading_is_told_again() -> None:
    feeds = Feeds()
    feeds.tick(50_000)
    listing = INSTRUMENTS[0]
    halt_us = NOW_US + 10 * SECOND_US
    feeds.send("instruments", listing | {"status": "HALTED", "event_time": halt_us})
    assert feeds.tick(50_000) is Guard.LIVE, "not yet"
    assert feeds.tick(50_000, after=8) is Guard.HALTED
    feeds.send("instruments", listing | {"event_time": halt_us + SECOND_US})
    assert feeds.guard() is Guard.LIVE
    feeds.send("instruments", listing | {"status": "CLOSE_ONLY"})
    assert feeds.guard() is Guard.LIVE
    assert feeds.tick(1, name="OLD-PERP") is Guard.HALTED, "settled: nothing trades there"


def test_a_slow_average_follows_at_a_limited_speed() -> None:
    feeds = Feeds(slow_speed_ppm=10_000, jump_sigma=0).calm()
    slow = feeds.board.slow_e8[0] / E8
    assert slow == pytest.approx(50_000, rel=2e-3)
    guards = [feeds.tick(20_000) for _ in range(400)]
    assert guards[0] is Guard.DEVIANT
    # from 50,000 to 40,000, half of which is 20,000: 20,000 is within 50% from then on
    first_live = guards.index(Guard.LIVE)
    assert set(guards[first_live:]) == {Guard.LIVE}
    # a first-order average of 300 s takes 300 s x ln(30,000 / 20,000) = 122 s, at no limit reached
    assert first_live == pytest.approx(121, abs=2)
    slower = Feeds(slow_speed_ppm=1_000, jump_sigma=0).calm()
    guards = [slower.tick(20_000) for _ in range(400)]
    # at 0.1% a second ln(50,000 / 40,000) / 0.001 = 223 s
    assert guards.index(Guard.LIVE) == pytest.approx(223, abs=3)
    assert Feeds(slow_deviation_ppm=0, jump_sigma=0).calm().tick(20_000) is Guard.LIVE


def test_an_option_may_move_by_more_than_itself_and_be_quoted_wide() -> None:
    feeds = Feeds()
    terms = {"strike_e8": E8, "option_type": "CALL", "underlying": "BTC-PERP"}
    feeds.send("instruments", instrument("BTC-CALL", "OPTION", "BTC", "USDT", **terms))
    quotes = {"bid_e8": E8, "ask_e8": 50 * E8}
    for name, guard in (("BTC-CALL", Guard.LIVE), ("BTC-PERP", Guard.WIDE)):
        for _ in range(40):
            feeds.tick(10, name=name, **quotes)
        for _ in range(3):
            feeds.tick(100, name=name, **quotes)
        assert feeds.guard(name) is guard


def test_a_jump_waits_for_more_ticks_of_its_own_source() -> None:
    feeds = Feeds().calm()
    time_us = int(feeds.board.time_us[0])
    read_at = feeds.board.source[0]
    assert feeds.tick(40_000) is Guard.DEVIANT
    assert feeds.tick(39_900) is Guard.DEVIANT
    assert feeds.mark() == 50_050, "the old mark stays"
    assert feeds.board.time_us[0] == time_us, "and grows old"
    assert feeds.board.source[0] == read_at
    assert feeds.board.clock_us > time_us
    assert feeds.tick(39_800) is Guard.LIVE
    assert feeds.mark() == 39_800


def test_a_jump_that_goes_back_never_was() -> None:
    feeds = Feeds().calm()
    for _ in range(5):
        assert feeds.tick(5_000) is Guard.DEVIANT
        assert feeds.tick(90_000) is Guard.DEVIANT, "the other way: begins anew"
        assert feeds.tick(50_000) is Guard.LIVE
    assert feeds.mark() == 50_000


def test_a_second_source_confirms_a_jump_and_one_that_disagrees_does_not() -> None:
    feeds = Feeds().calm(40, "a", "b")
    assert feeds.tick(40_000, "a") is Guard.DEVIANT
    assert feeds.tick(40_000, "b") is Guard.LIVE
    assert feeds.mark() == 40_000
    stubborn = Feeds().calm(40, "a", "b", "c")
    for _ in range(10):
        assert stubborn.tick(40_000, "a", after=0.3) is Guard.DEVIANT
        assert stubborn.mark() == pytest.approx(50_000, rel=0.01), "the others decide"
        assert stubborn.tick(50_000, "b", after=0.3) is Guard.LIVE
        assert stubborn.tick(50_000, "c", after=0.3) is Guard.LIVE


def test_small_and_usual_changes_do_not_wait() -> None:
    feeds = Feeds().calm()
    assert feeds.tick(47_700) is Guard.LIVE, "within 5%"
    wild = Feeds()
    rng = Random(3)
    for _ in range(60):
        assert wild.tick(50_000 * rng.uniform(0.95, 1.05)) is Guard.LIVE
    assert wild.tick(40_000) is Guard.LIVE, "7 standard deviations"
    fresh = Feeds()
    fresh.tick(9e9)
    assert fresh.tick(50_000) is Guard.LIVE, "nothing is known of what is usual"
    assert Feeds(jump_sigma=0, slow_deviation_ppm=0).calm().tick(10_000) is Guard.LIVE


def test_the_index_is_the_median_of_live_sources() -> None:
    feeds = Feeds()
    feeds.tick(100, "a")
    feeds.tick(101, "b")
    assert feeds.board.index_e8[0] == 10_050_000_000
    assert feeds.tick(150, "c") is Guard.DEVIANT, "one among three is wrong"
    assert feeds.board.index_e8[0] == 101 * E8
    assert feeds.tick(100, "a", index_e8=0) is Guard.LIVE, "without an index its mark counts"
    assert feeds.board.index_e8[0] == 101 * E8
    assert feeds.tick(150, "c", after=20) is Guard.LIVE, "the others are silent"
    assert feeds.board.index_e8[0] == 150 * E8


def test_a_tick_out_of_order_or_told_twice_is_ignored() -> None:
    feeds = Feeds()
    feeds.tick(100, "a", sequence=7)
    feeds.tick(200, "a", sequence=7)
    feeds.tick(200, "a", sequence=6)
    assert feeds.mark() == 100
    assert feeds.board.ignored == 2
    assert not feeds.board.take_changes()[1:].any()
    feeds.tick(101, "b", sequence=1)
    assert feeds.mark() == 101


TICKS = st.lists(
    st.tuples(
        st.sampled_from([50.0, 50.1, 49.9, 30.0, 90.0]),
        st.sampled_from("ab"),
        st.sampled_from([0.0, 0.25, 2.0, 30.0]),
    ),
    max_size=60,
)


@given(TICKS, st.integers(1, 20))
def test_a_replay_in_other_blocks_says_the_same(
    ticks: list[tuple[float, str, float]], size: int
) -> None:
    one = Feeds()
    for price, source, after in ticks:
        one.tick(price, source, after=after)
    records, seconds = [], 0.0
    for number, (price, source, after) in enumerate(ticks, 1):
        seconds += after
        price_e8, time_us = round(price * E8), NOW_US + round(seconds * SECOND_US)
        told = {"mark_e8": price_e8, "index_e8": price_e8}
        records.append(mark(number, source=source, event_time=time_us, **told))
    again = Feeds()
    for start in range(0, len(records), size):
        again.send("prices", *records[start : start + size])
    for name in ("mark_e8", "index_e8", "time_us", "slow_e8", "waiting", "source"):
        assert list(getattr(one.board, name)) == list(getattr(again.board, name)), name
    assert one.board.guards().tolist() == again.board.guards().tolist()
    assert [one.tolist() for one in one.board.bounds_e8()] == [
        one.tolist() for one in again.board.bounds_e8()
    ]


def test_what_each_state_allows() -> None:
    said = {use: [verdict(use, guard).name[0] for guard in Guard] for use in Use}
    assert {use.name: "".join(row) for use, row in said.items()} == {
        "LIQUIDATE": "ARRRR",
        "CALL": "AFFFF",
        "RELEASE": "ARRRR",
        "INITIAL": "AWWWW",
        "PUBLISH": "AFFFF",
    }
    every = np.array(list(Guard), np.int8)
    assert allowed(Use.LIQUIDATE, every).tolist() == [True, False, False, False, False]
    assert allowed(Use.CALL, every).all()
    assert verdict(Use.INITIAL, Guard.WIDE) is Verdict.WORSE_BOUND
    assert [guard.name for guard in Guard] == ["LIVE", "STALE", "DEVIANT", "WIDE", "HALTED"]


def test_the_worse_bound_by_hand() -> None:
    """100 -+ (0.5 + 2 x 0.001 x 100 x sqrt(9))."""
    bounds = worse_bound_e8(
        np.full(2, 100 * E8), np.array([1, -1]),
        confidence_e8=np.full(2, E8 // 2), volatility=np.full(2, 1e-3), age_s=np.full(2, 9.0),
    )  # fmt: skip
    assert (bounds / E8).tolist() == pytest.approx([98.9, 101.1])
    assert worse_bound_e8(
        np.array([E8]), np.array([1]),
        confidence_e8=np.array([5 * E8]), volatility=np.zeros(1), age_s=np.zeros(1),
    ).tolist() == [0]  # fmt: skip


def test_bounds_open_with_age_and_spread() -> None:
    feeds = Feeds().calm()
    low, high = (one[0] for one in feeds.board.bounds_e8())
    assert low == high == feeds.board.mark_e8[0]
    feeds.tick(2_500, name="ETH-PERP", after=25)
    low, high = (one[0] / E8 for one in feeds.board.bounds_e8())
    # 0.1% a second, 25 s: 50,050 x (1 -+ 2 x 0.001 x 5)
    assert (low, high) == pytest.approx((49_550, 50_550), rel=2e-4)
    feeds.tick(50_000, bid_e8=49_900 * E8, ask_e8=50_100 * E8)
    assert [int(one[0]) // E8 for one in feeds.board.bounds_e8()] == [49_900, 50_100]


def test_settings_and_the_board_agree_on_the_limits() -> None:
    assert limits(Settings()) == Limits()
