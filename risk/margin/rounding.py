"""Floats that become amounts: rounded once, and refused where they do not fit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.units import LIMIT_E8, Int64s

AnyFloats = NDArray[np.floating[Any]]


def nearest_e8(units: AnyFloats) -> Int64s:
    """The nearest whole numbers of 1e-8 units, half to even; OverflowError names the first row."""
    return _fitting(np.rint(units))


def up_e8(units: AnyFloats) -> Int64s:
    """The next whole numbers of 1e-8 units from below; OverflowError names the first row."""
    return _fitting(np.ceil(units))


def _fitting(units: AnyFloats) -> Int64s:
    fits = np.abs(units) <= LIMIT_E8
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise OverflowError(f"row {row}: an amount is beyond 9,999,999,999.99999999")
    return units.astype(np.int64)
