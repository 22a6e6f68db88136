"""The step of a progressive table an amount falls into, for margin tiers and haircuts alike."""

import numpy as np

from risk.holdings import StepTable
from schemas.units import Int64s


def level(amount_e8: Int64s, subject: Int64s, table: StepTable) -> Int64s:
    """Column of the step each amount >= 0 falls into: the last whose floor is <= the amount."""
    reached = np.zeros(len(amount_e8), np.int64)
    for column in range(1, table.floor_e8.shape[1]):
        above = amount_e8 >= table.floor_e8[subject, column]
        if not above.any():
            break
        reached += above
    return reached
