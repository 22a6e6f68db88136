"""Holdings of one bucket in one underlying together, and their worst scenarios."""

from dataclasses import dataclass

import numpy as np

from risk.margin.rounding import nearest_e8
from risk.requirements.rows import Held
from schemas.units import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Groups:
    """The holdings of one bucket in one underlying together."""

    of_row: Int64s  # [R] group of each row
    bucket: Int64s  # [G] ascending
    underlying: Int64s  # [G]
    first: Int64s  # [N + 1] the first group of each bucket

    @staticmethod
    def of(held: Held, underlying: Int64s, size: int) -> "Groups":
        """`underlying` [R] of each row."""
        names, column = np.unique(underlying, return_inverse=True)
        width = max(1, len(names))
        key, of_row = np.unique(held.bucket * width + column, return_inverse=True)
        bucket = key // width
        first = np.searchsorted(bucket, np.arange(size + 1))
        return Groups(of_row, bucket, names[key % width] if len(key) else key, first)


def of_largest(loss_e8: Int64s, worst: Int64s, groups: Groups, size: int) -> Int64s:
    """The worst scenario of the underlying of each bucket that loses most, the first of several."""
    result = np.full(size, -1, np.int64)
    holds = np.flatnonzero(np.diff(groups.first))
    begins = groups.first[holds]
    if len(begins):
        largest_e8 = np.maximum.reduceat(loss_e8, begins)
        place = np.arange(len(loss_e8))
        others = loss_e8 < np.repeat(largest_e8, np.diff(groups.first)[holds])
        place[others] = len(loss_e8)
        result[holds] = worst[np.minimum.reduceat(place, begins)]
    return result


def weights(held: Held, row: Int64s, worst: Int64s, profit: Floats) -> Int64s:
    """What each holding loses in a scenario of its own [R], 0 where it is none or it gains."""
    known = (worst >= 0) & (worst < profit.shape[1])
    lost = -profit[row, np.where(known, worst, 0)] * held.quantity_e8
    return nearest_e8(np.where(known, lost, 0.0).clip(min=0))
