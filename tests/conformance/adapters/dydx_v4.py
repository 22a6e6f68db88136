"""dYdX v4: margin rates, bankruptcy and fillable prices, the insurance fund, deleveraging."""

from typing import Any

import numpy as np

from risk.holdings import Balances, Positions, Tiers
from risk.liquidation.deleveraging import acceptable
from risk.liquidation.partial import insurance_payment_e8
from risk.liquidation.sizing import Sizing, raw_prices
from risk.margin.buckets import evaluate
from risk.margin.open_interest import initial_rate_ppm, lift_ppm, maintenance_rate_ppm
from risk.margin.tiers import requirement
from risk.valuation import contract_value, sum_by
from schemas.units import E8, PPM
from tests.conformance.translate import amount, column, linear_rules, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "offsetting" in inputs:
        return _deleveraging(inputs)
    kinds = {
        "bankruptcy_quote_amount": _bankruptcy,
        "limit_price": _fillable,
        "initial_margin_quantums": _initial,
        "imf_ppm": _initial_rate,
        "maintenance_margin_ppm": _maintenance_rate,
        "insurance_fund_delta": _insurance,
    }
    found = [kind for name, kind in kinds.items() if name in expected]
    return found[0](inputs) if found else None


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


def _fillable(inputs: dict[str, Any]) -> dict[str, Any]:
    fillable, _ = _prices(inputs)
    return {"limit_price": float(fillable[0]) / E8}


def _bankruptcy(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"bankruptcy_quote_amount": number(_bankruptcy_quote(inputs)[0])}


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


def _alone(inputs: dict[str, Any], account: dict[str, Any]) -> np.ndarray:
    """Bankruptcy price of an account's one position: it bears all equity, whatever its margin."""
    held = {
        "market": "",
        "size": account["position"],
        "oracle_price": inputs["oracle_price"],
        "imr": 1,
        "maintenance_fraction_of_imr": 1,
    }
    whole = {"quote_balance": account["cash"], "positions": [held], "close_market": ""}
    _, bankruptcy = _prices(whole)
    return np.rint(bankruptcy).astype(np.int64)


def _deleveraging(inputs: dict[str, Any]) -> dict[str, Any]:
    """A trade of both accounts at the bankruptcy price of the liquidated one."""
    liquidated, offsetting = inputs["liquidated"], inputs["offsetting"]
    price, limit = _alone(inputs, liquidated), _alone(inputs, offsetting)
    if not acceptable(price, limit, np.array([offsetting["position"] > 0])).all():
        return {"allowed": False, "reason": "bankruptcy prices do not overlap"}
    bought = amount(inputs["delta"]) * -np.sign(amount(liquidated["position"]))
    paid, _ = contract_value(np.array([False]), amount(1), bought, price)
    cash = amount(liquidated["cash"], offsetting["cash"])
    row = np.arange(2).repeat(2)
    after = sum_by(row, np.stack((cash, np.concatenate((-paid, paid))), axis=1).ravel(), 2)
    size = np.concatenate((amount(liquidated["position"]), bought))
    return {
        "transfer_price": number(price[0]),
        "quote_transfer": abs(number(paid[0])),
        "liquidated_cash": number(after[0]),
        "offset_cash": number(after[1]),
        "liquidated_position": number(sum_by(size * 0, size, 1)[0]),
        "allowed": True,
    }


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
