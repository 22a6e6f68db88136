"""What portfolios require by the recipe that discounts each expiry on its own."""

from dataclasses import replace

import numpy as np

from risk.margin.expiry_margin import NO_EXPIRY, ExpiryBook, ExpiryRule, expiry_margin
from risk.requirements.groups import Groups, of_largest, weights
from risk.requirements.rows import Held, Required
from risk.requirements.view import View
from risk.scenario_rule import ScenarioRule
from risk.valuation import sum_by


def required(held: Held, rule: ScenarioRule, recipe: ExpiryRule, view: View, size: int) -> Required:
    """Requirement of buckets 0..size-1: each underlying by itself, summed.

    Coins are collateral that moves with its underlying. Worst scenario and weights of rows are as
    in `portfolio_rule.required`; where the basis charge is the worst it is the number of scenarios.
    """
    row = view.place[held.instrument]
    groups = Groups.of(held, view.underlying[row], size)
    margin = expiry_margin(
        (groups.of_row, row, held.quantity_e8),
        _book(view, rule),
        rule.scenarios,
        recipe,
        spot_confidence=np.ones(len(groups.bucket)),
    )
    initial_e8, maintenance_e8 = margin.initial_margin_e8, margin.maintenance_margin_e8
    loses = (margin.basis < 0) | (margin.profit < 0).any(axis=1)
    worst = np.where(loses, margin.worst, -1)
    return Required(
        sum_by(groups.bucket, initial_e8, size),
        sum_by(groups.bucket, maintenance_e8, size),
        of_largest(maintenance_e8, worst, groups, size),
        weights(held, row, worst[groups.of_row], view.unit_profit(rule.scenarios)),
    )


def _book(view: View, rule: ScenarioRule) -> ExpiryBook:
    """The instruments in the valuation currency, inverse ones as what they are worth there."""
    contracts = view.contracts
    option, count = contracts.side != 0, len(view.underlying)
    units = np.where(contracts.inverse & ~option, 1 / contracts.forward, 1.0)
    contracts = replace(
        contracts,
        inverse=np.zeros(count, np.bool_),
        multiplier=contracts.multiplier * units * view.quote_price,
    )
    _, expiry = np.unique(view.expiry_us, return_inverse=True)
    return ExpiryBook(
        contracts=contracts,
        expiry=np.where(option, expiry, NO_EXPIRY),
        rate=view.rate,
        confidence=np.ones(count),
        spot=view.spot * view.quote_price * view.contracts.multiplier * units,
        collateral=view.coin,
        moves=view.coin,
        haircut=np.zeros(count),
        initial_haircut=np.full(count, rule.extras.initial_haircut),
    )
