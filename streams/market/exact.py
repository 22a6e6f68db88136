"""Exact products and quotients of e8 integers, and prices brought onto the tick."""

from schemas.units import E8


def multiply_e8(left_e8: int, right_e8: int) -> int:
    """Exact left x right / 1e8, half away from zero."""
    product = left_e8 * right_e8
    magnitude = (abs(product) + E8 // 2) // E8
    return magnitude if product >= 0 else -magnitude


def divide_e8(left_e8: int, right_e8: int) -> int:
    """Exact left x 1e8 / right, half away from zero; ZeroDivisionError for a zero divisor."""
    divisor = abs(right_e8)
    magnitude = (2 * abs(left_e8) * E8 + divisor) // (2 * divisor)
    return magnitude if (left_e8 >= 0) == (right_e8 > 0) else -magnitude


def floor_to(value_e8: int, step_e8: int) -> int:
    """The largest multiple of the step that is not above the value."""
    return value_e8 // step_e8 * step_e8


def ceil_to(value_e8: int, step_e8: int) -> int:
    """The smallest multiple of the step that is not below the value."""
    return -(-value_e8 // step_e8) * step_e8


def nearest_tick(price_e8: float, tick_e8: int) -> int:
    """The positive multiple of the tick nearest to a price."""
    return max(round(price_e8 / tick_e8), 1) * tick_e8
