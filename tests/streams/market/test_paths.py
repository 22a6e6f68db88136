"""Seeded prices: on tick, reproducible, with the crash where and as deep as asked."""

from itertools import pairwise

import pytest

from streams.market.contracts import seeded_catalogue
from streams.market.paths import START_US, SeededPath

CATALOGUE = seeded_catalogue()


def test_steps_are_even_and_prices_on_tick() -> None:
    steps = list(SeededPath(CATALOGUE, seed=1, duration_s=20.0))
    assert steps[0].event_time_us == START_US
    assert len(steps) == 81
    assert {b.event_time_us - a.event_time_us for a, b in pairwise(steps)} == {250_000}
    for step in steps:
        assert step.prices_e8.keys() == CATALOGUE.listings.keys()
        for instrument_id, price_e8 in step.prices_e8.items():
            assert price_e8 > 0
            assert price_e8 % CATALOGUE.listings[instrument_id].tick_e8 == 0


def test_the_first_step_is_at_the_first_prices() -> None:
    first = next(iter(SeededPath(CATALOGUE, seed=1)))
    for instrument_id, price_e8 in first.prices_e8.items():
        assert price_e8 == CATALOGUE.listings[instrument_id].first_price_e8


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_majors_fall_by_a_quarter_and_more_and_come_back_in_part(seed: int) -> None:
    steps = list(SeededPath(CATALOGUE, seed=seed, crash_at_s=30.0, fall_s=40.0, duration_s=200.0))
    for instrument_id in ("BTC-PERP", "ETH-PERP", "BTC-USD-INV"):
        prices = [step.prices_e8[instrument_id] for step in steps]
        before, low = prices[120], min(prices[120:320])
        assert -0.36 < low / before - 1 < -0.2
        assert max(prices[320:]) > low * 1.03
        assert min(prices[:120]) > 0.97 * prices[0]
    stable = [step.prices_e8["USDC-USDT"] for step in steps]
    assert max(stable) / min(stable) < 1.01


def test_no_crash_unless_asked() -> None:
    steps = list(SeededPath(CATALOGUE, seed=1, crash_at_s=None, duration_s=120.0))
    prices = [step.prices_e8["BTC-PERP"] for step in steps]
    assert min(prices) > 0.9 * prices[0]
