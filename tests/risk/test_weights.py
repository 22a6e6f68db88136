"""Weights move one way with size and crowding, and requirements are rounded up once."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.margin import weights
from risk.margin.open_interest import initial_rate_ppm, lift_ppm, maintenance_rate_ppm
from risk.margin.weights import Weighing
from schemas.units import E8, LIMIT_E8, PPM
from tests.risk.books import ints

fractions = st.floats(0, 2)
sizes = st.floats(0, 1e10)
factors = st.floats(0, 0.1)
grains = st.sampled_from([0.0, 1e-4])
prices = st.floats(1e-4, 1e6)
notionals = st.integers(0, 10**16)


@given(fractions, sizes, sizes, factors, grains)
def test_a_larger_liability_never_weighs_less(weight, size, more, factor, grain):
    small = weights.size_premium(weight, size, factor, grain=grain)
    large = weights.size_premium(weight, size + more, factor, grain=grain)
    assert weight <= small <= large


@given(st.floats(0, 1), sizes, sizes, factors, grains)
def test_a_larger_asset_never_weighs_more(weight, size, more, factor, grain):
    small = weights.size_discount(weight, size, factor, grain=grain)
    large = weights.size_discount(weight, size + more, factor, grain=grain)
    assert 0 <= large <= small <= weight


def test_sizes_at_which_premium_and_discount_begin():
    assert weights.size_premium(1.2, 0, 0.01) == 1.2
    assert weights.size_premium(0.1, 400, 0.001) == pytest.approx(0.1)  # 0.08 + 0.02
    assert weights.size_premium(0.1, 900, 0.001) == pytest.approx(0.11)
    assert weights.size_discount(0.9, 0, 0.01) == 0.9
    assert weights.size_discount(0.55, 10_000, 0.01) == pytest.approx(0.55)  # 1.1 / 2
    assert weights.size_premium(0.1, 901, 0.001, grain=1e-4) == pytest.approx(0.11)


@given(st.floats(0, 1), sizes, sizes, st.floats(1, 1e9))
def test_a_crowded_asset_counts_for_no_more_than_its_cap(weight, deposits, more, cap):
    few = weights.deposit_scaled(weight, deposits, cap)
    many = weights.deposit_scaled(weight, deposits + more, cap)
    assert many <= few <= weight
    assert few * deposits <= weight * cap * (1 + 1e-12)


def test_caps_and_their_edges():
    assert weights.deposit_scaled(0.8, 5e9, np.inf) == 0.8
    assert weights.deposit_scaled(0.8, 0, 0) == 0.8
    assert weights.deposit_scaled(0.8, 1, 0) == 0
    assert weights.borrow_scaled(1.5, 7_500, 5_000) == 2.25
    assert weights.borrow_scaled(1.5, 5_000, 5_000) == 1.5
    assert weights.borrow_scaled(1.5, 0, 0) == 1.5
    assert weights.borrow_scaled(1.5, 1, 0) == np.inf


@given(st.floats(-1e9, 1e9), prices, prices, st.floats(0, 1), st.floats(1, 2))
def test_a_strict_price_never_raises_a_value(amount, spot, slow, asset, liability):
    low, high = weights.strict_prices(np.array([spot]), np.array([slow]))
    of = np.array([asset]), np.array([liability])
    plain = Weighing(np.array([spot]), np.array([spot]), *of)
    held = np.array([amount])
    assert Weighing(low, high, *of).value(held) <= plain.value(held)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 1), st.floats(0, 1e6))
def test_a_loss_counts_in_full_and_a_profit_up_to_its_cap(profit, more, weight, cap):
    counted = weights.counted_profit(profit, weight, cap)
    assert counted <= max(min(profit, cap), profit * (profit < 0))
    assert counted <= weights.counted_profit(profit + more, weight, cap)
    assert weights.counted_profit(-abs(profit), weight, cap) == -abs(profit)


def test_a_bounded_contract_loses_at_most_what_its_price_can_move():
    loss = weights.worst_payoff(np.array([2.0, -2.0, 0.0]), 0.25)
    np.testing.assert_allclose(loss, [0.5, 1.5, 0])
    assert weights.worst_payoff(-1, 110, floor=50, cap=150) == 40


@given(notionals, st.integers(0, PPM))
def test_a_requirement_is_rounded_up_once(notional, rate_ppm):
    required = int(weights.required_e8(ints([notional]), rate_ppm / PPM)[0])
    exact = Decimal(notional) * rate_ppm / PPM
    # A float has 53 bits: beyond them a unit is noise.
    noise = Decimal(float(np.spacing(float(exact)))) * 8
    assert exact - noise <= required < exact + 1 + noise


@given(notionals, notionals, fractions)
def test_more_notional_never_requires_less(notional, more, rate):
    small, large = weights.required_e8(ints([notional, notional + more]), rate)
    assert small <= large


def test_a_requirement_adds_what_is_fixed_and_refuses_what_does_not_fit():
    assert weights.required_e8(ints([3]), 0.5, scalar=0.5, fixed_e8=10).tolist() == [11]
    assert weights.required_e8(ints([3 * E8]), 0.1).tolist() == [3 * E8 // 10]
    assert weights.required_e8(ints([0]), 0.1).tolist() == [0]
    with pytest.raises(OverflowError, match="2e\\+18 is beyond"):
        weights.required_e8(ints([10**18]), 2.0)


@given(st.integers(-LIMIT_E8, LIMIT_E8), st.integers(0, 9 * PPM))
def test_a_portion_is_exact_and_rounded_down(amount, ppm):
    assert int(weights.portion_e8(ints([amount]), ppm)[0]) == amount * ppm // PPM


@given(
    st.integers(0, PPM),
    st.integers(0, 10**17),
    st.integers(0, 10**17),
    st.integers(0, 10**18 - 1),
    st.integers(0, 10**17),
)
def test_the_initial_rate_rises_with_open_interest_to_one(base, lower, span, interest, more):
    def rates(open_interest):
        caps = ints([lower]), ints([lower + span]), ints([open_interest])
        return int(initial_rate_ppm(ints([base]), *caps)[0]), int(lift_ppm(*caps)[0])

    (rate, lift), (later, lifted) = rates(interest), rates(interest + more)
    assert base <= rate <= later <= PPM
    assert 0 <= lift <= lifted <= PPM
    assert rate * PPM <= base * PPM + (PPM - base) * lift  # the lift is rounded the other way


def test_open_interest_rates_at_their_edges():
    upper = ints([2_000_000])
    for interest, rate in ((0, 200_000), (10**6, 200_000), (1_234_567, 387_653)):
        found = initial_rate_ppm(ints([200_000]), ints([10**6]), upper, ints([interest]))
        assert found.tolist() == [rate]
    assert lift_ppm(ints([10**6]), upper, upper).tolist() == [PPM]
    off = ints([0])
    assert initial_rate_ppm(ints([200_000]), off, off, upper).tolist() == [200_000]
    assert maintenance_rate_ppm(ints([637_239]), ints([289_284])).tolist() == [184_343]
