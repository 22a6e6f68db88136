"""Initial margin rates that rise with the open interest of a market; the rule of dYdX v4.

Exact integers, one row for each instrument. Open interest and its caps are notional in one
currency; an upper cap of 0 switches the rule off. Only the initial rate moves: nobody is liquidated
because others trade.
"""

import numpy as np

from schemas.units import PPM, Int64s


def lift_ppm(lower_e8: Int64s, upper_e8: Int64s, open_interest_e8: Int64s) -> Int64s:
    """How far the initial rate is lifted towards 100%, [I], rounded up: what `Tiers.of` takes.

    clamp((OI - lower) / (upper - lower), 0, 1).
    """
    risen, span = _risen(lower_e8, upper_e8, open_interest_e8)
    return (-(-risen * PPM // span)).astype(np.int64)


def initial_rate_ppm(
    base_ppm: Int64s, lower_e8: Int64s, upper_e8: Int64s, open_interest_e8: Int64s
) -> Int64s:
    """base + (1 - base) x lift, [I], rounded down to ppm, as dYdX shows it."""
    risen, span = _risen(lower_e8, upper_e8, open_interest_e8)
    increase: Int64s = ((PPM - base_ppm) * risen // span).astype(np.int64)
    return base_ppm + increase


def maintenance_rate_ppm(initial_ppm: Int64s, fraction_ppm: Int64s) -> Int64s:
    """Maintenance rate as a fraction of the base initial rate, [I], rounded down to ppm."""
    rate_ppm: Int64s = initial_ppm * fraction_ppm // PPM
    return rate_ppm


def _risen(lower: Int64s, upper: Int64s, open_interest: Int64s) -> tuple[Int64s, Int64s]:
    """Numerator and denominator of the lift, as Python's integers: products need 80 bits."""
    on = upper > 0
    full = on & (open_interest >= upper)
    partly = on & ~full & (open_interest > lower)
    span = np.where(partly, upper - lower, 1).astype(object)
    return np.where(partly, open_interest - lower, np.where(full, 1, 0)).astype(object), span
