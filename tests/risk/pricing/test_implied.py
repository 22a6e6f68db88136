"""Implied volatilities are those of the prices, to the digits that the prices have."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from risk.pricing.black76 import greeks, price
from risk.pricing.implied import WORTH_SHARING, implied_volatility
from tests.reference import black76 as textbook

TOTALS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 4.0)
DEVIATIONS = (-34, -25, -15, -8, -3, -1, -0.1, 0, 0.1, 1, 3, 8, 15, 25, 36)


def attainable(value: float, volatility: float, vega: float) -> float:
    """What one rounding of the price costs, but no less than 1e-13."""
    return max(1e-13, 2.0**-53 * (1 + value / (volatility * vega)))


@settings(max_examples=300, deadline=None)
@given(
    forward=st.floats(1e-3, 1e6),
    deviations=st.floats(-36, 36),
    years=st.floats(1e-5, 20),
    volatility=st.floats(0.005, 5),
)
def test_the_textbook_at_the_found_volatility_gives_the_price(
    forward, deviations, years, volatility
):
    total = volatility * np.sqrt(years)
    assume(abs(deviations) * total < 500)
    strike = float(forward * np.exp(deviations * total))
    call = strike >= forward
    value = float(textbook.black76(forward, strike, years, volatility, call=call)["price"])
    assume(1e-295 < value < min(forward, strike) * (1 - 1e-9))
    found = float(implied_volatility(value, forward, strike, years, call))
    assert np.isfinite(found)
    exact = textbook.implied_volatility(value, forward, strike, years, call=call, near=found)
    vega = float(textbook.black76(forward, strike, years, found, call=call)["vega"])
    assert abs(found / float(exact) - 1) <= attainable(value, found, vega)


def test_out_of_the_money_it_comes_back_from_near_nothing_to_the_bound():
    total, deviations = (grid.ravel() for grid in np.meshgrid(TOTALS, DEVIATIONS))
    strike = np.exp(deviations * total)
    call = strike >= 1
    held = greeks(1.0, strike, 1.0, total, call)
    found = implied_volatility(held.price, 1.0, strike, 1.0, call)
    assert 1e-305 < held.price.min() < 1e-280
    with np.errstate(divide="ignore"):
        slack = np.maximum(1e-13, 2.0**-53 * (1 + held.price / (total * held.vega)))
    assert (np.abs(found / total - 1) <= slack).all()


def test_in_the_money_it_is_that_of_the_other_side():
    strike = np.array([60.0, 80.0, 95.0, 105.0, 120.0, 150.0])
    outside = price(100.0, strike, 0.5, 0.6, strike > 100)
    inside = outside + np.abs(100 - strike)
    found = implied_volatility(inside, 100.0, strike, 0.5, strike < 100)
    np.testing.assert_allclose(found, 0.6, rtol=1e-13)


def test_discounted_prices_are_taken_at_the_forward():
    strike, years = np.array([80.0, 100.0, 130.0]), np.array([0.1, 1.0, 3.0])
    discount = np.exp(-0.04 * years)
    call = np.array([False, True, True])
    value = price(100.0, strike, years, [0.5, 0.6, 0.7], call, discount=discount)
    found = implied_volatility(value, 100.0, strike, years, call, discount=discount)
    np.testing.assert_allclose(found, [0.5, 0.6, 0.7], rtol=1e-13)


def test_a_minute_before_expiry():
    strike = np.array([59_800.0, 59_990.0, 60_000.0, 60_010.0, 60_200.0])
    years = 1 / (365 * 1440)
    call = strike >= 60_000
    value = price(60_000.0, strike, years, 0.55, call)
    np.testing.assert_allclose(
        implied_volatility(value, 60_000.0, strike, years, call), 0.55, rtol=1e-13
    )


@pytest.mark.parametrize(
    ("value", "call"),
    [(9.99, True), (10.0, True), (100.0, True), (101.0, True), (-1.0, True), (np.inf, True),
     (0.0, False), (-0.5, False), (90.0, False), (91.0, False), (np.nan, False)],
)  # fmt: skip
def test_outside_the_bounds_there_is_none(value, call):
    assert np.isnan(implied_volatility(value, 100.0, 90.0, 0.5, call))


@pytest.mark.parametrize(
    "wrong",
    [{"years": 0.0}, {"years": -1.0}, {"years": np.nan}, {"years": np.inf}, {"forward": 0.0},
     {"forward": -100.0}, {"forward": np.nan}, {"forward": np.inf}, {"strike": 0.0},
     {"strike": -90.0}, {"strike": np.inf}, {"discount": 0.0}, {"discount": -1.0},
     {"discount": np.nan}],
)  # fmt: skip
@pytest.mark.parametrize("call", [True, False])
def test_without_sense_there_is_none(wrong, call):
    inputs = {"price": 12.0, "forward": 100.0, "strike": 95.0, "years": 0.5, "call": call}
    assert np.isfinite(implied_volatility(**inputs))
    assert np.isnan(implied_volatility(**(inputs | wrong)))


def test_one_step_inside_the_bounds_there_is_one():
    least = implied_volatility(1e-300, 1.0, [1.0, 1.1, 2.0], 1.0, True)
    most = implied_volatility(np.nextafter(1.0, 0.0), 1.0, [1.0, 1e-9, 1e9], 1.0, True)
    assert least[0] == pytest.approx(1e-300 * np.sqrt(2 * np.pi), rel=1e-13)
    np.testing.assert_allclose(price(1.0, [1.1, 2.0], 1.0, least[1:], True), 1e-300, rtol=1e-11)
    assert (most[[0, 2]] > 16).all()
    assert np.isfinite(most[[0, 2]]).all()


def test_many_at_once_are_each_as_alone():
    chance = np.random.default_rng(5)
    volatility = chance.uniform(0.05, 3, WORTH_SHARING)
    strike = 100 * np.exp(chance.uniform(-4, 4, WORTH_SHARING) * volatility)
    call = strike >= 100
    value = price(100.0, strike, 1.0, volatility, call)
    together = implied_volatility(value, 100.0, strike, 1.0, call)
    for row in range(0, WORTH_SHARING, 3_001):
        alone = implied_volatility(value[row], 100.0, strike[row], 1.0, call[row])
        assert float(alone) == together[row]
    np.testing.assert_allclose(together, volatility, rtol=1e-13)


def test_arguments_broadcast():
    assert implied_volatility([[5.0], [6.0]], 100.0, [90, 100, 110], 1.0, True).shape == (2, 3)
    assert implied_volatility(5.0, 100.0, 110.0, 1.0, True).shape == ()
    assert implied_volatility([], 100.0, 110.0, 1.0, True).shape == (0,)
