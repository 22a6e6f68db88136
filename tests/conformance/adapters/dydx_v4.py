"""dYdX v4: margin rates, bankruptcy quote, fillable price and what the insurance fund receives."""

from typing import Any

import numpy as np

from risk.holdings import Balances, Positions, Tiers
from risk.liquidation.partial import insurance_payment_e8
from risk.liquidation.sizing import Sizing, raw_prices
from risk.margin.buckets import evaluate
from risk.margin.open_interest import initial_rate_ppm, lift_ppm, maintenance_rate_ppm
from risk.margin.tiers import requirement
from risk.valuation import contract_value
from schemas.units import PPM
from tests.conformance.translate import amount, column, linear_rules, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "bankruptcy_quote_amount" in expected:
        return {"bankruptcy_quote_amount": number(_bankruptcy_quote(inputs)[0])}
    if "limit_price" in expected:
        fillable, _ = _prices(inputs)
        return {"limit_price": float(fillable[0]) / 1e8}
    if "initial_margin_quantums" in expected:
        return _initial(inputs)
    if "imf_ppm" in expected:
        return _initial_rate(inputs)
    if "maintenance_margin_ppm" in expected:
        return _maintenance_rate(inputs)
    return _insurance(inputs) if "insurance_fund_delta" in expected else None


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


def _bankruptcy_quote(inputs: dict[str, Any]) -> np.ndarray:
    _, bankruptcy = _prices(inputs)
    quote, _ = contract_value(
        np.array([False]),
        amount(1),
        amount(-inputs["delta"]),
        np.rint(bankruptcy).astype(np.int64),
    )
    return quote


def _insurance(inputs: dict[str, Any]) -> dict[str, Any]:
    """A sale is paid, a purchase pays."""
    (held,) = inputs["positions"]
    size = inputs["fill_size"] if inputs["side"] == "buy" else -inputs["fill_size"]
    bankruptcy = _bankruptcy_quote(inputs | {"close_market": held["market"], "delta": size})
    fill, _ = contract_value(
        np.array([False]), amount(1), amount(-size), amount(inputs["fill_price"])
    )
    paid = insurance_payment_e8(fill, bankruptcy, ppm(inputs["max_liquidation_fee_rate"]))
    return {"insurance_fund_delta": number(paid[0])}


def _open_interest(inputs: dict[str, Any]) -> list[np.ndarray]:
    """Quantums are units of the smallest kind, as our 1e-8 are."""
    names = ("oi_lower_cap", "oi_upper_cap", "open_interest_notional")
    return [column(inputs[name]) for name in names]


def _initial_rate(inputs: dict[str, Any]) -> dict[str, Any]:
    rate = initial_rate_ppm(column(inputs["base_imf_ppm"]), *_open_interest(inputs))
    return {"imf_ppm": int(rate[0])}


def _maintenance_rate(inputs: dict[str, Any]) -> dict[str, Any]:
    rate = maintenance_rate_ppm(
        column(inputs["initial_margin_ppm"]), column(inputs["maintenance_fraction_ppm"])
    )
    return {"maintenance_margin_ppm": int(rate[0])}


def _initial(inputs: dict[str, Any]) -> dict[str, Any]:
    rate = inputs["base_imf_ppm"]
    lift = lift_ppm(*_open_interest(inputs)).tolist()
    tiers = Tiers.of([[(0, rate, rate)]], [PPM], open_interest_ppm=lift)
    initial, _, _ = requirement(column(inputs["notional_quantums"]), column(0), tiers)
    return {"initial_margin_quantums": int(initial[0])}
