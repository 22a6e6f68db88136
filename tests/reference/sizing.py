"""How much to close and at which price, one position at a time in exact fractions."""

from fractions import Fraction
from math import inf

PPM = 10**6
E8 = 10**8


def closing_quantity(
    shortfall: int, unit_value: Fraction, release: Fraction, fees: Fraction
) -> Fraction | None:
    """Contracts; None where no quantity covers the shortfall. Shortfall in e8."""
    gain = unit_value * (release - fees)
    return Fraction(shortfall, E8) / gain if gain > 0 else None


def price_at(inverse: bool, units: Fraction, value: Fraction) -> Fraction | float:
    """Price at which an open position of signed units is worth the value; +inf: none is enough."""
    if not inverse:
        return value / units
    return -units / value if units * value < 0 else inf
