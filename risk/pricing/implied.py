"""Implied volatility: the volatility at which Black-76 gives a price.

The option is turned into the one out of the money, of which only the time value is left, and the
logarithm of that value, or of what it lacks to its bound, is solved for the total volatility with
Householder's third-order step (Jäckel, Let's Be Rational, 2015): two or three steps from anywhere.
"""

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from risk.compiled import compiled, compiled_parallel, worth_sharing
from risk.pricing.black76 import Bools, Floats
from risk.pricing.normal import (
    DENSITY_AT_ZERO,
    SERIES_BELOW,
    log_ratio,
    mills,
    mills_drop,
)

WORTH_SHARING = 32_768
"""Prices from which on the cores share them: 10 ms for one."""
LEAST_SHARE = 1e-305
"""Of the bound: less is not told from nothing."""
STEPS, LAST_STEP = 10, 5e-4
"""How far `near` moves in the last step; the error after it is below the fourth power of that."""
NEAR_THE_MONEY = 0.7
"""Log-moneyness below which the first guess is that of a normal, not lognormal, underlying."""


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    call: ArrayLike,
    *,
    discount: ArrayLike = 1.0,
) -> Floats:
    """Volatility of each price, to the precision that the price itself allows; arguments broadcast.

    nan where no positive volatility gives the price: at or below intrinsic value, at or above the
    forward (strike, for puts), without time, or where an input is not a positive number.
    """
    numbers = (price, forward, strike, years, discount)
    arrays = [np.asarray(number, np.float64) for number in numbers]
    calls = np.asarray(call, np.bool_)
    shape = np.broadcast_shapes(calls.shape, *(array.shape for array in arrays))
    columns = tuple(_column(array, shape) for array in arrays)
    found = np.empty(math.prod(shape))
    together = worth_sharing(found.size, WORTH_SHARING)
    kernel = _invert_shared if together else _invert_one_after_another
    kernel(_column(calls, shape), columns, found)
    return found.reshape(shape)


def _column(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Contiguous and writable: for any other type the kernel would be compiled again."""
    whole = array if array.shape == shape else np.broadcast_to(array, shape)
    return np.require(whole.ravel(), requirements=["C", "W"])


@compiled
def _invert_one_after_another(call: Bools, columns: tuple[Floats, ...], found: Floats) -> None:
    for i in range(found.size):
        found[i] = _volatility(i, call, columns)


@compiled_parallel
def _invert_shared(call: Bools, columns: tuple[Floats, ...], found: Floats) -> None:
    for i in prange(found.size):
        found[i] = _volatility(i, call, columns)


@compiled
def _volatility(row: int, call: Bools, columns: tuple[Floats, ...]) -> float:
    price, forward, strike, years, discount = columns
    f, k, t = forward[row], strike[row], years[row]
    low, high = min(f, k), max(f, k)
    intrinsic = max(f - k if call[row] else k - f, 0.0)
    value = price[row] / discount[row] - intrinsic
    possible = 0.0 < value < low and high < np.inf and 0.0 < t < np.inf and discount[row] > 0.0
    if not possible or value / low < LEAST_SHARE:
        return np.nan
    return _total(value / low, (low - value) / low, log_ratio(high, low)) / math.sqrt(t)


@compiled
def _total(share: float, rest: float, moneyness: float) -> float:
    """Volatility x sqrt(years) at which an option is worth a share of its bound; rest = 1 - share.

    With near, far and R as in `black76` and n the normal density: share = n(near) (R(near) -
    R(far)), and rest = n(near) (R(-near) + R(far)).
    """
    upper = share > 0.5
    target = math.log(rest if upper else share)
    total = _guess_upper(rest, moneyness) if upper else _guess_lower(share, moneyness)
    for _ in range(STEPS):
        near, far = moneyness / total - 0.5 * total, moneyness / total + 0.5 * total
        tails = _sum_of_tails(near, far) if upper else _difference_of_tails(near, far, total)
        missed = math.log(tails * DENSITY_AT_ZERO) - 0.5 * near * near - target
        # Derivatives of the logarithm, each times a power of the total: the first; the second
        # and third over the first.
        first = -total / tails if upper else total / tails
        second = near * far
        third = second * second - 3.0 * (moneyness / total) ** 2 - 0.25 * total * total
        third += first * (2.0 * first - 3.0 * second)
        second -= first
        newton = -missed / first
        step = newton * (1.0 + 0.5 * second * newton)
        step /= 1.0 + newton * (second + third * newton / 6.0)
        step = min(max(step, -0.75), 3.0)
        total += step * total
        if abs(step) * (1.0 + far) < LAST_STEP:
            break
    return total


@compiled
def _difference_of_tails(near: float, far: float, total: float) -> float:
    ratio = mills(far)
    if total < SERIES_BELOW:
        return mills_drop(far, ratio, total)
    return _mills_anywhere(near) - ratio


@compiled
def _sum_of_tails(near: float, far: float) -> float:
    return _mills_anywhere(-near) + mills(far)


@compiled
def _mills_anywhere(z: float) -> float:
    if z >= 0.0:
        return mills(z)
    return math.exp(0.5 * z * z) / DENSITY_AT_ZERO - mills(-z)


@compiled
def _guess_lower(share: float, moneyness: float) -> float:
    """First guess where the share is at most one half."""
    if moneyness >= NEAR_THE_MONEY:
        # The logarithm of the share as a parabola in z = -d1, of the right slope at z = 0.
        middle = 0.5 - DENSITY_AT_ZERO * mills(math.sqrt(2.0 * moneyness))
        slope = DENSITY_AT_ZERO / middle
        z = math.sqrt(slope * slope - 2.0 * math.log(share / middle)) - slope
        root = math.sqrt(z * z + 2.0 * moneyness)
        return 2.0 * moneyness / (root + z) if z > 0.0 else root - z
    # Normal underlying: value / moneyness = n(h) / h - N(-h) at h = moneyness / total.
    value = share * math.exp(-0.5 * moneyness)
    if value > 0.35 * moneyness:
        return (value + 0.5 * moneyness) / DENSITY_AT_ZERO
    # The same parabola at h = 1, where that is 0.0833 and its logarithmic slope -2.904.
    h = 1.0 - 2.904 + math.sqrt(2.904**2 - 2.0 * math.log(value / (0.08331547 * moneyness)))
    return moneyness / h


@compiled
def _guess_upper(rest: float, moneyness: float) -> float:
    """First guess where the share is above one half: a parabola as below, in d1."""
    middle = 0.5 + DENSITY_AT_ZERO * mills(math.sqrt(2.0 * moneyness))
    slope = DENSITY_AT_ZERO / middle
    d1 = math.sqrt(slope * slope - 2.0 * math.log(rest / middle)) - slope
    return d1 + math.sqrt(d1 * d1 + 2.0 * moneyness)
