"""Margin of buckets the slow way: one row after the other, in fractions a clerk could check."""

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

E8 = 10**8
PPM = 10**6
LIMIT = 10**18 - 1


class Book(NamedTuple):
    """A book in plain rows; amounts in e8, rates in ppm."""

    contracts: list[tuple[bool, int, int]]  # inverse, multiplier, settlement asset
    marks: list[int]
    tiers: list[list[tuple[int, int, int]]]  # floor, initial, maintenance
    scalars: list[int]
    prices: list[int]
    borrow_weights: list[int]
    haircuts: list[list[tuple[int, int]]]  # floor, rate
    positions: list[tuple[int, int, int, int]]  # bucket, instrument, quantity, cost
    balances: list[tuple[int, int, int]]  # bucket, asset, amount
    size: int


def half_away(value: Fraction) -> int:
    magnitude = floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def contract_value(inverse: bool, multiplier: int, quantity: int, price: int) -> int:
    units = half_away(Fraction(quantity * multiplier, E8))
    if inverse:
        return half_away(-Fraction(units * E8, price))
    return half_away(Fraction(units * price, E8))


def slices(amount: int, table: list[tuple[int, int]]) -> Fraction:
    """Sum over the slices of the amount, each at its own rate."""
    total = Fraction(0)
    for k, (start, rate) in enumerate(table):
        end = table[k + 1][0] if k + 1 < len(table) else amount
        inside = min(amount, end) - start
        if inside > 0:
            total += Fraction(inside * rate, PPM)
    return total


def requirement(notional: int, table: list[tuple[int, int]], scalar: int) -> int:
    return ceil(slices(notional, table) * Fraction(scalar, PPM))


def counted(value: int, haircut: list[tuple[int, int]], borrow_weight: int) -> int:
    if value >= 0:
        return floor(value - slices(value, haircut))
    return floor(value * (1 + Fraction(borrow_weight, PPM)))


def evaluate(book: Book) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int]]]:
    """(equity, IM, MM) of each bucket; (profit, notional, IM, MM) of each position."""
    net: dict[tuple[int, int], int] = {}
    for bucket, asset, amount in book.balances:
        net[bucket, asset] = net.get((bucket, asset), 0) + amount
    initial, maintenance = [0] * book.size, [0] * book.size
    states = []
    for bucket, instrument, quantity, cost in book.positions:
        inverse, multiplier, asset = book.contracts[instrument]
        value = contract_value(inverse, multiplier, quantity, book.marks[instrument])
        net[bucket, asset] = net.get((bucket, asset), 0) + value - cost
        notional = half_away(Fraction(abs(value) * book.prices[asset], E8))
        table, scalar = book.tiers[instrument], book.scalars[instrument]
        im = requirement(notional, [(f, i) for f, i, _ in table], scalar)
        mm = requirement(notional, [(f, m) for f, _, m in table], scalar)
        initial[bucket] += im
        maintenance[bucket] += mm
        states.append((value - cost, notional, im, mm))
    equity = [0] * book.size
    for (bucket, asset), amount in net.items():
        value = half_away(Fraction(amount * book.prices[asset], E8))
        equity[bucket] += counted(value, book.haircuts[asset], book.borrow_weights[asset])
    return list(zip(equity, initial, maintenance, strict=True)), states
