"""Revaluation of single contracts: linear, inverse, options, their volatilities and skews."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.scenarios.grid import ScenarioSet, SkewShock, VolatilityMove, VolatilityShock
from risk.scenarios.shock import (
    PricedContracts,
    forward_price,
    in_quote,
    settled_part,
    shocked_volatility,
    skew_multiplier,
    unit_profit,
    unit_profit_of_moves,
)
from tests.reference import portfolio as clerk

SHOCK = {
    "up": 0.5, "down": 0.275, "short_power": 0.3, "long_power": 0.13, "floor_days": 1.0,
    "least_up": 0.45,
}  # fmt: skip


def moves(*spots: float, **table: object) -> ScenarioSet:
    return ScenarioSet.of({"scenario": [{"spot": spot} for spot in spots], **table})


def test_a_linear_contract_earns_its_move() -> None:
    contract = PricedContracts.of([200.0], multiplier=0.1)
    assert unit_profit(contract, moves(-0.5, 0, 0.25))[0] == pytest.approx([-10, 0, 5])


def test_an_inverse_contract_earns_coin_and_in_quote_a_straight_line() -> None:
    contract = PricedContracts.of([50_000.0], inverse=True, multiplier=100)
    spots = moves(-0.5, 0.25)
    coin = unit_profit(contract, spots)
    assert coin[0] == pytest.approx([100 / 50_000 - 100 / 25_000, 100 / 50_000 - 100 / 62_500])
    assert in_quote(coin, contract, spots.moves)[0] == pytest.approx([-50, 25])


@given(
    option=st.tuples(st.floats(0.01, 1e6), st.floats(0.3, 3), st.booleans()),
    days=st.floats(0.2, 700),
    volatility=st.floats(0.05, 3),
    spot=st.floats(-0.9, 4),
    move=st.sampled_from(["none", "up", "down"]),
)
def test_an_option_is_revalued_as_the_clerk_does(
    option: tuple[float, float, bool], days: float, volatility: float, spot: float, move: str
) -> None:
    forward, moneyness, call = option
    strike, years = forward * moneyness, days / 365
    contract = PricedContracts.of(
        [forward], side=1 if call else -1, strike=strike, years=years, volatility=volatility
    )
    table = {"scenario": [{"spot": spot, "volatility": move}], "volatility": SHOCK}
    shocked = clerk.shocked_volatility(volatility, days, move, SHOCK)
    expected = clerk.option_value(
        forward * (1 + spot), strike, years, shocked, call
    ) - clerk.option_value(forward, strike, years, volatility, call)
    profit = unit_profit(contract, ScenarioSet.of(table))[0, 0]
    assert profit == pytest.approx(expected, rel=1e-9, abs=1e-12 * forward * (1 + moneyness))


def test_an_option_paid_in_coin_is_worth_its_premium_over_the_forward() -> None:
    in_coin = PricedContracts.of(
        [100.0], side=1, strike=90.0, years=0.1, volatility=0.5, inverse=True
    )
    now = clerk.option_value(100, 90, 0.1, 0.5, True) / 100
    then = clerk.option_value(120, 90, 0.1, 0.5, True) / 120
    assert unit_profit(in_coin, moves(0.2))[0, 0] == pytest.approx(then - now)


def test_calls_and_puts_of_a_strike_differ_by_the_forward_in_every_scenario() -> None:
    both = PricedContracts.of(
        [100.0] * 2, side=[1, -1], strike=95.0, years=0.3, volatility=0.7, discount=0.9
    )
    call, put = unit_profit(both, moves(-0.3, 0.0, 0.6, volatility=SHOCK))
    assert call - put == pytest.approx([0.9 * -30, 0, 0.9 * 60])


def test_each_instrument_may_have_a_range_of_its_own() -> None:
    contracts = PricedContracts.of([100.0, 100.0])
    profit = unit_profit(contracts, moves(-1.0, 3.0, spot_range=0.1), spot_range=[0.1, 0.2])
    assert profit == pytest.approx(np.array([[-10, 30], [-20, 60]]))


def test_a_price_does_not_fall_below_zero() -> None:
    contracts = PricedContracts.of([100.0, 100.0], side=[0, -1], strike=80.0, volatility=1.0)
    profit = unit_profit(contracts, moves(-3.0, spot_range=0.1), spot_range=0.5)
    assert profit[:, 0] == pytest.approx([-100, 80], abs=1e-6)


def test_absolute_volatility_moves_are_points_and_time_may_pass() -> None:
    table = {
        "days_forward": 1,
        "scenario": [{"volatility": "up"}, {"volatility": "down"}],
        "volatility": {"up": 0.15, "down": 0.7, "absolute": True},
    }
    contract = PricedContracts.of([100.0], side=1, strike=90.0, years=30 / 365, volatility=0.6)
    now = clerk.option_value(100, 90, 30 / 365, 0.6, True)
    expected = [clerk.option_value(100, 90, 29 / 365, 0.75, True) - now, 10 - now]
    assert unit_profit(contract, ScenarioSet.of(table))[0] == pytest.approx(expected)


@given(days=st.floats(0, 2000), volatility=st.floats(0, 20))
def test_volatility_moves_are_ordered_and_never_negative(days: float, volatility: float) -> None:
    shock = VolatilityShock(**SHOCK)
    now, tenor = np.array([volatility]), np.array([days])
    up = shocked_volatility(now, tenor, VolatilityMove.UP, shock)[0]
    down = shocked_volatility(now, tenor, VolatilityMove.DOWN, shock)[0]
    assert 0 <= down <= volatility <= up
    assert up >= 0.45


def test_the_skew_turns_up_to_its_cap_and_never_below_zero() -> None:
    skew = SkewShock(0.15, -0.05, 0.15, -0.05, 4.0, 0.6, -0.1, 0.01)
    years = np.full(4, 0.25)
    k = np.array([-9.0, -0.1, 0.1, 9.0])
    cap, width = 0.15 - 0.05 * 0.5, 0.5 * 4.0 * (0.6 - 0.1 * 0.5)
    inner = 0.1 * cap / width
    linear = skew_multiplier(k, years, VolatilityMove.LINEAR, skew)
    absolute = skew_multiplier(k, years, VolatilityMove.ABSOLUTE, skew)
    assert linear == pytest.approx([1 - cap, 1 - inner, 1 + inner, 1 + cap])
    assert absolute == pytest.approx([1 + cap, 1 + inner, 1 + inner, 1 + cap])
    wide = SkewShock(linear_cap=9.0, width=1.0)
    assert skew_multiplier(k, years, VolatilityMove.LINEAR, wide)[0] == 0


def test_a_skew_leaves_what_is_no_option_alone() -> None:
    table = {"scenario": [{"volatility": "linear"}], "skew": {"linear_cap": 0.2}}
    assert unit_profit(PricedContracts.of([100.0]), ScenarioSet.of(table))[0, 0] == 0


def test_what_is_averaged_already_moves_no_more() -> None:
    forward = np.array([100.0, 100.0, 100.0])
    fixed = settled_part(forward, np.array([7200.0, 450.0, 0.0]), 1800.0)
    assert fixed.tolist() == [0, 75, 100]
    contracts = PricedContracts.of(forward, fixed=fixed)
    assert unit_profit(contracts, moves(0.2))[:, 0] == pytest.approx([20, 5, 0])
    assert settled_part(forward, np.zeros(3), 0.0).tolist() == [0, 0, 0]


def test_joint_moves_reach_each_instrument_by_its_underlying() -> None:
    contracts = PricedContracts.of(
        [100.0, 50.0, 50.0], side=[0, 0, 1], strike=50.0, years=0.1, volatility=0.5
    )
    days = np.array([[-0.1, 0.2], [0.3, -0.4]])
    profit = unit_profit_of_moves(contracts, days, np.array([0, 1, 1]))
    assert profit[:2] == pytest.approx(np.array([[-10, 30], [10, -20]]))
    assert profit[2, 0] == pytest.approx(
        clerk.option_value(60, 50, 0.1, 0.5, True) - clerk.option_value(50, 50, 0.1, 0.5, True)
    )


def test_a_forward_carries_its_basis() -> None:
    assert forward_price(100.0, 0.08, 0.5) == pytest.approx(100 * math.exp(0.04))


@pytest.mark.parametrize("forward", [0.0, -1.0, float("nan"), float("inf")])
def test_a_forward_without_a_price_is_refused(forward: float) -> None:
    with pytest.raises(ValueError, match=r"positive|finite"):
        PricedContracts.of([100.0, forward])
