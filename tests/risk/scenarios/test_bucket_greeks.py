"""Greeks of contracts by finite differences, and their sums by bucket and underlying."""

from dataclasses import fields

import numpy as np
import pytest

from risk.margin.bucket_greeks import bucket_greeks, contract_greeks
from risk.pricing.black76 import Greeks
from risk.scenarios.shock import PricedContracts, in_quote, unit_profit_of_moves, value
from schemas.units import E8

TERMS = {
    "side": [0, 0, 1, -1, 1],
    "strike": 95.0,
    "years": 0.25,
    "volatility": 0.6,
    "discount": 0.97,
    "inverse": [False, True, False, False, False],
    "multiplier": [2.0, 500.0, 1.0, 0.1, 10.0],
}


def contracts(**changes: object) -> PricedContracts:
    return PricedContracts.of([100.0] * 5, **{**TERMS, **changes})


def bumped(step: float) -> np.ndarray:
    moves = np.array([[step]])
    profit = unit_profit_of_moves(contracts(), moves, np.zeros(5, np.int64))
    return in_quote(profit, contracts(), np.array([step]))[:, 0]


def test_delta_and_gamma_are_the_change_of_value_with_the_price() -> None:
    greeks, step = contract_greeks(contracts()), 1e-3
    price = 100 * step
    up, down = bumped(step), bumped(-step)
    assert greeks.delta == pytest.approx((up - down) / (2 * price), rel=1e-5)
    assert greeks.gamma == pytest.approx((up + down) / price**2, rel=1e-4, abs=1e-9)


def test_vega_and_theta_are_the_change_of_value_with_volatility_and_time() -> None:
    greeks = contract_greeks(contracts())
    vega = (value(contracts(volatility=0.601)) - value(contracts(volatility=0.599))) / 0.002
    theta = (value(contracts(years=0.2499)) - value(contracts(years=0.2501))) / 0.0002
    assert greeks.vega == pytest.approx(vega, rel=1e-5, abs=1e-9)
    assert greeks.theta == pytest.approx(theta, rel=1e-4, abs=1e-6)


def test_sums_are_by_bucket_and_underlying_whatever_the_order() -> None:
    greeks = contract_greeks(contracts())
    underlying = np.array([0, 0, 0, 1, 1])
    bucket, instrument = np.array([0, 2, 0, 2, 0]), np.array([2, 3, 3, 2, 2])
    quantity_e8 = np.array([5, -3, 7, 11, -2]) * E8
    sums = bucket_greeks(bucket, instrument, quantity_e8, greeks, underlying, size=3, underlyings=2)
    back = bucket_greeks(
        bucket[::-1], instrument[::-1], quantity_e8[::-1], greeks, underlying, size=3, underlyings=2
    )
    assert set(sums) == {field.name for field in fields(Greeks)}
    for name, table in sums.items():
        unit = getattr(greeks, name)
        expected = [[3 * unit[2], 7 * unit[3]], [0, 0], [11 * unit[2], -3 * unit[3]]]
        assert table / E8 == pytest.approx(np.array(expected), abs=2e-8)
        assert back[name].tolist() == table.tolist()


def test_futures_alone_and_nothing_at_all() -> None:
    greeks = contract_greeks(PricedContracts.of([100.0, 40_000.0], inverse=[False, True]))
    assert greeks.delta.tolist() == [1, 1 / 40_000]
    assert not greeks.vega.any()
    none = np.zeros(0, np.int64)
    empty = bucket_greeks(none, none, none, greeks, none, size=2, underlyings=1)
    assert empty["delta"].tolist() == [[0], [0]]


def test_a_sum_that_does_not_fit_is_refused() -> None:
    greeks = contract_greeks(PricedContracts.of([100.0]))
    rows = np.zeros(1, np.int64)
    with pytest.raises(OverflowError, match="row 0"):
        bucket_greeks(rows, rows, np.array([10**17]), greeks, rows, size=1, underlyings=1)
