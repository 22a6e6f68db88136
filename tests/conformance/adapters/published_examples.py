"""Worked examples that exchanges and projects publish."""

from typing import Any

import numpy as np

from risk.liquidation import deleveraging
from risk.liquidation.sizing import closing_quantity
from risk.margin.contingencies import price_charge
from risk.margin.liquidation_price import maintenance_lines, maintenance_margin, position_prices
from risk.margin.portfolio import scenario_profits
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import DAYS_A_YEAR, PricedContracts, forward_price, unit_profit
from schemas.units import E8
from tests.conformance.translate import amount, column, number


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], set(case["expected"])
    if "liquidation_price_ignoring_others" in expected:
        return _cross(inputs)
    if "invested_after" in expected:
        return _reduction(inputs)
    if {"forward", "contingency", "pnl"} <= expected:
        return _portfolio(inputs)
    if "closed" in expected:
        return _queue(inputs)
    return _quantile(inputs) if "leverage_pnl" in expected else None


def _queue(inputs: dict[str, Any]) -> dict[str, Any]:
    """They give return and leverage: a position that cost 1 in an account with equity 1."""
    longs = inputs["longs"]
    score = deleveraging.score(
        np.array([long["pnl_pct"] for long in longs], np.float64),
        1.0,
        1.0,
        np.array([long["leverage"] for long in longs], np.float64),
    )
    names = [f"{long['account']:09}" for long in longs]
    ranked = [longs[row] for row in deleveraging.order(score, names)]
    taken = deleveraging.take_e8(
        amount(*(long["contracts"] for long in ranked)), amount(inputs["short_contracts"]).item()
    )
    pairs = zip(ranked, taken, strict=True)
    return {"closed": [[long["account"], number(one)] for long, one in pairs if one]}


def _quantile(inputs: dict[str, Any]) -> dict[str, Any]:
    earned, leveraged = deleveraging.wallet_score(
        inputs["unrealised_profit"], inputs["wallet_balance"], inputs["margin_ratio"]
    )
    return {"pnl_percent": float(earned), "leverage_pnl": float(leveraged)}


def _cross(inputs: dict[str, Any]) -> dict[str, Any]:
    """They hold the requirement at the present notional."""
    found = [
        position_prices(
            np.array([float(inputs["size"])]),
            np.array([float(inputs["mark"])]),
            np.array([float(inputs["equity"])]),
            maintenance_lines([0], [inputs["mmr"]], [0]),
            other_maintenance=other,
            at_present_notional=True,
        )
        for other in (0.0, float(inputs["other_maintenance"]))
    ]
    alone, together = (float(one.below[0]) for one in found)
    return {"liquidation_price_ignoring_others": alone, "liquidation_price": together}


def _reduction(inputs: dict[str, Any]) -> dict[str, Any]:
    """A unit of what is invested is worth 1; what is left is what is not closed."""
    invested = float(inputs["invested"])
    lines = maintenance_lines([0], [inputs["maintenance_ratio"]], [0])
    required = maintenance_margin(np.array([invested]), lines)
    closed = closing_quantity(
        required - inputs["equity"],
        np.ones(1),
        maintenance_margin(np.ones(1), lines),
        fee=0,
        insurance_fee=0,
    )
    return {"invested_after": invested - float(closed[0])}


def _portfolio(inputs: dict[str, Any]) -> dict[str, Any]:
    """The simulated profits of a future and its contingency."""
    forward = forward_price(inputs["index"], inputs["annual_basis"], inputs["days"] / DAYS_A_YEAR)
    table = {"scenario": [{"spot": shock} for shock in inputs["shocks"]]}
    unit = unit_profit(PricedContracts.of(forward), ScenarioSet.of(table))
    held, future = amount(inputs["position"]), column(0)
    profit_e8 = scenario_profits(future, future, held, unit, 1)
    charged_e8 = price_charge(held, np.array([inputs["index"]]), inputs["contingency_factor"])
    return {
        "forward": forward,
        "contingency": number(charged_e8[0]),
        "pnl": (profit_e8[0] / E8).tolist(),
    }
