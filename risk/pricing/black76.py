"""Black-76: prices and Greeks of European options on the forward of their expiry.

With s = volatility x sqrt(years), x = ln(max(F, K) / min(F, K)), near = x/s - s/2 and
far = x/s + s/2, the time value is min(F, K) n(near) (R(near) - R(far)), R being Mills' ratio. It is
the value of the option out of the money and keeps its relative precision in the wings; intrinsic
value is added to it.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from risk.compiled import compiled, compiled_parallel, worth_sharing
from risk.pricing.normal import (
    DENSITY_AT_ZERO,
    SERIES_BELOW,
    exponential,
    log_ratio,
    mills,
    mills_drop,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Columns = tuple[NDArray[Any], ...]

WIDTH = 128
"""Options of a block. Its columns are rows of one table of known size: the compiler then knows that
they do not overlap, and makes vectors of the loops."""
FORWARD, STRIKE, YEARS, VOLATILITY, CALL, DISCOUNT = range(6)
ROOT, TOTAL, INVERSE, NEAR, FAR, MASS, NEAR_TAIL, FAR_TAIL, RATIO, TIME_VALUE = range(6, 16)
RESULT, RESULTS = 16, 7
LEAST_TOTAL = 1e-150
"""Total volatility that counts; its inverse squared is still finite."""
CHUNK = 64 * WIDTH
"""Options that one core takes at a time."""
WORTH_SHARING = 16 * CHUNK
"""Options from which on the cores share them: 10 ms for one."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """Value and sensitivities of each option with respect to its forward, of the inputs' shape.

    The discount factor is held, so theta is without interest on the value.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    """Per 1.00 of volatility."""
    theta: Floats
    """Change of value for a year that passes."""
    vanna: Floats
    """Change of delta per 1.00 of volatility."""
    volga: Floats
    """Change of vega per 1.00 of volatility."""


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    call: ArrayLike,
    *,
    discount: ArrayLike = 1.0,
) -> Floats:
    """Value of each option (Black 1976); arguments broadcast.

    Without time (years <= 0) or volatility: the intrinsic value. ValueError where a number is
    negative or not finite.
    """
    return _evaluate((forward, strike, years, volatility, call, discount), 1)[0]


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    call: ArrayLike,
    *,
    discount: ArrayLike = 1.0,
) -> Greeks:
    """Value and Greeks of each option; arguments and errors as `price`.

    Without time or volatility delta is 0 or 1 (0 or -1 for puts), half of it at the money, and the
    other Greeks are 0.
    """
    return Greeks(*_evaluate((forward, strike, years, volatility, call, discount), RESULTS))


def _evaluate(inputs: tuple[ArrayLike, ...], results: int) -> list[Floats]:
    arrays: list[NDArray[Any]] = [
        np.asarray(value, np.bool_ if row == CALL else np.float64)
        for row, value in enumerate(inputs)
    ]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    columns = tuple(_column(array, shape) for array in arrays)
    table = np.empty((results, math.prod(shape)))
    together = worth_sharing(table.shape[1], WORTH_SHARING)
    kernel = _evaluate_shared if together else _evaluate_one_after_another
    if kernel(columns, table):
        _refuse(columns)
    return [row.reshape(shape) for row in table]


