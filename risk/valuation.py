"""Value of contracts, and exact sums of amounts.

Unrealised profit is value at the mark - cost, where the cost of a fill is its value at the fill
price: one function values both, so opening and marking at one price gives a profit of exactly 0.
"""

import numpy as np

from risk.holdings import Bools
from schemas.units import LIMIT_E8, Int64s, divide_e8, multiply_e8


def contract_value(
    inverse: Bools, multiplier_e8: Int64s, quantity_e8: Int64s, price_e8: Int64s
) -> tuple[Int64s, Bools]:
    """Quantity x unit value in the settlement asset, elementwise, and whether each one fits.

    linear:  (quantity x multiplier) x price
    inverse: -(quantity x multiplier) / price

    Exact integers: quantity x multiplier is rounded to 1e-8 first, then the result, both half away
    from zero, so that the value of -quantity is minus the value of quantity. All arguments have
    one shape. Where a value does not fit (an inverse price of 0 included) it is 0.
    """
    units_e8, units_fit = multiply_e8(quantity_e8, multiplier_e8)
    value_e8, value_fits = multiply_e8(units_e8, price_e8)
    if inverse.any():
        rows = np.flatnonzero(inverse)
        divided_e8, value_fits[rows] = divide_e8(units_e8[rows], price_e8[rows])
        value_e8[rows] = -divided_e8
    fits = units_fit & value_fits
    return np.where(fits, value_e8, 0), fits


def exact_sums(index: Int64s, values_e8: Int64s, size: int) -> tuple[Int64s, Bools]:
    """Sums of the values of each index 0..size-1, and whether each sum fits.

    Integer addition wraps without loss, so a sum that fits at the end is exact whatever the order
    and the partial sums; a float sum beside it tells those that do not. Values up to +-4e18.
    """
    sums = np.zeros(size, np.int64)
    np.add.at(sums, index, values_e8)
    rough = np.bincount(index, weights=values_e8, minlength=size)
    fits = (np.abs(rough) < 8e18) & (np.abs(sums) <= LIMIT_E8)
    return np.where(fits, sums, 0), fits


def sum_by(index: Int64s, values_e8: Int64s, size: int) -> Int64s:
    """Exact sums of the values of each index 0..size-1, independent of the order of rows.

    Raises OverflowError naming the first index whose sum does not fit.
    """
    sums, fits = exact_sums(index, values_e8, size)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise OverflowError(f"row {row}: a sum is beyond 9,999,999,999.99999999")
    return sums
