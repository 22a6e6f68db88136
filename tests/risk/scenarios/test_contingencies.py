"""Contingencies against the clerk: expiries, vega, naked options, liquidity."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.margin.contingencies import (
    ContingencyRule,
    Exposures,
    contingencies,
    expiry_charge,
    liquidity_charge,
    naked_charge,
    price_charge,
    vega_charge,
)
from schemas.units import E8
from tests.reference import portfolio as clerk

# Rows: perpetual, future, call 100, put 100, call 120 of underlying 0; perpetual of underlying 1.
EXPOSURES = Exposures(
    underlying=np.array([0, 0, 0, 0, 0, 1]),
    expiry=np.array([0, 1, 1, 1, 2, 0]),
    years=np.array([0.0, 0.5, 0.5, 0.5, 1.0, 0.0]),
    tenor=np.array([0, 0, 1, 1, 2, 0]),
    strike_e8=np.array([0, 0, 100 * E8, 100 * E8, 120 * E8, 0]),
    option=np.array([0, 0, E8, E8, 10 * E8, 0]),
    price=np.array([100.0, 100.0, 100.0, 100.0, 100.0, 20.0]),
    delta_value=np.array([100.0, 100.0, 50.0, -50.0, 30.0, 20.0]),
    vega=np.array([0.0, 0.0, 25.0, 25.0, 40.0, 0.0]),
)
HELD = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(-(10**12), 10**12)), max_size=12
)
RULE = ContingencyRule(0.01, 0.075, 0.25, 0.003, 0.1, 2_000.0)


def columns(held: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bucket, instrument, quantity_e8 = np.array(held, np.int64).reshape(-1, 3).T
    return bucket, instrument, quantity_e8


def one(*held: tuple[int, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return columns([(0, row, round(quantity * E8)) for row, quantity in held])


@given(HELD)
def test_offsetting_charges_agree_with_the_clerk(held: list[tuple[int, int, int]]) -> None:
    spread = ContingencyRule(spread=1.0, vega=1.0)
    found = expiry_charge(columns(held), EXPOSURES, spread, 3)
    vega = vega_charge(columns(held), EXPOSURES, spread, 3)
    for bucket in range(3):
        own = [(row, quantity) for owner, row, quantity in held if owner == bucket]
        for charged, place, exposure in (
            (found, EXPOSURES.expiry, EXPOSURES.delta_value),
            (vega, EXPOSURES.tenor, EXPOSURES.vega),
        ):
            expected = sum(
                clerk.matched(
                    [
                        (int(place[row]), round(quantity * float(exposure[row])))
                        for row, quantity in own
                        if EXPOSURES.underlying[row] == underlying
                    ]
                )
                for underlying in (0, 1)
            )
            assert charged[bucket] == expected


@given(HELD)
def test_naked_shorts_agree_with_the_clerk(held: list[tuple[int, int, int]]) -> None:
    found = naked_charge(columns(held), EXPOSURES, ContingencyRule(naked_short=0.01), 3)
    keyed = [
        ((owner, int(EXPOSURES.expiry[row]), int(EXPOSURES.strike_e8[row])), quantity * size)
        for owner, row, quantity in held
        if (size := int(EXPOSURES.option[row]) // E8)
    ]
    naked = clerk.naked(keyed)
    for bucket in range(3):
        # 1 % of a price of 100.
        assert found[bucket] == sum(short for key, short in naked.items() if key[0] == bucket)


@given(HELD, st.randoms(use_true_random=False))
def test_the_order_of_positions_does_not_matter(held: list[tuple[int, int, int]], seed) -> None:
    shuffled = list(held)
    seed.shuffle(shuffled)
    charges = [
        contingencies(columns(rows), EXPOSURES, RULE, 3).tolist()
        for rows in (held, shuffled, sorted(held))
    ]
    assert charges[0] == charges[1] == charges[2]


def test_a_calendar_spread_pays_for_its_basis_and_an_outright_only_for_its_age() -> None:
    rule = ContingencyRule(spread=0.01, basis_a_year=0.1)
    calendar = one((0, 10), (1, -10))
    assert expiry_charge(calendar, EXPOSURES, rule, 1).tolist() == [(10 + 50) * E8]
    assert expiry_charge(one((0, 10)), EXPOSURES, rule, 1).tolist() == [0]
    assert expiry_charge(one((0, 1), (5, -5)), EXPOSURES, rule, 1).tolist() == [0]


def test_a_long_put_covers_a_short_call_of_its_strike_but_of_no_other() -> None:
    rule = ContingencyRule(naked_short=0.003)
    assert naked_charge(one((2, -2), (3, 2)), EXPOSURES, rule, 1).tolist() == [0]
    assert naked_charge(one((2, -3), (3, 2)), EXPOSURES, rule, 1).tolist() == [round(0.3 * E8)]
    assert naked_charge(one((2, 9), (4, -1)), EXPOSURES, rule, 1).tolist() == [3 * E8]


def test_only_delta_beyond_the_threshold_pays_for_liquidity() -> None:
    rule = ContingencyRule(liquidity=0.1, liquidity_from=2_000.0)
    assert liquidity_charge(one((0, 20)), EXPOSURES, rule, 1).tolist() == [0]
    assert liquidity_charge(one((0, -25)), EXPOSURES, rule, 1).tolist() == [50 * E8]
    assert liquidity_charge(one((0, 20), (5, 100)), EXPOSURES, rule, 1).tolist() == [0]


def test_nothing_held_and_no_rates_cost_nothing() -> None:
    assert contingencies(columns([]), EXPOSURES, RULE, 2).tolist() == [0, 0]
    assert contingencies(one((2, -5)), EXPOSURES, ContingencyRule(), 1).tolist() == [0]


def test_charges_are_rounded_up() -> None:
    assert price_charge(np.array([1, -3]), np.array([100.0, 0.5]), 0.006).tolist() == [1, 1]
    assert math.ceil(3 * 0.5 * 0.006) == 1


def test_an_exposure_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError, match="row 0"):
        contingencies(one((0, 9e9)), EXPOSURES, RULE, 1)
