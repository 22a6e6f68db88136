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


def chosen(held: list[tuple[int, int, int, Fraction | None]]) -> int | None:
    """Place of the position to close of (contracts, margin, depth, contracts needed of it).

    They are in the order in which ties go. None where none requires margin.
    """
    best: tuple[bool, Fraction, int] | None = None
    place = None
    for number, (contracts, margin, depth, needed) in enumerate(held):
        covers = needed is not None and needed <= contracts
        per_impact = Fraction(margin * depth, contracts) if covers else Fraction(0)
        rank = (covers, per_impact, margin)
        if margin and (best is None or rank > best):
            best, place = rank, number
    return place


def book_share(equity: int, margins: list[int], cost: Fraction, health_ppm: int) -> Fraction:
    """The least share of a book that lands on the health, along the chords of its margins."""
    pieces = len(margins) - 1
    aims = [Fraction(-(-margin * health_ppm // PPM)) for margin in margins]
    missing = [aim - equity + cost * k / pieces for k, aim in enumerate(aims)]
    for k in range(1, pieces + 1):
        if missing[k] <= 0:
            return (k - 1 + missing[k - 1] / (missing[k - 1] - missing[k])) / pieces
    return Fraction(missing.index(min(missing)), pieces)
