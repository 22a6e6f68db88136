"""Values of contracts are exact and symmetric, sums are exact in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.valuation import contract_value, exact_sums, sum_by
from schemas.units import E8, LIMIT_E8
from tests.reference import margin as slow
from tests.risk.books import ints

UNITS = st.integers(-(10**11), 10**11) | st.integers(-2, 2)
FACTORS = st.integers(1, 10**10)
PRICES = st.integers(1, 10**13)


def value(inverse, multiplier, quantity, price):
    result, fits = contract_value(
        np.array([inverse]), ints([multiplier]), ints([quantity]), ints([price])
    )
    return int(result[0]), bool(fits[0])


@given(st.booleans(), FACTORS, UNITS, PRICES)
def test_value_is_the_twins_wherever_it_fits(inverse, multiplier, quantity, price):
    got, fits = value(inverse, multiplier, quantity, price)
    expected = slow.contract_value(inverse, multiplier, quantity, price)
    assert got == (expected if fits else 0)
    assert fits or abs(expected) > LIMIT_E8 * 0.999


@given(st.booleans(), FACTORS, UNITS, PRICES)
def test_both_sides_of_a_trade_have_opposite_values(inverse, multiplier, quantity, price):
    got, _ = value(inverse, multiplier, quantity, price)
    other, _ = value(inverse, multiplier, -quantity, price)
    assert other == -got


def test_a_linear_contract_is_worth_quantity_times_multiplier_times_price():
    assert value(False, E8 // 1000, 5 * E8, 60_000 * E8) == (300 * E8, True)


def test_an_inverse_contract_is_worth_minus_its_quote_units_over_the_price():
    assert value(True, 100 * E8, 5 * E8, 50_000 * E8) == (-E8 // 100, True)
    assert value(True, 100 * E8, -5 * E8, 50_000 * E8) == (E8 // 100, True)


def test_what_does_not_fit_says_so():
    assert value(False, E8, 10**10 * E8 - 1, 2 * E8) == (0, False)
    assert value(True, E8, E8, 0) == (0, False)
    assert value(True, E8, 10**18 - 1, 1) == (0, False)


def test_linear_and_inverse_rows_mix():
    values, fits = contract_value(
        np.array([False, True]), ints([E8, E8]), ints([2 * E8, 2 * E8]), ints([4 * E8, 4 * E8])
    )
    assert values.tolist() == [8 * E8, -E8 // 2]
    assert fits.tolist() == [True, True]


AMOUNTS = st.integers(-LIMIT_E8, LIMIT_E8)


@given(st.lists(st.tuples(st.integers(0, 3), AMOUNTS), max_size=40), st.randoms())
def test_sums_are_exact_and_do_not_depend_on_order(pairs, random):
    expected = [sum(amount for index, amount in pairs if index == row) for row in range(4)]
    for _ in range(2):
        index, amounts = ints([i for i, _ in pairs]), ints([a for _, a in pairs])
        sums, fits = exact_sums(index, amounts, 4)
        assert fits.tolist() == [abs(total) <= LIMIT_E8 for total in expected]
        kept = zip(expected, fits, strict=True)
        assert sums.tolist() == [total if fit else 0 for total, fit in kept]
        random.shuffle(pairs)


def test_a_sum_that_does_not_fit_names_its_row():
    with pytest.raises(OverflowError, match="row 2"):
        sum_by(ints([2, 2, 0]), ints([LIMIT_E8, 1, 5]), 3)
    # Ten times the limit wraps around 64 bits; the total is what counts.
    wraps = ints([LIMIT_E8] * 20)
    with pytest.raises(OverflowError, match="row 0"):
        sum_by(np.zeros(20, np.int64), wraps, 1)
    back = np.concatenate((wraps, -wraps, ints([7])))
    assert sum_by(np.zeros(41, np.int64), back, 1).tolist() == [7]
