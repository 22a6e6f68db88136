"""Equity and maintenance margin of one bucket, in whole numbers and fractions."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor, isqrt
from typing import Any, NamedTuple

from schemas.units import E8, PPM
from streams.audit.account import rounded, value_e8
from streams.audit.rulebook import Record, Rulebook

PPB = 10**9


class Margin(NamedTuple):
    """Of a bucket, in the valuation currency."""

    equity_e8: int
    maintenance_margin_e8: int | None
    """None where it does not follow from tiers: of options, and of portfolios."""


class NotPricedError(ValueError):
    """Something the bucket rests on has no price, tiers or haircut; the message names it."""


def margin(
    holdings: tuple[Mapping[str, int], Mapping[str, tuple[int, int]]],
    marks_e8: Mapping[str, int],
    rules: Rulebook,
    time_us: int,
    *,
    portfolio: bool = False,
) -> Margin:
    """Margin of a bucket by the rules in force at a time.

    `holdings` are balances by asset and (quantity, cost) by instrument; `marks_e8` has the mark of
    every instrument that is held or prices an asset. NotPricedError where one is missing.
    """
    balances, positions = holdings
    net_e8 = dict(balances)
    maintenance_e8 = 0
    tiered = not portfolio and not any(rules.contracts[name].option for name in positions)
    for name, (quantity_e8, cost_e8) in positions.items():
        contract = rules.contracts[name]
        value = value_e8(contract, quantity_e8, _mark(marks_e8, name))
        asset = contract.settlement
        net_e8[asset] = net_e8.get(asset, 0) + value - cost_e8
        if tiered:
            notional_e8 = rounded(abs(value) * price_e8(asset, marks_e8, rules, time_us), E8)
            size_e8 = abs(rounded(quantity_e8 * contract.multiplier_e8, E8))
            maintenance_e8 += _required(notional_e8, size_e8, rules.params_at(name, time_us), name)
    equity_e8 = 0
    for asset, amount_e8 in net_e8.items():
        if amount_e8:
            value = rounded(amount_e8 * price_e8(asset, marks_e8, rules, time_us), E8)
            equity_e8 += _counted(value, _asset(rules, asset, time_us))
    return Margin(equity_e8, maintenance_e8 if tiered else None)


def profit_e8(
    positions: Mapping[str, tuple[int, int]], marks_e8: Mapping[str, int], rules: Rulebook
) -> int:
    """Unrealised profit of positions that settle in one asset, in that asset."""
    return sum(
        value_e8(rules.contracts[name], quantity_e8, _mark(marks_e8, name)) - cost_e8
        for name, (quantity_e8, cost_e8) in positions.items()
    )


def _required(notional_e8: int, size_e8: int, params: Record | None, name: str) -> int:
    """Maintenance margin of a position by its tiers, as their method reads them, rounded up."""
    if params is None:
        raise NotPricedError(f"{name} has no margin tiers")
    scalar, fee = Fraction(params["margin_scalar_ppm"], PPM), Fraction(params["fee_ppm"], PPM)
    rates: list[tuple[int, Fraction]] = [
        (tier["floor_e8"], _ppb_up(Fraction(tier["maintenance_ppm"], PPM) * scalar))
        for tier in params["tiers"]
    ]
    if params["tier_method"] == "MARGINAL":
        ends = [floor_e8 for floor_e8, _ in rates[1:]] + [notional_e8] * bool(rates)
        slices = (
            max(min(notional_e8, end_e8) - floor_e8, 0) * (rate + fee)
            for (floor_e8, rate), end_e8 in zip(rates, ends, strict=True)
        )
        return ceil(sum(slices))
    reached = [rate for floor_e8, rate in rates if floor_e8 <= notional_e8]
    rate = reached[-1] if reached else Fraction(0)
    if params["tier_method"] == "SQRT":
        factor = _ppb_up(Fraction(params["maintenance_size_factor_ppb"], PPB) * scalar)
        square = size_e8 * PPB * PPB // E8
        root = isqrt(square)
        premium = _ppb_up(factor * Fraction(root + (root * root < square), PPB))
        rate = max(rate, _ppb_up(rate * Fraction(4, 5)) + premium)
    return ceil(notional_e8 * min(rate + fee, Fraction(4)))


def _ppb_up(rate: Fraction) -> Fraction:
    return Fraction(ceil(rate * PPB), PPB)


def price_e8(asset: str, marks_e8: Mapping[str, int], rules: Rulebook, time_us: int) -> int:
    """Price of an asset in the valuation currency, which itself is 1."""
    pricer = _asset(rules, asset, time_us)["price_instrument_id"]
    return E8 if pricer is None else _mark(marks_e8, pricer)


def _mark(marks_e8: Mapping[str, int], name: str) -> int:
    if name not in marks_e8:
        raise NotPricedError(f"{name} has no mark")
    return marks_e8[name]


def _asset(rules: Rulebook, name: str, time_us: int) -> Record:
    record = rules.asset_at(name, time_us)
    if record is None:
        raise NotPricedError(f"no record describes the asset {name}")
    return record


def _counted(value_e8: int, asset: Record) -> int:
    """What a value adds to equity: less its haircut, rounded down; a debt away from zero."""
    if value_e8 >= 0:
        return floor(value_e8 - _charge(value_e8, asset["haircut_tiers"], "haircut_ppm"))
    return floor(value_e8 * (1 + Fraction(asset["borrow_weight_ppm"], PPM)))


def _charge(amount_e8: int, steps: list[dict[str, Any]], rate: str) -> Fraction:
    """Each slice of an amount above a floor at the rate of its own step."""
    total = 0
    for at, step in enumerate(steps):
        end_e8 = steps[at + 1]["floor_e8"] if at + 1 < len(steps) else amount_e8
        total += max(min(amount_e8, end_e8) - step["floor_e8"], 0) * step[rate]
    return Fraction(total, PPM)
