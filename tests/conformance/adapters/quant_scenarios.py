"""Scenario cases of the quantitative anchors: risk arrays, shocks, grids, aggregation."""

import json
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import risk.scenarios
from risk.margin.portfolio import (
    PortfolioRule,
    portfolio_margin,
    scan,
    scenario_profits,
)
from risk.margin.span import risk_arrays, scan_risk
from risk.scenarios.grid import ScenarioSet, VolatilityMove, VolatilityShock
from risk.scenarios.offsets import aggregate, concentration
from risk.scenarios.shock import PricedContracts, shocked_volatility, unit_profit
from risk.scenarios.tail import normal_risk
from schemas.units import E8
from tests.conformance.translate import amount, number

SETS = Path(risk.scenarios.__path__[0]) / "sets"
VECTORS = Path(__file__).parents[1] / "vectors" / "quant.json"
SIDES = {"c": 1, "p": -1}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    for names, kind in KINDS.items():
        if set(names) <= set(inputs):
            return kind(inputs)
    return None


def _preset(name: str) -> dict[str, Any]:
    return tomllib.loads((SETS / f"{name}.toml").read_text(encoding="utf-8"))


def _arrays(inputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """Risk arrays of a future, a call and a put, in this order."""
    moves = {1: "up", -1: "down", 0: "none"}
    rows = [
        {"spot": spot, "volatility": moves[move], "weight": weight, "kind": "scan"}
        for spot, move, weight in inputs["scenarios"]
    ]
    volatility = {"up": inputs["VSR_abs"], "down": inputs["VSR_abs"], "absolute": True}
    table = _preset("span-16")["scenarios"] | {
        "grid": {},
        "scenario": rows,
        "volatility": volatility,
    }
    contracts = PricedContracts.of(
        [inputs["F"]] * 3,
        side=[0, 1, -1],
        strike=[0, inputs["call_K"], inputs["put_K"]],
        years=float(Fraction(inputs["T"])),
        volatility=inputs["iv"],
    )
    arrays = risk_arrays(contracts, ScenarioSet.of(table), scan_range=inputs["PSR"])
    return dict(zip(("future", "call", "put"), arrays, strict=True))


def _risk_arrays(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: losses.tolist() for name, losses in _arrays(inputs).items()}


def _scan_risk(inputs: dict[str, Any]) -> dict[str, Any] | None:
    """The case names another one of the file for its arrays; scenarios there count from 1."""
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))
    named = [case["inputs"] for case in cases if case["id"] == inputs["array"]]
    if not named:
        return None
    arrays = _arrays(named[0])
    row = np.arange(len(inputs["positions"]))
    held = row * 0, row, amount(*inputs["positions"].values())
    losses = np.stack([arrays[name] for name in inputs["positions"]])
    risk_e8, active = scan_risk(held, losses, 1)
    return {
        "losses": (scenario_profits(*held, losses, 1)[0] / E8).tolist(),
        "active_scenario": int(active[0]) + 1,
        "scan_risk": number(risk_e8[0]),
    }


def _inverse(inputs: dict[str, Any]) -> dict[str, Any]:
    """At a price of 1 a contract of q coins is one of q units of quote."""
    scenarios = ScenarioSet.of({"grid": {"spot": inputs["shocks"]}})
    contract = PricedContracts.of([1.0], inverse=True, multiplier=inputs["q_btc"])
    return {"pnl_btc": unit_profit(contract, scenarios)[0].tolist()}


def _volatility(inputs: dict[str, Any]) -> dict[str, Any]:
    shock = VolatilityShock(up=inputs["up"], down=-inputs["down"])
    days = np.array(inputs["dte"], np.float64)
    now = np.full(len(days), inputs["iv"])
    return {
        "up": shocked_volatility(now, days, VolatilityMove.UP, shock).tolist(),
        "down": shocked_volatility(now, days, VolatilityMove.DOWN, shock).tolist(),
    }


def _grid(inputs: dict[str, Any]) -> dict[str, Any]:
    """A book of one underlying, all at one forward, on the preset's grid; futures come last."""
    preset = _preset("deribit-9x3")
    table = preset["scenarios"] | {
        "spot_range": inputs["price_range"],
        "scenario": [],
        "volatility": {"up": inputs["up"], "down": -inputs["down"]},
    }
    options = inputs["options"]
    contracts = PricedContracts.of(
        [inputs["F"]] * (len(options) + 1),
        side=[*(SIDES[option["type"]] for option in options), 0],
        strike=[*(option["K"] for option in options), 0],
        years=[*(option["dte"] / 365 for option in options), 0],
        volatility=[*(option["iv"] for option in options), 0],
    )
    unit = unit_profit(contracts, ScenarioSet.of(table))
    row = np.arange(len(contracts))
    quantity_e8 = amount(*(option["qty"] for option in options), inputs["futures_qty"])
    held = row * 0, row, quantity_e8
    grid = scenario_profits(*held, unit, 1)[0].reshape(-1, len(table["grid"]["volatility"]))
    loss_e8, worst = scan(*held, unit, 1)
    margin = portfolio_margin(loss_e8, worst, PortfolioRule.of(preset["portfolio"]))
    at = np.unravel_index(worst[0], grid.shape)
    return {
        "grid": (grid / E8).tolist(),
        "worst": number(grid[at]),
        "worst_index": [int(index) for index in at],
        "IM": number(margin.initial_margin_e8[0]),
        "MM": number(margin.maintenance_margin_e8[0]),
    }


def _aggregation(inputs: dict[str, Any]) -> dict[str, Any]:
    weighted = np.array([inputs["WS"]], np.float64)
    return {
        "K": float(aggregate(weighted, np.array(inputs["rho"], np.float64))[0]),
        "CR": float(concentration(inputs["net_sens"], inputs["threshold"])),
    }


def _normal(inputs: dict[str, Any]) -> dict[str, Any]:
    columns = (np.array(inputs[name], np.float64) for name in ("exposures", "daily_vol", "corr"))
    found = normal_risk(*columns, 990_000)
    return {
        "VaR99": found.value_at_risk,
        "components": found.components.tolist(),
        "undiversified": found.undiversified,
        "diversification_ratio": found.diversification_ratio,
    }


KINDS = {
    ("PSR", "VSR_abs", "scenarios"): _risk_arrays,
    ("array", "positions"): _scan_risk,
    ("q_btc", "shocks"): _inverse,
    ("iv", "dte", "up", "down"): _volatility,
    ("options", "futures_qty", "price_range"): _grid,
    ("WS", "rho", "net_sens", "threshold"): _aggregation,
    ("exposures", "daily_vol", "corr"): _normal,
}
