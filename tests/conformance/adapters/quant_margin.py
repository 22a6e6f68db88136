"""Quantitative anchors about margin: liquidation prices, health of collateral, coin profits."""

from typing import Any

import numpy as np

from risk.holdings import Assets, Balances, Contracts, MarginState, Positions, Rules, Tiers
from risk.holdings import StepTable as Steps
from risk.margin.buckets import evaluate
from risk.margin.exposures import Book
from risk.margin.liquidation_price import maintenance_lines, position_prices
from risk.margin.shock_distance import shock_distance
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import PricedContracts, unit_profit
from schemas.units import E8, PPM
from tests.conformance.translate import amount, column, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    expected = set(case["expected"])
    if expected == {"liq", "bankruptcy"}:
        return _liquidation(case["inputs"])
    if expected == {"HF", "drop_asset0"}:
        return _health(case["inputs"])
    if expected == {"long_coin"}:
        return _inverse_profit(case["inputs"])
    return None


def _liquidation(inputs: dict[str, Any]) -> dict[str, Any]:
    """Isolated linear positions; at a rate of 0 the liquidation price is the bankruptcy price."""
    rows = np.array(inputs["cases"], np.float64).T
    given = dict(zip(inputs["fields"], rows, strict=True))
    entry, quantity = given["entry"], given["side"] * given["qty"]
    zero = np.zeros((len(entry), 1))
    prices = {}
    for name, rate, cum in (("liq", given["mmr"], given["cum"]), ("bankruptcy", zero, zero)):
        lines = maintenance_lines(zero, rate.reshape(-1, 1), cum.reshape(-1, 1))
        found = position_prices(quantity, entry, given["margin"], lines)
        prices[name] = found.nearest(entry).tolist()
    return prices


def _health(inputs: dict[str, Any]) -> dict[str, Any]:
    """A threshold is 1 - haircut, a debt a negative balance or what the collateral must cover.

    Asset 0 is priced by an instrument in which nothing is held, so that its mark alone moves.
    """
    held, debt = inputs["coll"], inputs["debt"]
    quantities, prices, thresholds = zip(*held, strict=True)
    row = np.arange(len(held) + 1)
    assets = Assets(
        amount(*prices, 1),
        row * 0,
        Steps.of([*([(0, PPM - ppm(threshold))] for threshold in thresholds), []]),
    )
    one = column(1)
    rules = Rules(Contracts(one == 0, one * E8, one * 0, one, one), Tiers.of([[]], [PPM]), assets)
    none = Positions(column(), column(), column(), column())
    owned = Balances(row[:-1] * 0, row[:-1], amount(*quantities))
    marks = amount(prices[0])
    margin, _ = evaluate(none, owned, marks, rules, 1)
    owed = amount(debt)
    covered = MarginState(margin.equity_e8, owed, owed, margin.equity_e8)
    indebted = Balances(row * 0, row, amount(*quantities, -debt))
    margin, state = evaluate(none, indebted, marks, rules, 1)
    pricer = np.where(row == 0, 0, -1)
    distance = shock_distance(Book(none, indebted, marks, rules, margin, state, pricer))
    return {"HF": float(covered.health()[0]), "drop_asset0": float(-distance.down[0])}


def _inverse_profit(inputs: dict[str, Any]) -> dict[str, Any]:
    """Profits of a long contract of N quote units, each price as a move from the entry."""
    entry = inputs["entry"]
    moves = {"scenario": [{"spot": price / entry - 1} for price in inputs["prices"]]}
    contract = PricedContracts.of(entry, inverse=True, multiplier=inputs["N"])
    return {"long_coin": unit_profit(contract, ScenarioSet.of(moves))[0].tolist()}
