"""Rules and rows as the compiled kernel takes them: contiguous tables of int64."""

import numpy as np
from numpy.typing import ArrayLike

from risk.holdings import Assets, Rules, StepTable, Tiers
from risk.kept import kept
from risk.margin.kernel import Flags
from risk.margin.rows import Columns
from risk.tables import NO_FLOOR
from schemas.units import E8, PPM, Int64s

NO_CAP = np.iinfo(np.int64).max


def plain(values: ArrayLike) -> Int64s:
    """As the kernel is compiled for: int64, contiguous; copied only if it is not."""
    return np.require(values, np.int64, ["C", "W"])


def table(*columns: ArrayLike) -> Int64s:
    """Columns side by side, on the last axis."""
    result = np.empty((*np.shape(columns[0]), len(columns)), np.int64)
    for place, column in enumerate(columns):
        result[..., place] = column
    return result


@kept
def steps(of: StepTable) -> Int64s:
    return table(_next(of.floor_e8), of.rate_ppb, of.cum_e8, of.cum_rest_ppb)


def _next(floor_e8: Int64s) -> Int64s:
    """The floor above each step, NO_FLOOR above the last."""
    above = np.full_like(floor_e8, NO_FLOOR)
    above[:, :-1] = floor_e8[:, 1:]
    return above


@kept
def tiers(of: Tiers) -> Int64s:
    high, low = of.initial, of.maintenance
    return table(
        _next(high.floor_e8),
        high.rate_ppb,
        high.cum_e8,
        high.cum_rest_ppb,
        low.rate_ppb,
        low.cum_e8,
        low.cum_rest_ppb,
    )


def first(of_tiers: Int64s) -> Int64s:
    """The first tier of every instrument, column by column [., I]."""
    return of_tiers[:, 0].T.copy()


@kept
def premiums(of: Tiers) -> Int64s:
    return table(of.fee_ppb, of.initial_factor_ppb, of.maintenance_factor_ppb)


def market(marks_e8: Int64s, in_force: Rules) -> Int64s:
    """What every instrument is worth, column by column [., I]."""
    contracts = in_force.contracts
    inverse, price_e8 = contracts.inverse, in_force.assets.price_e8[contracts.settlement]
    return np.array(
        (
            np.where(inverse, E8, contracts.multiplier_e8),
            np.where(inverse, 0, marks_e8),
            np.where(inverse, E8, price_e8),
            inverse,
            contracts.multiplier_e8,
            marks_e8,
            price_e8,
            contracts.settlement,
        ),
        np.int64,
    )


@kept
def rules(in_force: Rules) -> tuple[Columns, Flags]:
    """All tables but that of the marks."""
    assets, count = in_force.assets, len(in_force.contracts.settlement)
    weight, cap = in_force.profit_weight_ppm, in_force.profit_cap_e8
    limited = weight is not None or cap is not None
    limits = table(
        np.full(count, PPM) if weight is None else weight,
        np.full(count, NO_CAP) if cap is None else cap,
    )
    strict = limited or assets.slow_price_e8 is not None
    of_tiers = tiers(in_force.tiers)
    tables = (
        first(of_tiers),
        of_tiers,
        premiums(in_force.tiers),
        limits,
        table(assets.price_e8, assets.price_e8, assets.borrow_weight_ppm),
        _strict_assets(assets),
        steps(assets.haircuts),
    )
    return tables, (in_force.larger_leg, strict)


def _strict_assets(of: Assets) -> Int64s:
    """The lower of price and slow price for an asset, the higher for a debt."""
    price = of.price_e8
    slow = price if of.slow_price_e8 is None else of.slow_price_e8
    return table(np.minimum(price, slow), np.maximum(price, slow), of.borrow_weight_ppm)
