"""dYdX v4: initial margin, bankruptcy quote and fillable price."""

from typing import Any

import numpy as np

from risk.holdings import Balances, Positions, Tiers
from risk.liquidation.sizing import Sizing, raw_prices
from risk.margin.buckets import evaluate
from risk.margin.tiers import requirement
from risk.valuation import contract_value
from schemas.units import PPM
from tests.conformance.translate import amount, column, linear_rules, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "bankruptcy_quote_amount" in expected:
        return _bankruptcy(inputs)
    if "limit_price" in expected:
        fillable, _ = _prices(inputs)
        return {"limit_price": float(fillable[0]) / 1e8}
    if "initial_margin_quantums" in expected and not inputs["oi_upper_cap"]:
        return _initial(inputs)
    return None


def _prices(inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Their balance is our ledger balance with the positions at no cost, and their maintenance
    fraction is our scalar on the initial rate."""
    held = inputs["positions"]
    rates = [ppm(position["imr"]) for position in held]
    fractions = [ppm(position["maintenance_fraction_of_imr"]) for position in held]
    rules = linear_rules(Tiers.of([[(0, rate, rate)] for rate in rates], fractions))
    row = np.arange(len(held))
    positions = Positions(row * 0, row, amount(*(p["size"] for p in held)), row * 0)
    balances = Balances(column(0), column(0), amount(inputs["quote_balance"]))
    marks = amount(*(position["oracle_price"] for position in held))
    margin, state = evaluate(positions, balances, marks, rules, 1)
    sizing = Sizing(
        spread_to_maintenance_ppm=ppm(inputs.get("spread_to_mm_ratio", 0)),
        bankruptcy_adjustment_ppm=ppm(inputs.get("bankruptcy_adjustment", 1)),
    )
    closing = [p["market"] for p in held].index(inputs["close_market"])
    return raw_prices(
        column(closing), positions, state, margin, marks_e8=marks, rules=rules, sizing=sizing
    )


def _bankruptcy(inputs: dict[str, Any]) -> dict[str, Any]:
    _, bankruptcy = _prices(inputs)
    quote, _ = contract_value(
        np.array([False]),
        amount(1),
        amount(-inputs["delta"]),
        np.rint(bankruptcy).astype(np.int64),
    )
    return {"bankruptcy_quote_amount": number(quote[0])}


def _initial(inputs: dict[str, Any]) -> dict[str, Any]:
    """Quantums are units of the smallest kind, as our 1e-8 are."""
    rate = inputs["base_imf_ppm"]
    notional = column(inputs["notional_quantums"])
    initial, _, _ = requirement(notional, column(0), Tiers.of([[(0, rate, rate)]], [PPM]))
    return {"initial_margin_quantums": int(initial[0])}
