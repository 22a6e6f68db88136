"""What portfolios require: the worst scenario, across underlyings, and what comes on top."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from risk.holdings import Bools
from risk.margin import contingencies
from risk.margin.bucket_greeks import contract_greeks
from risk.margin.contingencies import Exposures
from risk.margin.portfolio import portfolio_margin, scan, scan_sides
from risk.margin.rounding import nearest_e8
from risk.margin.span import short_option_minimum
from risk.margin.weights import rounded_up_e8
from risk.requirements import expiry_rule
from risk.requirements.groups import Groups, of_largest, weights
from risk.requirements.rows import Held, Required
from risk.requirements.view import View
from risk.scenario_rule import ScenarioRule
from risk.scenarios.offsets import across
from risk.scenarios.shock import DAYS_A_YEAR
from risk.scenarios.tail import historical_tail
from risk.valuation import sum_by
from schemas.units import E8, Floats, Int64s


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The instruments at hand under the scenarios of a rule, revalued once."""

    rule: ScenarioRule
    view: View
    profit: Floats  # [V, S] of one contract, weighted, valuation currency
    days: Floats | None  # [V, D] of one contract on historical days
    exposures: Exposures

    @staticmethod
    def of(rule: ScenarioRule, view: View, moves: Floats | None) -> "Scenarios":
        days = None if rule.tail is None or moves is None else view.unit_profit_of_days(moves)
        return Scenarios(rule, view, view.unit_profit(rule.scenarios), days, _exposures(rule, view))


def required(held: Held, scenarios: Scenarios, size: int) -> Required:
    """Requirement of buckets 0..size-1, all of whose positions `held` are.

    MM = factor x max(scan, tail) + contingencies, at least the short option minimum, IM = MM x
    factor; scan: the worst loss of each underlying, summed or with the offsets of the rule. The
    worst scenario is that of the underlying that loses most. A row weighs what it loses in the
    worst scenario of its bucket and underlying.
    """
    rule, row = scenarios.rule, scenarios.view.place[held.instrument]
    groups = Groups.of(held, scenarios.view.underlying[row], size)
    relief_e8 = rule.scenarios.relief_e8
    loss_e8, worst = scan(
        groups.of_row, row, held.quantity_e8, scenarios.profit, len(groups.bucket),
        relief_e8=relief_e8,
    )  # fmt: skip
    scan_e8 = sum_by(groups.bucket, loss_e8, size)
    if rule.correlation is not None:
        _offset(scan_e8, held, groups, row, scenarios)
    positions = (held.bucket, row, held.quantity_e8)
    margin = portfolio_margin(
        scan_e8,
        of_largest(loss_e8, worst, groups, size),
        rule.requirement,
        tail_e8=_tail(positions, scenarios, size),
        contingency_e8=_charges(positions, scenarios, size),
    )
    least_e8 = _short_options(positions, scenarios, size)
    return Required(
        np.maximum(margin.initial_margin_e8, least_e8),
        np.maximum(margin.maintenance_margin_e8, least_e8),
        margin.worst,
        weights(held, row, worst[groups.of_row], scenarios.profit),
    )


def _offset(scan_e8: Int64s, held: Held, groups: Groups, row: Int64s, scenarios: Scenarios) -> None:
    """Replace the sums of buckets with several underlyings by what remains after offsets."""
    rule, held_in = scenarios.rule, np.diff(groups.first)
    several = held_in > 1
    if not several.any():
        return
    chosen = several[held.bucket]
    part, quantity_e8 = row[chosen], held.quantity_e8[chosen]
    relief_e8, moves = rule.scenarios.relief_e8, rule.scenarios.moves
    down_e8, up_e8 = scan_sides(
        groups.of_row[chosen], part, quantity_e8, scenarios.profit, len(groups.bucket),
        moves=moves, relief_e8=relief_e8,
    )  # fmt: skip
    joint_e8, _ = scan(
        held.bucket[chosen], part, quantity_e8, scenarios.profit, len(held_in), relief_e8=relief_e8
    )
    # Buckets of equal width together: no sum depends on what others hold.
    for width in np.unique(held_in[several]).tolist():
        buckets = np.flatnonzero(held_in == width)
        cells = groups.first[buckets, None] + np.arange(width)
        scan_e8[buckets] = across(
            down_e8[cells], up_e8[cells], joint_e8[buckets], rule.netting(width)
        )


def _charges(positions: tuple[Int64s, Int64s, Int64s], scenarios: Scenarios, size: int) -> Int64s:
    """The contingencies of which the rule has a rate."""
    rule, options = scenarios.rule.contingency, scenarios.exposures.option.any()
    charges = (
        (contingencies.expiry_charge, rule.spread or rule.basis_a_year),
        (contingencies.vega_charge, options and rule.vega),
        (contingencies.naked_charge, options and rule.naked_short),
        (contingencies.liquidity_charge, rule.liquidity),
    )
    total = np.zeros(size, np.int64)
    for charge, rate in charges:
        if rate:
            total += charge(positions, scenarios.exposures, rule, size)
    return total


def _tail(
    positions: tuple[Int64s, Int64s, Int64s], scenarios: Scenarios, size: int
) -> Int64s | int:
    rule = scenarios.rule.tail
    if rule is None or scenarios.days is None:
        return 0
    order = np.argsort(positions[0], kind="stable")
    bucket, row, quantity_e8 = (column[order] for column in positions)
    return historical_tail(
        (bucket, row, quantity_e8),
        scenarios.days,
        size,
        level_ppm=rule.level_ppm,
        shortfall=rule.shortfall,
    )


def _short_options(
    positions: tuple[Int64s, Int64s, Int64s], scenarios: Scenarios, size: int
) -> Int64s:
    view, share = scenarios.view, scenarios.rule.extras.short_option_minimum
    if share == 0:
        return np.zeros(size, np.int64)
    price = view.spot * view.quote_price * view.contracts.multiplier
    charge_e8 = rounded_up_e8(price * share * E8)
    return short_option_minimum(positions, view.contracts.side, charge_e8, size)


def _exposures(rule: ScenarioRule, view: View) -> Exposures:
    contracts = view.contracts
    greeks = contract_greeks(contracts)
    option: Bools = contracts.side != 0
    _, expiry = np.unique(view.expiry_us, return_inverse=True)
    days = contracts.years * DAYS_A_YEAR
    return Exposures(
        underlying=view.underlying,
        expiry=expiry,
        years=contracts.years,
        tenor=np.searchsorted(rule.tenor_days(), days, side="right"),
        strike_e8=np.rint(contracts.strike * E8).astype(np.int64),
        option=np.where(option, nearest_e8(contracts.multiplier * E8), 0),
        price=view.spot * view.quote_price,
        delta_value=greeks.delta * contracts.forward * view.quote_price,
        vega=greeks.vega * view.quote_price,
    )


def recipe(
    rule: ScenarioRule, view: View, moves: Floats | None, size: int
) -> Callable[[Held], Required]:
    """What the holdings of buckets 0..size-1 require by a rule; instruments are revalued once."""
    if rule.expiry is not None:
        expiry = rule.expiry
        return lambda held: expiry_rule.required(held, rule, expiry, view, size)
    scenarios = Scenarios.of(rule, view, moves)
    return lambda held: required(held, scenarios, size)
