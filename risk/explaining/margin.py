"""The steps from positions to what they require."""

from dataclasses import replace

import numpy as np

from risk.book import Evaluation
from risk.explaining.step import Names, Step, rate
from risk.margin import steps
from risk.margin.contingencies import (
    ContingencyRule,
    expiry_charge,
    liquidity_charge,
    naked_charge,
    vega_charge,
)
from risk.margin.portfolio import PortfolioRule, scan, scenario_profits
from risk.requirements import option_rule
from risk.requirements.case import Case
from risk.requirements.groups import Groups
from risk.requirements.portfolio_rule import Scenarios, required
from risk.requirements.view import View
from risk.scenario_rule import Extras
from risk.scenarios.tail import historical_tail
from risk.valuation import sum_by
from schemas.units import PPM, text

METHODS = {True: "notional x rate - deduction", False: "notional x rate"}
CHARGES = {
    "basis between expiries": expiry_charge,
    "vega by tenor": vega_charge,
    "naked short options": naked_charge,
    "liquidity": liquidity_charge,
}


def tiers(case: Case, result: Evaluation, names: Names) -> list[Step]:
    if case.portfolio[0]:
        return []
    table_of, state, row = case.rules.tiers, result.positions, case.book.positions.instrument
    made = []
    for p in np.flatnonzero(~case.option[row] & table_of.known[row]).tolist():
        subject = int(row[p])
        step = int(steps.level(state.notional_e8[[p]], row[[p]], table_of.maintenance)[0])
        sized = bool(table_of.initial_factor_ppb[subject])
        progressive = bool(table_of.maintenance.cum_e8[subject].any())
        numbers = {
            "notional": text(state.notional_e8[p]),
            "tier": f"{step + 1}, from {text(table_of.maintenance.floor_e8[subject, step])}",
        }
        for name, table in (("initial", table_of.initial), ("maintenance", table_of.maintenance)):
            numbers[f"{name} rate"] = rate(table, subject, step)
            if progressive:
                numbers[f"{name} deduction"] = text(table.cum_e8[subject, step])
        made.append(
            Step(
                f"margin of {names.instruments[subject]}",
                "notional x max(rate, 0.8 rate + factor x root of the size)"
                if sized
                else METHODS[progressive],
                {
                    **numbers,
                    "initial margin": text(state.initial_margin_e8[p]),
                    "maintenance margin": text(state.maintenance_margin_e8[p]),
                },
            )
        )
    return made


def options(case: Case, names: Names) -> list[Step]:
    """Standard margin of options, those of a bucket together."""
    rule, row = case.profile.options, case.book.positions.instrument
    chosen = case.standard_options(case.book.positions.bucket, row)
    if rule is None or not chosen.any():
        return []
    held = case.held().where(chosen)
    needed = option_rule.required(held, _seen(case), rule, case.size)
    listed, place = np.unique(held.instrument, return_inverse=True)
    alone_e8 = sum_by(place, needed.weight_e8, len(listed))
    alone = {
        f"{names.instruments[instrument]} alone": text(alone_e8[number])
        for number, instrument in enumerate(listed.tolist())
    }
    return [
        Step(
            "standard margin of the options",
            "margin of what is short, less what spreads save, + value of all options, of a"
            f" positive one {rule.long_initial:g} initially and {rule.long_maintenance:g} in"
            " maintenance",
            {
                **alone,
                "initial margin": text(needed.initial_e8[0]),
                "maintenance margin": text(needed.maintenance_e8[0]),
            },
        )
    ]


def portfolio(case: Case, result: Evaluation, names: Names) -> list[Step]:
    """What scenarios take of a portfolio."""
    rule = case.profile.portfolio
    if rule is None or not case.portfolio[0]:
        return []
    made = []
    if rule.expiry is None and len(case.book.positions.bucket):
        made = _scenarios(case, Scenarios.of(rule, _seen(case), case.market.moves), names)
    state = result.state
    factor = rule.requirement
    made.append(
        Step(
            "margin of the portfolio",
            "each expiry discounted on its own, then the worst scenario"
            if rule.expiry is not None
            else f"maintenance = {factor.loss_factor_ppm / PPM:g} x max(worst losses"
            + (" after offsets" if rule.correlation is not None else "")
            + ", historical tail) + additions; initial ="
            f" {factor.initial_factor_ppm / PPM:g} x maintenance, of now and with orders filled",
            {
                "worst scenario": case.profile.scenario_name(int(result.worst[0])) or "none loses",
                "initial margin": text(state.initial_margin_e8[0]),
                "maintenance margin": text(state.maintenance_margin_e8[0]),
            },
        )
    )
    return made


def _scenarios(case: Case, scenarios: Scenarios, names: Names) -> list[Step]:
    """The worst loss of each underlying by its positions, what becomes of them, what is added."""
    held, view = case.held(), scenarios.view
    row = view.place[held.instrument]
    groups = Groups.of(held, view.underlying[row], case.size)
    holdings = (groups.of_row, row, held.quantity_e8)
    relief_e8, size = scenarios.rule.scenarios.relief_e8, len(groups.bucket)
    loss_e8, worst = scan(*holdings, scenarios.profit, size, relief_e8=relief_e8)
    made = []
    for group, underlying in enumerate(groups.underlying.tolist()):
        index = int(worst[group])
        rows = np.flatnonzero(groups.of_row == group)
        listed, place = np.unique(held.instrument[rows], return_inverse=True)
        each = (place, row[rows], held.quantity_e8[rows])
        profit_e8 = scenario_profits(*each, scenarios.profit, len(listed))[:, max(index, 0)]
        made.append(
            Step(
                f"worst loss of what is written on {names.instruments[underlying]}",
                "largest of all scenarios: - sum of quantity x change of value of a contract",
                {
                    "worst scenario": case.profile.scenario_name(index) or "none loses",
                    **{
                        names.instruments[instrument]: text(profit_e8[number])
                        for number, instrument in enumerate(listed.tolist())
                        if index >= 0
                    },
                    "loss": text(loss_e8[group]),
                },
            )
        )
    if size > 1:
        together = required(held, _bare(scenarios), case.size).maintenance_e8[0]
        offsets = "after offsets between underlyings" if scenarios.rule.correlation else "their sum"
        made.append(Step("worst losses together", offsets, {"loss": text(together)}))
    positions = (held.bucket, row, held.quantity_e8)
    tail = scenarios.rule.tail
    if tail is not None and scenarios.days is not None:
        day_e8 = historical_tail(
            positions,
            scenarios.days,
            case.size,
            level_ppm=tail.level_ppm,
            shortfall=tail.shortfall,
        )
        what = "expected shortfall" if tail.shortfall else "value at risk"
        formula = f"{what} at {tail.level_ppm / PPM:g} over {scenarios.days.shape[1]} days"
        made.append(Step("historical tail", formula, {"loss": text(day_e8[0])}))
    given = (positions, scenarios.exposures, scenarios.rule.contingency, case.size)
    added = {name: charge(*given)[0] for name, charge in CHARGES.items()}
    if any(added.values()):
        numbers = {name: text(charge_e8) for name, charge_e8 in added.items()}
        made.append(Step("additions", "each rounded up", numbers))
    return made


def _bare(scenarios: Scenarios) -> Scenarios:
    """The same with a requirement that is the worst losses and nothing else."""
    rule = replace(
        scenarios.rule,
        requirement=PortfolioRule(PPM, PPM),
        contingency=ContingencyRule(),
        tail=None,
        extras=Extras(),
    )
    return replace(scenarios, rule=rule)


def _seen(case: Case) -> View:
    return case.view(case.with_options_or_scenarios())
