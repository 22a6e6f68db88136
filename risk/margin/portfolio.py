"""Portfolio margin: the worst loss of every bucket over a table of scenarios.

Instruments are revalued once (`risk.scenarios.shock`). A bucket's profit in a scenario is the sum
of quantity x unit profit, each term rounded to 1e-8, in integers: no result depends on the order
of positions, nor on the number of cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.holdings import Bools
from risk.margin.scenario_sums import (
    Rows,
    all_profits,
    rows_by_bucket,
    worst_losses,
    worst_losses_by_side,
)
from risk.scenarios.grid import number
from schemas.units import PPM, Floats, Int64s

NO_SCENARIO = -1
"""Worst scenario of a bucket that loses in none."""
HISTORICAL = -2
"""Worst scenario of a bucket whose historical tail is above its scan."""


def scan(
    bucket: Int64s,
    instrument: Int64s,
    quantity_e8: Int64s,
    unit_profit: Floats,
    size: int,
    *,
    relief_e8: Int64s | None = None,
) -> tuple[Int64s, Int64s]:
    """Worst loss of buckets 0..size-1, and the scenario that brings it.

    Parameters: `bucket`, `instrument`, `quantity_e8` [P], in any order, fastest sorted by bucket;
    `unit_profit` [I, S] the change of value of one contract in each scenario, times its weight;
    `relief_e8` [S] what is taken off a bucket's loss in each scenario, down to nothing.

    Returns loss_e8 [size], never negative, and worst [size], the first of the worst scenarios, or
    NO_SCENARIO where none loses.

    Raises ValueError where a row is out of range or a profit is not finite, OverflowError naming
    the lowest bucket whose loss does not fit.
    """
    rows = rows_by_bucket((bucket, instrument, quantity_e8), unit_profit, size)
    loss_e8, worst = np.zeros(size, np.int64), np.zeros(size, np.int64)
    worst_losses(rows, _begin(rows, relief_e8), loss_e8, worst)
    _refuse(loss_e8 >= 0)
    return loss_e8, worst


def scan_sides(
    bucket: Int64s,
    instrument: Int64s,
    quantity_e8: Int64s,
    unit_profit: Floats,
    size: int,
    *,
    moves: Floats,
    relief_e8: Int64s | None = None,
) -> tuple[Int64s, Int64s]:
    """Worst loss of each bucket where the spot falls, and where it rises, [size] each.

    Parameters: as of `scan`, and `moves` [S], the move of the spot in each scenario. Scenarios that
    leave the spot where it is belong to both sides. With a bucket an underlying this is what
    `offsets.across` takes.
    """
    rows = rows_by_bucket((bucket, instrument, quantity_e8), unit_profit, size)
    down_e8, up_e8 = np.zeros(size, np.int64), np.zeros(size, np.int64)
    side = np.sign(moves).astype(np.int64)
    worst_losses_by_side(rows, _begin(rows, relief_e8), side, down_e8, up_e8)
    _refuse(down_e8 >= 0)
    return down_e8, up_e8


def scenario_profits(
    bucket: Int64s, instrument: Int64s, quantity_e8: Int64s, unit_profit: Floats, size: int
) -> Int64s:
    """Profit of buckets 0..size-1 in each scenario, e8 [size, S]; arguments as of `scan`."""
    rows = rows_by_bucket((bucket, instrument, quantity_e8), unit_profit, size)
    profit_e8 = np.zeros((size, rows.unit.shape[1]), np.int64)
    fits = np.ones(size, np.bool_)
    all_profits(rows, _begin(rows, None), profit_e8, fits)
    _refuse(fits)
    return profit_e8[:, : unit_profit.shape[1]]


@dataclass(frozen=True, slots=True)
class PortfolioRule:
    """What the requirements are made of."""

    loss_factor_ppm: int = PPM
    """Share of the worst loss that maintenance takes."""
    initial_factor_ppm: int = 1_250_000
    """Initial / maintenance."""

    @staticmethod
    def of(table: Mapping[str, Any]) -> "PortfolioRule":
        """From {"loss_factor": 0.8, "initial_factor": 1.25}; either may be left out.

        Raises ValueError on another name, on an initial factor below 1, and on a factor that is
        negative or no whole number of ppm.
        """
        least = {"loss_factor": 0.0, "initial_factor": 1.0}
        factors = {}
        for name, value in table.items():
            if name not in least:
                raise ValueError(f"portfolio: {name!r} is unknown, known are {sorted(least)}")
            ppm = number(value, f"portfolio: {name}", least[name]) * PPM
            if abs(ppm - round(ppm)) > 1e-6 * max(1.0, ppm):
                raise ValueError(f"portfolio: {name} = {value!r} has more than 6 decimals")
            factors[f"{name}_ppm"] = round(ppm)
        return PortfolioRule(**factors)


@dataclass(frozen=True, slots=True)
class PortfolioMargin:
    """What each bucket requires, and why."""

    maintenance_margin_e8: Int64s  # [N]
    initial_margin_e8: Int64s  # [N]
    worst: Int64s  # [N] index of the worst scenario, NO_SCENARIO or HISTORICAL


def portfolio_margin(
    scan_e8: Int64s,
    worst: Int64s,
    rule: PortfolioRule,
    *,
    tail_e8: Int64s | int = 0,
    contingency_e8: Int64s | int = 0,
) -> PortfolioMargin:
    """MM = factor x max(scan, tail) + contingencies, IM = MM x factor; each rounded up once.

    Parameters: `scan_e8`, `worst` [N] from `scan`, where there are several underlyings put through
    `offsets.across`; `tail_e8` [N] from `tail`; `contingency_e8` [N] from `contingencies`.
    """
    tail = np.broadcast_to(np.asarray(tail_e8, np.int64), scan_e8.shape)
    maintenance_e8 = share_up(np.maximum(scan_e8, tail), rule.loss_factor_ppm) + contingency_e8
    return PortfolioMargin(
        maintenance_e8,
        share_up(maintenance_e8, rule.initial_factor_ppm),
        np.where(tail > scan_e8, HISTORICAL, worst),
    )


def share_up(amount_e8: Int64s, ppm: int) -> Int64s:
    """amount x ppm, exact, then rounded up."""
    whole, rest = np.divmod(amount_e8, PPM)
    result: Int64s = whole * ppm - (-rest * ppm // PPM)
    return result


def _begin(rows: Rows, relief_e8: Int64s | None) -> Int64s:
    """What each sum of profits begins with [scenarios of `rows`]."""
    begin_e8 = np.zeros(rows.unit.shape[1], np.int64)
    if relief_e8 is not None:
        begin_e8[: len(relief_e8)] = relief_e8
    return begin_e8


def _refuse(fits: Bools) -> None:
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise OverflowError(f"bucket row {row}: a loss is beyond 9,999,999,999.99999999")