def _column(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """What is one number stays one number: the kernel repeats it.

    All of one type, writable and contiguous: for any other the kernel would be compiled again.
    """
    whole = array.size == 1 or array.shape == shape
    column = (array if whole else np.broadcast_to(array, shape)).ravel()
    return np.require(column, requirements=["C", "W"])


def _refuse(columns: tuple[NDArray[Any], ...]) -> None:
    names = ("forward", "strike", "years", "volatility", "call", "discount")
    for name, column in zip(names, columns, strict=True):
        least = -np.inf if name == "years" else 0.0
        wrong = ~(np.isfinite(column) & (column >= least))
        if wrong.any():
            raise ValueError(f"{name} {column[wrong][0]}: must be finite and not negative")


@compiled
def _evaluate_one_after_another(columns: Columns, table: Floats) -> int:
    """Fill the table of results; how many inputs are not acceptable."""
    return _evaluate_rows(columns, table, 0, table.shape[1])


@compiled_parallel
def _evaluate_shared(columns: Columns, table: Floats) -> int:
    """The same on all cores."""
    refused = 0
    for chunk in prange((table.shape[1] + CHUNK - 1) // CHUNK):
        stop = min((chunk + 1) * CHUNK, table.shape[1])
        refused += _evaluate_rows(columns, table, chunk * CHUNK, stop)
    return refused


@compiled
def _evaluate_rows(columns: Columns, table: Floats, first: int, last: int) -> int:
    block = np.ones((RESULT + RESULTS, WIDTH))
    refused = 0
    for start in range(first, last, WIDTH):
        stop = min(start + WIDTH, last)
        _fill(block[FORWARD], columns[FORWARD], start, stop)
        _fill(block[STRIKE], columns[STRIKE], start, stop)
        _fill(block[YEARS], columns[YEARS], start, stop)
        _fill(block[VOLATILITY], columns[VOLATILITY], start, stop)
        _fill(block[CALL], columns[CALL], start, stop)
        _fill(block[DISCOUNT], columns[DISCOUNT], start, stop)
        refused += _refused(block)
        _distances(block)
        _tails(block)
        _prices(block)
        if table.shape[0] == RESULTS:
            _sensitivities(block)
        for row in range(table.shape[0]):
            _empty(block[RESULT + row], table[row], start, stop)
    return refused


@compiled
def _fill(row: Floats, column: NDArray[Any], start: int, stop: int) -> None:
    if column.size == 1:
        row[:] = column[0]
    else:
        for i in range(start, stop):
            row[i - start] = column[i]


@compiled
def _empty(row: Floats, column: Floats, start: int, stop: int) -> None:
    for i in range(start, stop):
        column[i] = row[i - start]


@compiled
def _refused(block: Floats) -> int:
    refused = 0
    for i in range(WIDTH):
        forward, strike = block[FORWARD, i], block[STRIKE, i]
        volatility, discount = block[VOLATILITY, i], block[DISCOUNT, i]
        together = forward + strike + volatility + discount + abs(block[YEARS, i])
        positive = (forward >= 0.0) & (strike >= 0.0) & (volatility >= 0.0) & (discount >= 0.0)
        refused += not positive & (together < np.inf)
    return refused


@compiled
def _distances(block: Floats) -> None:
    for i in range(WIDTH):
        low = min(block[FORWARD, i], block[STRIKE, i])
        high = max(block[FORWARD, i], block[STRIKE, i])
        root = math.sqrt(max(block[YEARS, i], 0.0))
        total = block[VOLATILITY, i] * root
        live = (total > LEAST_TOTAL) & (low > 0.0)
        half = 0.5 * total if live else 0.0
        inverse = 1.0 / total if live else 0.0
        moneyness = log_ratio(high, low) * inverse if live else 0.0
        block[ROOT, i] = root
        block[TOTAL, i] = total
        block[INVERSE, i] = inverse
        block[NEAR, i] = moneyness - half
        block[FAR, i] = moneyness + half
        block[MASS, i] = low if live else 0.0


@compiled
def _tails(block: Floats) -> None:
    for i in range(WIDTH):
        near = block[NEAR, i]
        block[MASS, i] *= exponential(-0.5 * near * near) * DENSITY_AT_ZERO
    for i in range(WIDTH):
        low = min(block[FORWARD, i], block[STRIKE, i])
        tail = block[MASS, i] * mills(abs(block[NEAR, i]))
        block[NEAR_TAIL, i] = tail
        block[TIME_VALUE, i] = tail if block[NEAR, i] >= 0.0 else low - tail
    for i in range(WIDTH):
        ratio = mills(block[FAR, i])
        block[RATIO, i] = ratio
        block[FAR_TAIL, i] = block[MASS, i] * ratio
        block[TIME_VALUE, i] -= block[FAR_TAIL, i]
    least = np.inf
    for i in range(WIDTH):
        least = min(least, block[TOTAL, i])
    if least < SERIES_BELOW:
        for i in range(WIDTH):
            total = block[TOTAL, i]
            drop = mills_drop(block[FAR, i], block[RATIO, i], total)
            if total < SERIES_BELOW:
                block[TIME_VALUE, i] = block[MASS, i] * drop


@compiled
def _prices(block: Floats) -> None:
    for i in range(WIDTH):
        side = 2.0 * block[CALL, i] - 1.0
        intrinsic = max(side * (block[FORWARD, i] - block[STRIKE, i]), 0.0)
        block[RESULT, i] = block[DISCOUNT, i] * (block[TIME_VALUE, i] + intrinsic)


@compiled
def _sensitivities(block: Floats) -> None:
    for i in range(WIDTH):
        forward, strike, discount = block[FORWARD, i], block[STRIKE, i], block[DISCOUNT, i]
        inverse, root, volatility = block[INVERSE, i], block[ROOT, i], block[VOLATILITY, i]
        per_forward = 1.0 / forward if forward > 0.0 else 0.0
        up = forward <= strike
        d1 = -block[NEAR, i] if up else block[FAR, i]
        d2 = -block[FAR, i] if up else block[NEAR, i]
        inside = up & (block[NEAR, i] >= 0.0)
        certain = 0.0 if inside else 1.0
        if inverse == 0.0 and forward == strike:
            certain = 0.5
        tail = block[NEAR_TAIL, i] if up else block[FAR_TAIL, i]
        rest = tail if inside else -tail
        mass = discount * block[MASS, i]
        slope = mass * inverse
        block[RESULT + 1, i] = discount * (rest * per_forward + (certain + block[CALL, i] - 1.0))
        block[RESULT + 2, i] = slope * per_forward * per_forward
        block[RESULT + 3, i] = mass * root
        block[RESULT + 4, i] = -0.5 * slope * volatility * volatility
        block[RESULT + 5, i] = -slope * root * d2 * per_forward
        block[RESULT + 6, i] = slope * root * root * d1 * d2
