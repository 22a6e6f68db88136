"""What a value counts for as collateral, and how much more a debt weighs."""

import numpy as np

from risk.holdings import Assets
from risk.margin import steps
from schemas.units import PPM, Int64s


def counted(value_e8: Int64s, asset: Int64s, assets: Assets) -> Int64s:
    """What each value, in the valuation currency, adds to equity.

    V > 0: V - haircut, each slice of V at its own rate, rounded down to 1e-8.
    V < 0: V (1 + borrow weight), rounded down, away from zero.
    Exact integers, at most twice the value.
    """
    gain = value_e8.clip(min=0)
    step = steps.level(gain, asset, assets.haircuts)
    haircut, rest = steps.charge(gain, asset, step, assets.haircuts)
    debt = value_e8.clip(max=0)
    weight = assets.borrow_weight_ppm[asset]
    high, low = np.divmod(debt, PPM)
    kept: Int64s = gain - haircut - (rest > 0).astype(np.int64)
    owed: Int64s = debt + high * weight + low * weight // PPM
    return kept + owed
