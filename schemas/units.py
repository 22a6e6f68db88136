"""Fixed point with 8 decimals in 64 bits, ppm and time: conversions with the rounding in the name.

Every amount is an integer number of 1e-8 units no larger than `LIMIT_E8` (Decimal64's 18 digits).
What does not fit is refused with OverflowError, never wrapped around.
"""

from decimal import ROUND_HALF_EVEN, Decimal, Inexact, localcontext

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]

E8 = 100_000_000
PPM = 1_000_000
LIMIT_E8 = 10**18 - 1
US_PER_MS = 1_000


def e8(text: str | int | Decimal) -> int:
    """Exact e8 integer of a decimal number.

    Raises ValueError where the text is no finite number or has more than 8 decimals,
    OverflowError where it does not fit.
    """
    try:
        value = Decimal(text)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(f"{text!r} is not a decimal number") from error
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    if abs(value) >= 10**11:
        raise OverflowError(f"{text} is beyond 9,999,999,999.99999999")
    with localcontext() as context:
        context.prec = 60
        context.traps[Inexact] = True
        try:
            scaled = value * E8
        except Inexact as error:
            raise ValueError(f"{text} has more than 8 decimals") from error
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{text} has more than 8 decimals")
    result = int(scaled)
    if abs(result) > LIMIT_E8:
        raise OverflowError(f"{text} is beyond 9,999,999,999.99999999")
    return result


def to_decimal(value_e8: int) -> Decimal:
    """The exact decimal of an e8 integer, with 8 decimals."""
    return Decimal(int(value_e8)).scaleb(-8)


def text(value_e8: int) -> str:
    """The shortest plain decimal text of an e8 integer: "-0.5", "12", "0.00000001"."""
    plain = format(to_decimal(value_e8), "f")
    return plain.rstrip("0").rstrip(".")


def e8_nearest(value: float) -> int:
    """The e8 integer nearest to a float, ties to even; OverflowError where it does not fit."""
    with localcontext() as context:
        context.prec = 60
        result = int((Decimal(value) * E8).to_integral_value(ROUND_HALF_EVEN))
    if abs(result) > LIMIT_E8:
        raise OverflowError(f"{value} is beyond 9,999,999,999.99999999")
    return result


def multiply_e8(left_e8: Int64s, right_e8: Int64s) -> tuple[Int64s, NDArray[np.bool_]]:
    """Exact left x right / 1e8, half away from zero, elementwise, and whether each result fits.

    Symmetric in sign, so that both sides of a trade round to the same magnitude. The product
    needs up to 120 bits: both factors are split at 1e8, which keeps every part in 64.
    Where a result does not fit its value is 0.
    """
    a, b = np.abs(left_e8), np.abs(right_e8)
    fits = a.astype(np.float64) * b.astype(np.float64) <= LIMIT_E8 * float(E8) * (1 - 1e-12)
    fits &= (a >= 0) & (b >= 0)  # -2^63 has no absolute value in 64 bits
    a, b = np.where(fits, a, 0), np.where(fits, b, 0)
    a_high, a_low = np.divmod(a, E8)
    b_high, b_low = np.divmod(b, E8)
    magnitude = a_high * b + a_low * b_high + (a_low * b_low + E8 // 2) // E8
    return np.sign(left_e8) * np.sign(right_e8) * magnitude, fits


def divide_e8(left_e8: Int64s, right_e8: Int64s) -> tuple[Int64s, NDArray[np.bool_]]:
    """Exact left x 1e8 / right, half away from zero, elementwise, and whether each result fits.

    Long division, two digits in base 1e4 at a time; rows whose divisor is too large for that in
    64 bits go through Python's integers. A division by zero does not fit.
    """
    a, b = np.abs(left_e8), np.abs(right_e8)
    safe_b = np.where(b <= 0, 1, b)  # -2^63 has no absolute value in 64 bits
    fits = (b > 0) & (a >= 0) & (a.astype(np.float64) * E8 <= safe_b * (LIMIT_E8 * (1 - 1e-12)))
    a = np.where(fits, a, 0)
    whole, rest = np.divmod(a, safe_b)
    large = safe_b > 2**63 // 10**4 // 2
    step_b = np.where(large, 1, safe_b)
    rest_small = np.where(large, 0, rest)
    first, rest_small = np.divmod(rest_small * 10**4, step_b)
    second, rest_small = np.divmod(rest_small * 10**4, step_b)
    magnitude = whole * E8 + first * 10**4 + second + (2 * rest_small >= step_b)
    for row in np.flatnonzero(large & fits):
        divisor = int(safe_b[row])
        magnitude[row] = (2 * int(a[row]) * E8 + divisor) // (2 * divisor)
    return np.sign(left_e8) * np.sign(right_e8) * magnitude, fits
