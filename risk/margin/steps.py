"""Exact charges of progressive step tables, the form of margin tiers and of haircuts alike."""

import numpy as np

from risk.holdings import StepTable
from schemas.units import PPM, Int64s


def level(amount_e8: Int64s, subject: Int64s, table: StepTable) -> Int64s:
    """Column of the step each amount >= 0 falls into: the last whose floor is <= the amount."""
    reached = np.zeros(len(amount_e8), np.int64)
    for column in range(1, table.floor_e8.shape[1]):
        above = amount_e8 >= table.floor_e8[subject, column]
        if not above.any():
            break
        reached += above
    return reached


def charge(
    amount_e8: Int64s, subject: Int64s, step: Int64s, table: StepTable
) -> tuple[Int64s, Int64s]:
    """amount x rate - cum at the given step, exact: whole 1e-8 units and the rest in ppm of one.

    The amount is split at 1e6, which keeps every product in 64 bits; 0 <= rest < 1e6.
    """
    rate = table.rate_ppm[subject, step]
    high, low = np.divmod(amount_e8, PPM)
    carried, rest = np.divmod(low * rate, PPM)
    borrow, rest = np.divmod(rest - table.cum_rest_ppm[subject, step], PPM)
    return high * rate + carried - table.cum_e8[subject, step] + borrow, rest
