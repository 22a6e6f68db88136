"""What buckets hold and own, copied out of the book in one pass over its rows."""

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Int64s
from schemas.units import Floats

Int32s = NDArray[np.int32]
Columns = tuple[Int32s, Int64s, Int64s]


@compiled
def open_positions(
    rows: Int64s, place: Int64s, columns: Columns, most_e8: Floats
) -> tuple[Int64s, Int64s]:
    """Of rows [R] of positions those that are not empty: what counts [5, n], each its row and
    place, instrument, quantity and cost; and the places of those that are not below `most_e8`
    contracts of their instrument [I]."""
    instrument, quantity_e8, cost_e8 = columns
    found, count = np.empty((5, len(rows)), np.int64), 0
    beyond, left_out = np.empty(len(rows), np.int64), 0
    for at in range(len(rows)):
        row = rows[at]
        held_e8 = quantity_e8[row]
        if held_e8 == 0:
            continue
        if not abs(held_e8) < most_e8[instrument[row]]:
            beyond[left_out] = place[at]
            left_out += 1
            continue
        found[0, count], found[1, count] = row, place[at]
        found[2, count] = instrument[row]
        found[3, count], found[4, count] = held_e8, cost_e8[row]
        count += 1
    return found[:, :count].copy(), beyond[:left_out]


@compiled
def amounts_owned(rows: Int64s, place: Int64s, asset: Int32s, amount_e8: Int64s) -> Int64s:
    """Of rows [R] of balances those that are not empty [3, n]: place, asset, amount."""
    found, count = np.empty((3, len(rows)), np.int64), 0
    for at in range(len(rows)):
        row = rows[at]
        if amount_e8[row] != 0:
            found[0, count], found[1, count] = place[at], asset[row]
            found[2, count] = amount_e8[row]
            count += 1
    return found[:, :count].copy()
