"""Parts of the normal distribution in plain arithmetic, so that loops over them become vectors.

Calls into the C library would keep the compiler from working on several options at once. Each
function is within about three units in the last place; none of them branches.
"""

import math

import numpy as np

from risk.compiled import compiled

DENSITY_AT_ZERO = 0.3989422804014327
"""1 / sqrt(2 pi)."""

LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in two parts; a small integer times the first is exact."""
INTEGER = 6755399441055744.0
"""1.5 x 2^52: what is added to it is rounded to an integer, which stands in its lowest bits."""
MANTISSA, BIAS, HALF_ROOT_BITS = 52, 1023, 0x3FE6A09E667F3BCD
"""The layout of a float64, and the bits of sqrt(1/2)."""
SMALLEST_EXPONENT = -708.0

EXP_EVEN = tuple(1 / math.factorial(n) for n in range(2, 13, 2))
EXP_ODD = tuple(1 / math.factorial(n) for n in range(3, 14, 2))
ATANH_EVEN = tuple(1 / n for n in range(3, 22, 4))
ATANH_ODD = tuple(1 / n for n in range(5, 22, 4))

# Chebyshev interpolation of (1 + z) R(z) in q = (z - 5) / (z + 5) on 0 <= z, by powers of q: those
# of q^0, q^4, q^8 ... and of q^1, q^5 ..., so that four sums run side by side. The map is that of
# Shepherd and Laframboise (1981). Truncated at 2e-17.
MILLS_0 = (
    1.1568486282918946, -0.06617760077909461, -0.0042012903289861386,
    -2.4805835828998953e-05, 3.2054886338682205e-07, 9.094218432472913e-09,
)  # fmt: skip
MILLS_1 = (
    -0.2294875382521129, 0.06150504584074597, 1.9530682704042314e-05,
    2.2710081536644496e-05, 4.92889412763629e-07, 1.1281645525139734e-08,
)  # fmt: skip
MILLS_2 = (
    0.07778159886873764, -0.03802659218586716, 0.00045704392266072,
    -1.7633721137504215e-07, -6.589393318333421e-08, -7.077031841982677e-10,
)  # fmt: skip
MILLS_3 = (
    0.02507217930161715, 0.016348231274349995, -0.00013437445842160464,
    -3.2780889332747656e-06, -7.821049220473805e-08, -9.99802240829343e-10,
)  # fmt: skip
FARTHEST = 1e9
SERIES_BELOW, SERIES_FARTHEST = 0.0625, 40.0
RECIPROCALS = tuple(1 / n for n in range(2, 12))


@compiled
def horner(coefficients: tuple[float, ...], x: float) -> float:
    """The polynomial with these coefficients, lowest power first."""
    value = coefficients[-1]
    for power in range(len(coefficients) - 2, -1, -1):
        value = value * x + coefficients[power]
    return value


@compiled
def exponential(x: float) -> float:
    """e^x for x <= 0; 0 below -708."""
    shifted = max(x, SMALLEST_EXPONENT) * 1.4426950408889634 + INTEGER
    twos = shifted - INTEGER
    r = (max(x, SMALLEST_EXPONENT) - twos * LOG2_HIGH) - twos * LOG2_LOW
    square = r * r
    value = 1.0 + (r + square * (horner(EXP_ODD, square) * r + horner(EXP_EVEN, square)))
    scale = np.int64((np.float64(shifted).view(np.int64) + BIAS) << MANTISSA).view(np.float64)
    return value * scale if x >= SMALLEST_EXPONENT else 0.0


@compiled
def log_ratio(high: float, low: float) -> float:
    """ln(high / low) for high >= low > 0, to full relative precision where they nearly agree."""
    ratio = np.float64(min(high / low, 1e300)).view(np.int64)
    exponent = (ratio - HALF_ROOT_BITS) >> MANTISSA
    scaled = high * np.int64((BIAS - exponent) << MANTISSA).view(np.float64)
    s = (scaled - low) / (scaled + low)
    square = s * s
    twos = np.int64(exponent + np.float64(INTEGER).view(np.int64)).view(np.float64) - INTEGER
    fourth = square * square
    series = horner(ATANH_ODD, fourth) * square + horner(ATANH_EVEN, fourth)
    return twos * LOG2_HIGH + (2.0 * s + (2.0 * s * square * series + twos * LOG2_LOW))


@compiled
def mills(z: float) -> float:
    """R(z) = N(-z) / n(z) for z >= 0, N the distribution and n the density: Mills' ratio."""
    near = min(z, FARTHEST)
    plus_one, plus_five = 1.0 + near, 5.0 + near
    inverse = 1.0 / (plus_one * plus_five)
    q = (near - 5.0) * plus_one * inverse
    square = q * q
    fourth = square * square
    high = horner(MILLS_3, fourth) * q + horner(MILLS_2, fourth)
    low = horner(MILLS_1, fourth) * q + horner(MILLS_0, fourth)
    return (high * square + low) * plus_five * inverse


@compiled
def mills_drop(z: float, ratio: float, step: float) -> float:
    """R(z - step) - R(z) without cancellation, for steps below 1/16; `ratio` is R(z).

    Taylor at z: the derivatives follow R' = zR - 1, R^(n+1) = z R^(n) + n R^(n-1), and all terms
    are positive.
    """
    near = min(z, SERIES_FARTHEST)
    before, term = ratio, step * (1.0 - near * ratio)
    drop, square, product = term, step * step, near * step
    for reciprocal in RECIPROCALS:
        before, term = term, (square * reciprocal) * before - (product * reciprocal) * term
        drop += term
    return drop
