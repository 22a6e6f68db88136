"""SPAN: arrays, scanning risk, short option minimum, net option value."""

import numpy as np
import pytest

from risk.margin.portfolio import NO_SCENARIO
from risk.margin.span import (
    net_option_value,
    requirement,
    risk_arrays,
    scan_risk,
    short_option_minimum,
)
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import PricedContracts, value
from schemas.units import E8
from tests.risk.scenarios.test_grid import preset

SCENARIOS = ScenarioSet.of(preset("span-16")["scenarios"])
CONTRACTS = PricedContracts.of(
    [100.0, 100.0, 100.0], side=[0, 1, -1], strike=[1, 105, 95], years=30 / 365, volatility=0.6
)
SIDE = CONTRACTS.side


def held(*rows: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    instrument, quantity = np.array(rows, np.int64).reshape(-1, 2).T
    return instrument * 0, instrument, quantity * E8


def test_a_future_loses_its_range_and_a_third_of_three_ranges() -> None:
    future = risk_arrays(CONTRACTS, SCENARIOS, scan_range=9.0)[0]
    thirds = [0, -3, 3, -6, 6, -9, 9]
    assert future == pytest.approx(
        [loss for move in thirds for loss in (move, move)] + [-8.91, 8.91]
    )


def test_each_instrument_has_a_range_of_its_own() -> None:
    arrays = risk_arrays(CONTRACTS, SCENARIOS, scan_range=np.array([9.0, 9.0, 0.0]))
    assert arrays[0].max() == pytest.approx(9)
    assert np.ptp(arrays[2, :14:2]) == pytest.approx(0)


def test_a_spread_scans_less_than_its_legs() -> None:
    arrays = risk_arrays(CONTRACTS, SCENARIOS, scan_range=9.0)
    legs = [scan_risk(held(leg), arrays, 1)[0][0] for leg in ((0, 5), (1, -10))]
    both, active = scan_risk(held((0, 5), (1, -10)), arrays, 1)
    assert 0 < both[0] < sum(legs)
    assert active[0] in range(len(SCENARIOS))


def test_a_book_that_only_gains_scans_to_nothing() -> None:
    risk_e8, active = scan_risk(held((0, 1), (0, -1)), np.zeros((3, 16)), 1)
    assert (risk_e8[0], active[0]) == (0, NO_SCENARIO)


def test_the_short_option_minimum_counts_short_options_only() -> None:
    charge_e8 = np.full(3, 3 * E8)
    rows = held((0, -9), (1, -2), (2, 4), (2, -1))
    assert short_option_minimum(rows, SIDE, charge_e8, 1).tolist() == [9 * E8]


def test_net_option_value_is_long_less_short() -> None:
    rows = held((0, 9), (1, 2), (2, -1))
    worth = value(CONTRACTS)
    found = net_option_value(rows, SIDE, worth, 1)
    assert found[0] / E8 == pytest.approx(2 * worth[1] - worth[2])


def test_the_requirement_is_the_larger_of_risk_and_minimum_less_option_value() -> None:
    required = requirement(
        np.array([100, 10]),
        intermonth_e8=20,
        delivery_e8=5,
        credit_e8=np.array([25, 5]),
        short_option_minimum_e8=np.array([40, 40]),
        net_option_value_e8=np.array([-7, 50]),
    )
    assert required.tolist() == [107, -10]
