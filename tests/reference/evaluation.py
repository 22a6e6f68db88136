"""An evaluation as a clerk works it out, one bucket at a time, by a profile like `default`."""

import math

from risk.evaluation import Kind
from schemas.units import E8
from tests.reference import option_margin, portfolio
from tests.risk.desks import Desk

Requirement = tuple[float, float]
"""Initial and maintenance margin, not rounded."""


def requirement(desk: Desk, bucket: int) -> Requirement:
    """What a bucket requires, orders left out; volatilities are those of the listing."""
    if desk.kinds[bucket] == Kind.PORTFOLIO:
        return _portfolio(desk, bucket)
    initial, maintenance = _options(desk, bucket)
    for owner, name, quantity, _ in desk.positions:
        one = desk.listed[name]
        if owner == bucket and not one.side:
            notional = abs(quantity) * one.multiplier * (1 if one.inverse else one.mark)
            notional /= one.mark if one.inverse else 1
            notional *= desk.assets[one.settlement].price
            initial += _sliced(notional, one.tiers or (), 1)
            maintenance += _sliced(notional, one.tiers or (), 2)
    return initial, maintenance


def _sliced(notional: float, rows: tuple, column: int) -> float:
    floors = [*(row[0] / E8 for row in rows), math.inf]
    return sum(
        row[column] / 1e6 * max(0.0, min(notional, floors[k + 1]) - floors[k])
        for k, row in enumerate(rows)
    )


def _options(desk: Desk, bucket: int) -> Requirement:
    rule = desk.profile.options
    rows, value = [], 0.0
    for owner, name, quantity, _ in desk.positions:
        one = desk.listed[name]
        if owner != bucket or not one.side:
            continue
        base = desk.listed[one.underlying]
        worth = one.mark * desk.assets[one.settlement].price
        rows.append(
            option_margin.Option(
                bucket, desk.row(one.underlying), round(one.days * 1000), one.side, one.strike,
                round(quantity * one.multiplier * E8), worth, desk.forward(name),
                base.index or base.mark, 1.0,
            )
        )  # fmt: skip
        value += quantity * one.multiplier * worth
    initial, maintenance = option_margin.required(rows, bucket, rule.terms)
    shares = (rule.long_initial, rule.long_maintenance) if value > 0 else (1.0, 1.0)
    return (
        max(0.0, float(initial) + value * shares[0]),
        max(0.0, float(maintenance) + value * shares[1]),
    )


def _unit(desk: Desk, name: str, move: float, volatility: str) -> float:
    """Profit of one contract after a move, valuation currency."""
    one, shock = desk.listed[name], desk.profile.portfolio.scenarios.volatility_shock
    price = desk.assets[one.settlement].price
    coin = desk.assets[one.settlement].pricer != ""
    paid = price * (1 + move) if coin else price
    if not one.side:
        if one.inverse:
            return one.multiplier * (1 / one.mark - 1 / (one.mark * (1 + move))) * paid
        return one.multiplier * one.mark * move * price
    years, forward = one.days / 365, desk.forward(name)
    given = {key: getattr(shock, key) for key in shock.__slots__}
    shocked = portfolio.shocked_volatility(one.volatility, one.days, volatility, given)
    call = one.side > 0
    now = portfolio.option_value(forward, one.strike, years, one.volatility, call)
    later_forward = forward * (1 + move)
    later = portfolio.option_value(later_forward, one.strike, years, shocked, call)
    if coin:
        return one.multiplier * (later / later_forward - now / forward) * paid
    return one.multiplier * (later - now) * paid


def _portfolio(desk: Desk, bucket: int) -> Requirement:
    rule = desk.profile.portfolio
    names = {0: "none", 1: "up", 2: "down"}
    moves = list(
        zip(rule.scenarios.moves.tolist(), rule.scenarios.volatility.tolist(), strict=True)
    )
    held = [(name, quantity) for owner, name, quantity, _ in desk.positions if owner == bucket]
    bases = sorted({desk.listed[name].underlying or name for name, _ in held}, key=desk.row)
    by_base, joint = [], [0.0] * len(moves)
    for base in bases:
        profits = [
            weight
            * sum(
                quantity * _unit(desk, name, move, names[code])
                for name, quantity in held
                if (desk.listed[name].underlying or name) == base
            )
            for (move, code), weight in zip(moves, rule.scenarios.weight.tolist(), strict=True)
        ]
        down = max(0.0, *(-p for p, (move, _) in zip(profits, moves, strict=True) if move <= 0))
        up = max(0.0, *(-p for p, (move, _) in zip(profits, moves, strict=True) if move >= 0))
        by_base.append((down, up))
        joint = [a + b for a, b in zip(joint, profits, strict=True)]
    losing = [max(side) for side in by_base]
    if sum(loss > 0 for loss in losing) <= 1:
        scan = max(losing, default=0.0)
    else:
        size = len(bases)
        matrices = [
            [[1.0 if i == j else rho for j in range(size)] for i in range(size)]
            for rho in rule.correlation
        ]
        scan = portfolio.across(by_base, -min(0.0, *joint), matrices, rule.largest_offset)
    maintenance = scan * rule.requirement.loss_factor_ppm / 1e6 + _charges(desk, held, bases)
    return maintenance * rule.requirement.initial_factor_ppm / 1e6, maintenance


def _charges(desk: Desk, held: list[tuple[str, float]], bases: list[str]) -> float:
    """Basis, naked short options and liquidity, as the rule of `default` has them."""
    rule, total = desk.profile.portfolio.contingency, 0.0
    for base in bases:
        own = [pair for pair in held if (desk.listed[pair[0]].underlying or pair[0]) == base]
        spot = desk.listed[base].index or desk.listed[base].mark
        ends: dict[float, float] = {}
        strikes: dict[tuple[float, float], float] = {}
        for name, quantity in own:
            one = desk.listed[name]
            value = quantity * _delta_value(desk, name)
            ends[one.days] = ends.get(one.days, 0.0) + value
            if one.side:
                key = (one.days, one.strike)
                strikes[key] = strikes.get(key, 0.0) + quantity * one.multiplier
        total += sum(abs(value) * days / 365 * rule.basis_a_year for days, value in ends.items())
        total += sum(-net * spot * rule.naked_short for net in strikes.values() if net < 0)
        total += max(0.0, abs(sum(ends.values())) - rule.liquidity_from) * rule.liquidity
    return total


def _delta_value(desk: Desk, name: str) -> float:
    one = desk.listed[name]
    if one.inverse:
        return one.multiplier
    if not one.side:
        return one.multiplier * one.mark
    forward, years = desk.forward(name), one.days / 365
    deviation = one.volatility * math.sqrt(years)
    near = math.log(forward / one.strike) / deviation + deviation / 2
    delta = math.erfc(-near / math.sqrt(2)) / 2 - (0 if one.side > 0 else 1)
    return one.multiplier * delta * forward
