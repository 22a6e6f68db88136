"""What a value counts for as collateral, and how much more a debt weighs."""

import numpy as np

from risk.holdings import Assets
from risk.margin.columns import plain, steps
from risk.margin.rows import count_collateral
from schemas.units import Int64s


def counted(value_e8: Int64s, asset: Int64s, assets: Assets) -> Int64s:
    """What each value, in the valuation currency, adds to equity.

    V > 0: V - haircut, each slice of V at its own rate, rounded down to 1e-8.
    V < 0: V (1 + borrow weight), rounded down, away from zero.
    Exact integers, at most twice the value.
    """
    counts_e8, table = np.empty(len(value_e8), np.int64), steps(assets.haircuts)
    for of in np.unique(asset):
        rows = np.flatnonzero(asset == of)
        counts = np.empty(len(rows), np.int64)
        count_collateral(plain(value_e8[rows]), assets.borrow_weight_ppm[of], table[of], counts)
        counts_e8[rows] = counts
    return counts_e8
