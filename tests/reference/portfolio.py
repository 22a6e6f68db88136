"""Portfolio margin as a clerk works it out: a bucket, a scenario, a position at a time."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

Position = tuple[int, int, int]
"""(bucket, instrument, quantity_e8)."""


def profits(held: Sequence[Position], unit: Sequence[Sequence[float]], bucket: int) -> list[int]:
    """Profit of a bucket in each scenario; each position's is rounded to 1e-8, half to even."""
    scenarios = len(unit[0]) if unit else 0
    return [
        sum(
            round(float(quantity) * unit[instrument][scenario])
            for owner, instrument, quantity in held
            if owner == bucket
        )
        for scenario in range(scenarios)
    ]


def worst_loss(
    held: Sequence[Position],
    unit: Sequence[Sequence[float]],
    bucket: int,
    relief: Sequence[int] = (),
) -> tuple[int, int]:
    """The largest loss after relief, never negative, and the first scenario with it, or -1."""
    loss, worst = 0, -1
    for scenario, profit in enumerate(profits(held, unit, bucket)):
        left = -profit - (relief[scenario] if relief else 0)
        if left > loss:
            loss, worst = left, scenario
    return loss, worst


def option_value(
    forward: float, strike: float, years: float, volatility: float, call: bool
) -> float:
    """Black 1976, undiscounted."""
    deviation = volatility * math.sqrt(years) if years > 0 else 0.0
    sign = 1 if call else -1
    if deviation == 0:
        return max(0.0, sign * (forward - strike))
    near = math.log(forward / strike) / deviation + deviation / 2
    return sign * (forward * _normal(sign * near) - strike * _normal(sign * (near - deviation)))


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def shocked_volatility(
    volatility: float, days: float, move: str, shock: Mapping[str, float]
) -> float:
    """Up: times 1 + up (30/days)^p, and at least `least_up`. Down: times 1 - down (30/days)^p."""
    power = shock["short_power"] if days <= 30 else shock["long_power"]
    scale = (30 / max(days, shock["floor_days"])) ** power
    if move == "up":
        return max(shock["least_up"], volatility * (1 + shock["up"] * scale))
    if move == "down":
        return volatility * max(0.0, 1 - shock["down"] * scale)
    return volatility


def value_at_risk(losses: Sequence[int], level_ppm: int) -> int:
    """The floor((n + 1)(1 - level))-th largest loss."""
    place = math.floor((len(losses) + 1) * (1 - Fraction(level_ppm, 10**6)))
    return sorted(losses, reverse=True)[place - 1]


def expected_shortfall(losses: Sequence[int], level_ppm: int) -> int:
    """Mean of the worst (1 - level) n losses, the one at the edge in part, rounded up."""
    left = mass = len(losses) * (1 - Fraction(level_ppm, 10**6))
    total = Fraction(0)
    for loss in sorted(losses, reverse=True):
        share = min(Fraction(1), left)
        total += share * loss
        left -= share
    return math.ceil(total / mass)


def across(
    sides: Sequence[tuple[int, int]],
    joint: int,
    correlations: Sequence[Sequence[Sequence[float]]],
    largest: float,
) -> float:
    """Requirement over the underlyings of one bucket, before rounding."""
    gross = sum(max(down, up) for down, up in sides)
    both = sum(min(down, up) for down, up in sides)
    directed = [down - up for down, up in sides]
    spreads = [
        math.sqrt(
            max(
                0.0,
                math.fsum(
                    matrix[i][j] * a * b
                    for i, a in enumerate(directed)
                    for j, b in enumerate(directed)
                ),
            )
        )
        for matrix in correlations
    ]
    net = min(gross, both + max(spreads))
    return max(joint, gross - largest * (gross - net))


def naked(held: Sequence[tuple[tuple[int, ...], int]]) -> dict[tuple[int, ...], int]:
    """What is short of each (bucket, expiry, strike) after calls and puts cover each other."""
    net: dict[tuple[int, ...], int] = {}
    for key, contracts in held:
        net[key] = net.get(key, 0) + contracts
    return {key: -contracts for key, contracts in net.items() if contracts < 0}


def matched(held: Sequence[tuple[int, int]]) -> int:
    """min(long, short) over the net amounts of (expiry or tenor, amount) rows."""
    net: dict[int, int] = {}
    for place, amount in held:
        net[place] = net.get(place, 0) + amount
    long = sum(amount for amount in net.values() if amount > 0)
    return min(long, long - sum(net.values()))
