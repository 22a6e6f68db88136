"""Exact arithmetic of the market against Decimal and against the arrays of schemas.units."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import E8, divide_e8, multiply_e8
from streams.market import exact
from streams.market.contracts import round_lot_e8, seeded_catalogue

AMOUNTS = st.integers(-(10**13), 10**13)


@given(AMOUNTS, AMOUNTS)
def test_products_round_half_away_from_zero(left: int, right: int) -> None:
    with localcontext() as context:
        context.prec = 60
        by_decimal = (Decimal(left) * right / E8).to_integral_value(ROUND_HALF_UP)
    assert exact.multiply_e8(left, right) == by_decimal
    values, fits = multiply_e8(np.array([left]), np.array([right]))
    assert not fits[0] or values[0] == by_decimal


@given(AMOUNTS, AMOUNTS.filter(bool))
def test_quotients_are_those_of_the_arrays(left: int, right: int) -> None:
    values, fits = divide_e8(np.array([left]), np.array([right]))
    if fits[0]:
        assert exact.divide_e8(left, right) == values[0]


@given(st.integers(0, 10**15), st.integers(1, 10**9))
def test_floor_and_ceiling_enclose(value: int, step: int) -> None:
    low, high = exact.floor_to(value, step), exact.ceil_to(value, step)
    assert low <= value <= high
    assert low % step == high % step == 0
    assert high - low in (0, step)


@given(st.floats(1e-6, 1e6))
def test_a_lot_is_worth_one_to_ten_dollars(contract_usd: float) -> None:
    lot = round_lot_e8(contract_usd) / E8
    assert 0.999 <= lot * contract_usd < 10.001


def test_values_of_linear_and_inverse_contracts() -> None:
    listings = seeded_catalogue().listings
    linear, inverse = listings["BTC-PERP"], listings["BTC-USD-INV"]
    assert linear.value_e8(-2 * E8, 50_000 * E8) == -100_000 * E8
    assert inverse.value_e8(3 * E8, 50_000 * E8) == -600_000
    assert inverse.contract_usd(50_000 * E8) == 100.0
    assert linear.contract_usd(50_000 * E8) == 50_000.0
