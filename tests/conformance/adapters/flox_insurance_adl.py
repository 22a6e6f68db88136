"""FLOX: which isolated positions are liquidated, their deficit, and who is closed against it."""

from typing import Any

import numpy as np

from risk.holdings import Balances, MarginState, Positions, Tiers
from risk.liquidation.deleveraging import candidates, order, score, take_e8
from risk.liquidation.socialising import cover_e8
from risk.margin.buckets import evaluate
from risk.margin.tiers import maintenance_rate
from risk.valuation import contract_value, sum_by
from schemas.units import PPM, Floats, Int64s
from tests.conformance.translate import amount, column, linear_rules, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if "rounds" in case["expected"]:
        return _cascade(inputs)
    if "notional" in inputs:
        rate = maintenance_rate(amount(inputs["notional"]), column(0), _tiers(inputs))
        return {"mmr": float(rate[0])}
    if "positions" in inputs:
        return None if inputs.get("slippage") else _waterfall(inputs)
    if "margin" in inputs:
        return {"deficit": number(_deficits([inputs], inputs["mark"])[0])}
    return None


def _tiers(inputs: dict[str, Any]) -> Tiers:
    """The tier of a notional prices all of it; without a rate there is no requirement."""
    table = inputs.get("tiers", [[0, inputs.get("mmr", 0)]])
    rows = [(amount(floor).item(), ppm(rate), ppm(rate)) for floor, rate in table]
    return Tiers.of([rows], [PPM], method=["whole"])


def _margin(
    held: list[dict[str, Any]], mark: float, tiers: Tiers
) -> tuple[MarginState, Int64s, Int64s]:
    """Each position in a bucket of its own with its collateral; also its profit and notional."""
    rules = linear_rules(tiers, held[0].get("multiplier", 1) if held else 1)
    row = np.arange(len(held))
    size = amount(*(position["size"] for position in held))
    entry = amount(*(position["entry"] for position in held))
    cost, _ = contract_value(row < 0, rules.contracts.multiplier_e8[row * 0], size, entry)
    collateral = amount(*(_collateral(position) for position in held))
    margin, state = evaluate(
        Positions(row, row * 0, size, cost),
        Balances(row, row * 0, collateral),
        amount(mark),
        rules,
        len(held),
    )
    return margin, state.profit_e8, state.notional_e8


def _collateral(position: dict[str, Any]) -> float:
    return float(position["margin"] if "margin" in position else position["equity"])


def _deficits(held: list[dict[str, Any]], mark: float) -> Int64s:
    """Without a requirement the shortfall is what equity lacks to zero."""
    margin, _, _ = _margin(held, mark, _tiers({}))
    return margin.shortfall_maintenance_e8()


def _liquidated(inputs: dict[str, Any], held: list[dict[str, Any]], mark: float) -> list[bool]:
    margin, _, _ = _margin(held, mark, _tiers(inputs))
    at_risk: list[bool] = (margin.liquidatable() | margin.bankrupt()).tolist()
    return at_risk


def _cascade(inputs: dict[str, Any]) -> dict[str, Any]:
    """One round at each mark, with what the round before has left."""
    held, rounds = inputs["positions"], []
    for mark in (inputs["first_mark"], inputs["second_mark"]):
        at_risk = _liquidated(inputs, held, mark)
        rounds.append([one["account"] for one, out in zip(held, at_risk, strict=True) if out])
        held = [one for one, out in zip(held, at_risk, strict=True) if not out]
    return {"rounds": rounds}


def _waterfall(inputs: dict[str, Any]) -> dict[str, Any]:
    """The fund first, then the ranked winners, each of whom is closed whole."""
    held, mark = inputs["positions"], inputs["mark"]
    at_risk = _liquidated(inputs, held, mark)
    out = [one for one, gone in zip(held, at_risk, strict=True) if gone]
    left = [one for one, gone in zip(held, at_risk, strict=True) if not gone]
    deficits = _deficits(out, mark)
    deficit = sum_by(deficits * 0, deficits, 1).item()
    paid, uncovered = cover_e8(deficit, amount(inputs["insurance_fund"]))
    ranked, given, kept = _winners(inputs, left, out, uncovered)
    closed = [one["account"] for one, taken in zip(ranked, given, strict=True) if taken]
    found = {
        "liquidated": [one["account"] for one in out],
        "adl_closed": closed,
        "adl_closed_count": len(closed),
        "insurance_fund_after": number((amount(inputs["insurance_fund"]) - paid)[0]),
    }
    return found | ({"winner_equity_after": kept[0]} if closed else {})


def _winners(
    inputs: dict[str, Any], left: list[dict[str, Any]], out: list[dict[str, Any]], deficit: int
) -> tuple[list[dict[str, Any]], Int64s, list[float]]:
    """Candidates in rank order, what each gives up, and what each has once it is closed."""
    if not out or not left or not inputs.get("adl_enabled", True):
        return [], column(), []
    margin, profit, notional = _margin(left, inputs["mark"], _tiers({}))
    size = amount(*(one["size"] for one in left))
    rows = candidates(size, profit, int(amount(out[0]["size"]).item()))
    funds = amount(*(one["equity"] for one in left))
    rank = {
        "pnl_ratio": lambda: score(profit, funds, 1.0, 1.0),
        "binance": lambda: score(profit, 1.0, funds, notional),
        "bybit": lambda: score(profit, 1.0, funds, notional),
        "position_size": lambda: np.abs(size).astype(np.float64),
    }
    ranking: Floats = rank[inputs.get("adl_ranking", "pnl_ratio")]()[rows]
    rows = rows[order(ranking, [f"{left[row]['account']:09}" for row in rows])]
    given = take_e8(profit[rows], deficit)
    kept = margin.equity_e8[rows] - given
    return [left[row] for row in rows], given, [number(one) for one in kept]
