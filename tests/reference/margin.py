"""Margin of buckets the slow way: one row after the other, in fractions a clerk could check."""

from fractions import Fraction
from math import ceil, floor, isqrt
from typing import NamedTuple

E8 = 10**8
PPM = 10**6
PPB = 10**9
LIMIT = 10**18 - 1
NO_CAP = 2**63 - 1

Steps = list[tuple[int, Fraction]]


class Reading(NamedTuple):
    """How an instrument's tier table is read; rates in ppm, size factors in ppb."""

    scalar: int = PPM
    method: str = "marginal"
    factors: tuple[int, int] = (0, 0)
    fee: int = 0
    open_interest: int = 0


class Book(NamedTuple):
    """A book in plain rows; amounts in e8, rates in ppm. None: the rule is not in use."""

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
    readings: list[Reading] | None = None  # their scalars replace `scalars`
    slow_prices: list[int] | None = None
    profit_limits: list[tuple[int, int]] | None = None  # weight, cap
    larger_leg: bool = False

    def reading(self, instrument: int) -> Reading:
        if self.readings is None:
            return Reading(self.scalars[instrument])
        return self.readings[instrument]


def half_away(value: Fraction) -> int:
    magnitude = floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def contract_value(inverse: bool, multiplier: int, quantity: int, price: int) -> int:
    units = half_away(Fraction(quantity * multiplier, E8))
    if inverse:
        return half_away(-Fraction(units * E8, price))
    return half_away(Fraction(units * price, E8))


def slices(amount: int, table: Steps) -> Fraction:
    """Sum over the slices of the amount, each at its own rate."""
    total = Fraction(0)
    for k, (start, rate) in enumerate(table):
        end = table[k + 1][0] if k + 1 < len(table) else amount
        inside = min(amount, end) - start
        if inside > 0:
            total += inside * rate
    return total


def up(rate: Fraction) -> Fraction:
    """Rounded up to a part per billion."""
    return Fraction(ceil(rate * PPB), PPB)


def root(size: int) -> Fraction:
    """Square root of a size in e8, rounded up to 1e-9."""
    square = size * PPB * PPB // E8
    whole = isqrt(square)
    return Fraction(whole + (whole * whole < square), PPB)


def effective(rate: int, reading: Reading, *, initial: bool) -> Fraction:
    """(r + (1 - r) x open interest) x scalar + fee; open interest lifts the initial rate only."""
    plain = Fraction(rate, PPM)
    if initial:
        plain += (1 - plain) * Fraction(reading.open_interest, PPM)
    return up(plain * Fraction(reading.scalar, PPM)) + Fraction(reading.fee, PPM)


def requirement(
    notional: int, size: int, table: list[tuple[int, int]], reading: Reading, *, initial: bool
) -> int:
    rates = [(start, effective(rate, reading, initial=initial)) for start, rate in table]
    if not rates:
        return 0
    if reading.method == "marginal":
        return ceil(slices(notional, rates))
    rate = [rate for start, rate in rates if start <= notional][-1]
    if reading.method == "sqrt":
        fee = Fraction(reading.fee, PPM)
        factor = up(Fraction(reading.factors[0 if initial else 1] * reading.scalar, PPB * PPM))
        premium = up((rate - fee) * Fraction(4, 5)) + up(factor * root(size))
        rate = min(max(rate - fee, premium) + fee, Fraction(4))
    return ceil(notional * rate)


def counted(value: int, haircut: list[tuple[int, int]], borrow_weight: int) -> int:
    if value >= 0:
        return floor(value - slices(value, [(start, Fraction(r, PPM)) for start, r in haircut]))
    return floor(value * (1 + Fraction(borrow_weight, PPM)))


def equity(book: Book, net: dict[int, int], *, initial: bool) -> int:
    """Of the net balances of one bucket, by asset."""
    total = 0
    for asset, amount in net.items():
        price = book.prices[asset]
        if initial and book.slow_prices is not None:
            worse = min if amount > 0 else max
            price = worse(price, book.slow_prices[asset])
        value = half_away(Fraction(amount * price, E8))
        total += counted(value, book.haircuts[asset], book.borrow_weights[asset])
    return total


def uncounted(book: Book, instrument: int, profit: int) -> int:
    """What of the profit in an instrument does not count for the initial equity."""
    if book.profit_limits is None or profit <= 0:
        return 0
    weight, cap = book.profit_limits[instrument]
    return profit - min(floor(profit * Fraction(weight, PPM)), cap)


def position(book: Book, row: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """(profit, notional, IM, MM) of a position."""
    _, instrument, quantity, cost = row
    inverse, multiplier, asset = book.contracts[instrument]
    value = contract_value(inverse, multiplier, quantity, book.marks[instrument])
    size = abs(value) if inverse else abs(half_away(Fraction(quantity * multiplier, E8)))
    notional = half_away(Fraction(abs(value) * book.prices[asset], E8))
    table, reading = book.tiers[instrument], book.reading(instrument)
    margins = (
        requirement(notional, size, [(f, i) for f, i, _ in table], reading, initial=True),
        requirement(notional, size, [(f, m) for f, _, m in table], reading, initial=False),
    )
    return value - cost, notional, *margins


def bucket(
    book: Book, balances: list[tuple[int, int]], rows: list[tuple[int, int, tuple[int, ...]]]
) -> tuple[int, int, int, int]:
    """(equity, IM, MM, initial equity) of (asset, amount) and (instrument, quantity, state)."""
    net: dict[int, int] = {}
    for asset, amount in balances:
        net[asset] = net.get(asset, 0) + amount
    strict_net, margins = dict(net), [0, 0]
    for instrument in {row[0] for row in rows}:
        legs = [(quantity > 0, state) for i, quantity, state in rows if i == instrument]
        asset = book.contracts[instrument][2]
        profit = sum(state[0] for _, state in legs)
        counts = profit - uncounted(book, instrument, profit)
        net[asset] = net.get(asset, 0) + profit
        strict_net[asset] = strict_net.get(asset, 0) + counts
        for kind in (0, 1):
            long = sum(state[2 + kind] for is_long, state in legs if is_long)
            short = sum(state[2 + kind] for is_long, state in legs if not is_long)
            margins[kind] += max(long, short) if book.larger_leg else long + short
    initial_equity = equity(book, strict_net, initial=True)
    return equity(book, net, initial=False), margins[0], margins[1], initial_equity


def evaluate(book: Book) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
    """(equity, IM, MM, initial equity) of each bucket; (profit, notional, IM, MM) of positions."""
    states = [position(book, row) for row in book.positions]
    balances: list[list[tuple[int, int]]] = [[] for _ in range(book.size)]
    rows: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in range(book.size)]
    for owner, asset, amount in book.balances:
        balances[owner].append((asset, amount))
    for (owner, instrument, quantity, _), state in zip(book.positions, states, strict=True):
        rows[owner].append((instrument, quantity, state))
    return [bucket(book, *of) for of in zip(balances, rows, strict=True)], states
