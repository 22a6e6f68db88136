"""SPAN: risk arrays, scanning risk, short option minimum and net option value.

The rule of the clearing houses (CME SPAN, 16 scenarios; `risk/scenarios/sets/span-16.toml`):
requirement = max(scan + intermonth + delivery - intercommodity credit, short option minimum)
- net option value.
"""

import numpy as np

from risk.margin.portfolio import scan
from risk.margin.rounding import nearest_e8, up_e8
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import PricedContracts, unit_profit
from risk.valuation import sum_by
from schemas.units import Floats, Int64s


def risk_arrays(
    contracts: PricedContracts, scenarios: ScenarioSet, *, scan_range: Floats | float
) -> Floats:
    """Loss of one long contract of each instrument in each scenario, weighted [I, S].

    Parameters: `scan_range`, a number or [I], the price scan range in units of price.
    """
    spot_range = scan_range / contracts.forward
    return -scenarios.weight * unit_profit(contracts, scenarios, spot_range=spot_range)


def scan_risk(
    positions: tuple[Int64s, Int64s, Int64s], arrays: Floats, size: int
) -> tuple[Int64s, Int64s]:
    """Scanning risk of buckets 0..size-1, never negative, and the active scenario, [size] each.

    Parameters: `positions` (bucket, instrument, quantity_e8), a bucket an account and commodity.
    The active scenario counts from 0 and is `portfolio.NO_SCENARIO` where nothing is lost.
    """
    return scan(*positions, -arrays, size)


def short_option_minimum(
    positions: tuple[Int64s, Int64s, Int64s],
    side: Int64s,
    charge_e8: Int64s,
    size: int,
) -> Int64s:
    """Charge of an instrument [I] x its short options, by bucket [size], rounded up.

    `side` [I] is 0 where an instrument is no option.
    """
    bucket, instrument, quantity_e8 = positions
    short_e8 = np.where(side[instrument] != 0, np.maximum(0, -quantity_e8), 0)
    return sum_by(bucket, up_e8(short_e8 * (charge_e8[instrument] / 1e8)), size)


def net_option_value(
    positions: tuple[Int64s, Int64s, Int64s], side: Int64s, value: Floats, size: int
) -> Int64s:
    """Sum of quantity x value of one contract [I] over the options of each bucket [size]."""
    bucket, instrument, quantity_e8 = positions
    worth = np.where(side[instrument] != 0, quantity_e8 * value[instrument], 0.0)
    return sum_by(bucket, nearest_e8(worth), size)


def requirement(
    scan_e8: Int64s,
    *,
    intermonth_e8: Int64s | int = 0,
    delivery_e8: Int64s | int = 0,
    credit_e8: Int64s | int = 0,
    short_option_minimum_e8: Int64s | int = 0,
    net_option_value_e8: Int64s | int = 0,
) -> Int64s:
    """What each bucket requires [size].

    The net option value is deducted where options are not part of equity; where they are, as in
    `margin.buckets`, leave it at 0. A requirement below 0 is an excess of option value.
    """
    risk_e8 = scan_e8 + intermonth_e8 + delivery_e8 - credit_e8
    required: Int64s = np.maximum(risk_e8, short_option_minimum_e8) - net_option_value_e8
    return required
