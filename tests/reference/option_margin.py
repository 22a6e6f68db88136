"""The standard option margin as a clerk computes it: every option and every payoff by hand."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from risk.margin.options import StandardTerms
from schemas.units import E8


class Option(NamedTuple):
    """One position of a bucket; `value` of one long option."""

    bucket: int
    underlying: int
    expiry_us: int
    side: int
    strike: float
    quantity_e8: int
    value: float
    forward: float
    spot: float
    confidence: float


Held = Sequence[tuple[Option, Fraction]]


def required(
    options: Sequence[Option], bucket: int, terms: StandardTerms, depeg: float = 0.0
) -> tuple[Fraction, Fraction]:
    """Initial and maintenance requirement of one bucket, not rounded."""
    groups: dict[tuple[int, int], dict[tuple[float, int], list[Option]]] = {}
    for one in options:
        if one.bucket == bucket:
            group = groups.setdefault((one.underlying, one.expiry_us), defaultdict(list))
            group[one.strike, one.side].append(one)
    initial = maintenance = Fraction(0)
    for options_by_kind in groups.values():
        netted = [
            (rows[0], Fraction(sum(row.quantity_e8 for row in rows), E8))
            for rows in options_by_kind.values()
        ]
        held = [(one, quantity) for one, quantity in netted if quantity]
        first, second = _of_expiry(held, terms)
        initial += first + sum(_contingency(one, -q, terms, depeg) for one, q in held if q < 0)
        maintenance += second
    return initial, maintenance


def _of_expiry(held: Held, terms: StandardTerms) -> tuple[Fraction, Fraction]:
    naked = [_naked(one, -quantity, terms) for one, quantity in held if quantity < 0]
    initial = sum((first for first, _ in naked), Fraction(0))
    maintenance = sum((second for _, second in naked), Fraction(0))
    if not terms.offset_spreads or not held:
        return initial, maintenance
    prices = [Fraction(0), *(Fraction(one.strike) for one, _ in held)]
    loss = max(Fraction(0), *(-_payoff(held, price) for price in prices))
    calls = sum((quantity for one, quantity in held if one.side > 0), Fraction(0))
    unpaired = max(-calls, Fraction(0)) * Fraction(held[0][0].forward)
    return (
        min(initial, loss + Fraction(terms.unpaired_initial) * unpaired),
        min(maintenance, loss + Fraction(terms.unpaired_maintenance) * unpaired),
    )


def _naked(one: Option, short: Fraction, terms: StandardTerms) -> tuple[Fraction, Fraction]:
    spot, strike, value = Fraction(one.spot), Fraction(one.strike), Fraction(one.value)
    call = one.side > 0
    out_of_money = max(strike - spot if call else spot - strike, Fraction(0)) / spot
    rate = max(Fraction(terms.short_initial) - out_of_money, Fraction(terms.short_initial_floor))
    initial = (value + rate * spot) * short
    if call:
        return initial, (value + Fraction(terms.call_maintenance) * spot) * short
    share = max(
        Fraction(terms.put_maintenance) * spot, Fraction(terms.put_maintenance_of_value) * value
    )
    maintenance = (value + share) * short
    return max(initial, Fraction(terms.put_initial_of_maintenance) * maintenance), maintenance


def _payoff(held: Held, price: Fraction) -> Fraction:
    return sum(
        (q * max(one.side * (price - Fraction(one.strike)), Fraction(0)) for one, q in held),
        Fraction(0),
    )


def _contingency(one: Option, short: Fraction, terms: StandardTerms, depeg: float) -> Fraction:
    share = Fraction(depeg)
    if one.confidence < terms.confidence_threshold:
        share += (1 - Fraction(one.confidence)) * Fraction(terms.confidence_factor)
    return short * Fraction(one.spot) * share
