"""A board that takes ticks in a compiled loop shows, to the bit, what one tick by tick shows."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block_columns import gathered
from schemas.registry import record_schema
from schemas.units import E8, LIMIT_E8
from streams.state.guards import Limits
from streams.state.mark_board import MarkBoard
from tests.reference.price_feed import Board
from tests.streams.state.exchange import NOW_US, mark

NAMES = ["BTC-PERP", "ETH-PERP"]
ANY = st.integers(-(2**63), 2**63 - 1)
FAR = st.integers(1, LIMIT_E8)
"""Prices beyond what a float holds exactly, too."""
USUAL = st.sampled_from([50_000, 50_050, 49_999, 47_000, 30_000, 90_000]).map(lambda p: p * E8)
TICKS = st.fixed_dictionaries(
    {
        "instrument_id": st.sampled_from(NAMES),
        "source": st.sampled_from(["a", "b", "c", "d", "ü"]),
        "sequence": st.one_of(st.none(), st.integers(-2, 40), ANY),
        "after_us": st.sampled_from([-5_000_000, 0, 1, 250_000, 2_000_000, 16_000_000]),
        "mark_e8": st.one_of(USUAL, USUAL, FAR),
        "index_e8": st.one_of(st.just(0), USUAL, FAR, FAR.map(lambda e8: -e8)),
        "bid_e8": st.one_of(st.none(), USUAL, ANY),
        "ask_e8": st.one_of(st.none(), USUAL, ANY),
        "bid_depth_e8": st.one_of(st.none(), ANY),
        "ask_depth_e8": st.one_of(st.none(), ANY),
        "implied_volatility": st.one_of(st.none(), st.floats(0, 10)),
    }
)
LIMITS = st.sampled_from([
    Limits(),
    Limits(jump_ppm=0, jump_sigma=1),
    Limits(jump_sigma=0, stale_ms=0),
    Limits(slow_speed_ppm=10**9, slow_ms=1_000, jump_sigma=3),
    Limits(slow_ms=0, jump_ppm=1_000),
])  # fmt: skip


def records_of(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In an order of time, mostly; a sequence that is not given is the next."""
    time_us, records = NOW_US, []
    for number, one in enumerate(drawn, 1):
        time_us += one["after_us"]
        told = {name: value for name, value in one.items() if name != "after_us"}
        told["sequence"] = number if told["sequence"] is None else told["sequence"]
        records.append(mark(0) | told | {"event_time": time_us})
    return records


def check_twins(records: list[dict[str, Any]], limits: Limits, size: int) -> None:
    """Both boards show the same after every block of so many."""
    board, slow = MarkBoard(limits), Board(limits)
    for start in range(0, len(records), size):
        block = records[start : start + size]
        for offset, record in enumerate(block, start):
            slow.take(record, f"prices-3-{offset}")
        columns = gathered(list(enumerate(block)), record_schema("mark"), spans=True)
        numbers = np.array([NAMES.index(one["instrument_id"]) for one in block], np.int64)
        board.resize(int(numbers.max()) + 1)
        before = board.ignored
        taken = board.take(numbers, columns, "prices-3", start + np.arange(len(block)))
        assert taken == len(block) - (board.ignored - before)
        for number, name in enumerate(NAMES[: len(board.mark_e8)]):
            wanted = slow.shown(name)
            found = {column: getattr(board, column)[number] for column in wanted}
            assert repr({name: np.array(one).item() for name, one in found.items()}) == repr(wanted)
        told = board.clock_us, board.last_source, board.ignored
        assert told == (slow.clock_us, slow.last_source, slow.ignored)
        changed = {NAMES[number] for number in np.flatnonzero(board.take_changes()).tolist()}
        assert changed == slow.changed
        slow.changed.clear()
    for deviation, name in zip(board.deviations().tolist(), NAMES, strict=False):
        assert deviation == (slow.feeds[name].volatility() if name in slow.feeds else 0.0)


@settings(max_examples=120, deadline=None)
@given(st.lists(TICKS, max_size=50), LIMITS, st.integers(1, 30))
def test_twins_agree_on_ticks_of_any_kind(
    drawn: list[dict[str, Any]], limits: Limits, size: int
) -> None:
    check_twins(records_of(drawn), limits, size)


@pytest.mark.parametrize("price", [50_000 * E8, LIMIT_E8 // 100])
@pytest.mark.parametrize("limits", [Limits(), Limits(slow_ms=5_000, jump_ppm=10_000)])
def test_twins_agree_on_a_long_walk_with_jumps(price: int, limits: Limits) -> None:
    rng, drawn = Random(5), []
    for _ in range(1_500):
        price += round(price * rng.gauss(0, 0.002))
        jump = rng.choice([0.5, 0.9, 1.1, 3.0]) if rng.random() < 0.05 else 1.0
        drawn.append({
            "instrument_id": rng.choice(NAMES), "source": rng.choice("aaaaabbcz"),
            "sequence": None, "after_us": rng.choice([0, 100_000, 1_000_000, 9_000_000]),
            "mark_e8": round(price * jump), "index_e8": round(price * rng.gauss(1, 0.001)),
        })  # fmt: skip
    check_twins(records_of(drawn), limits, 64)
