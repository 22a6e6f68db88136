"""What buckets hold and own, by numpy masks: the slow twin of `streams.processors.entries`."""

import numpy as np
from numpy.typing import NDArray

from schemas.units import Floats, Int64s

Int32s = NDArray[np.int32]


def open_positions(
    rows: Int64s, place: Int64s, columns: tuple[Int32s, Int64s, Int64s], most_e8: Floats
) -> tuple[Int64s, Int64s]:
    instrument, quantity_e8, cost_e8 = (column[rows] for column in columns)
    some = quantity_e8 != 0
    fits = np.abs(quantity_e8) < most_e8[instrument]
    every = np.stack([rows, place, instrument.astype(np.int64), quantity_e8, cost_e8])
    return every[:, some & fits], place[some & ~fits]


def amounts_owned(rows: Int64s, place: Int64s, asset: Int32s, amount_e8: Int64s) -> Int64s:
    some = amount_e8[rows] != 0
    every = np.stack([place, asset[rows].astype(np.int64), amount_e8[rows]])
    return every[:, some]
