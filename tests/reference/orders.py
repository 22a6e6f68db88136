"""Margin locked for open orders, the slow way: order by order, in fractions a clerk could check."""

from fractions import Fraction
from math import floor

PPM = 10**6
E8 = 10**8


def locked_margin(
    orders: list[tuple[int, int, int]], position: int, factor: int, least_price: int = 0
) -> int:
    """Of (side, quantity, price) orders in one bucket; every value rounded to 1e-8, half up."""
    sums = []
    for side in (1, -1):
        book = sorted((o for o in orders if o[0] == side), key=lambda o: -side * o[2])
        covered = max(-side * position, 0)
        total = 0
        for _, quantity, price in book:
            free = min(covered, quantity)
            covered -= free
            value = Fraction((quantity - free) * max(price, least_price), E8)
            total += floor(value + Fraction(1, 2))
        sums.append(total)
    return floor(Fraction(max(sums) * factor, PPM))
