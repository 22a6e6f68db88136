"""Drift v2: weights by size, strict prices, open orders, and sizes of partial liquidations.

Its weights are whole units of 1e-4, what a liquidation frees of 1e-5.
"""

from typing import Any

import numpy as np

from risk.holdings import Balances, Positions, PositionState, Tiers
from risk.liquidation import partial
from risk.liquidation.sizing import closing_quantity
from risk.margin import orders, weights
from risk.margin.buckets import evaluate
from risk.margin.weights import Weighing
from risk.valuation import contract_value
from schemas.units import PPM
from tests.conformance.adapters import drift_v2_flows
from tests.conformance.translate import amount, column, linear_rules, number

WEIGHT_GRAIN = 1e-4
RELEASE_GRAIN = 1e-5
INDEX_GRAIN = 1e-6
ORDER_FEE = 0.01
FULL_BELOW = 50
INSURANCE_SHARE = 0.95


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    kinds = {
        "base_to_liquidate": _closing,
        "liability_transfer": _borrow,
        "insurance_fee": _insurance_fee,
        "max_fraction": _pace,
        "loss_per_contract": _social_loss,
        "asset_weight": _asset_weight,
        "liability_weight": _liability_weight,
        "weight": _profit_weight,
        "initial_margin": _perpetual,
        "collateral_value": _deposit,
        "total_collateral": _orders,
    }
    for name, translated in kinds.items():
        if name in expected:
            return translated(inputs)
    if "counted_pnl" in expected:
        return _bounded(inputs) if "size" in inputs else _capped(inputs)
    if set(expected) == {"margin_requirement"}:
        return _debt(inputs)
    return drift_v2_flows.answer(case)


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def _state(size: float, price: float, *, entry: float = 0, quote_price: float = 1) -> PositionState:
    """One position, without margin, valued by the product."""
    rules = linear_rules(Tiers.of([[]], [PPM]), settlement_price=quote_price)
    cost, _ = contract_value(np.array([False]), amount(1), amount(size), amount(entry))
    one = Positions(column(0), column(0), amount(size), cost)
    nothing = Balances(column(), column(), column())
    _, state = evaluate(one, nothing, amount(price), rules, 1)
    return state


def _value(size: float, price: float, quote_price: float = 1) -> float:
    return number(_state(size, price, quote_price=quote_price).notional_e8[0])


def _closing(inputs: dict[str, Any]) -> dict[str, Any]:
    """Their insurance fee is a share of the oracle's price, ours of the value in the currency."""
    base = closing_quantity(
        _floats(inputs["margin_shortage"]),
        _floats(_value(1, inputs["oracle_price"], inputs["quote_price"])),
        _floats(inputs["margin_ratio"]),
        fee=inputs["liquidator_fee"],
        insurance_fee=inputs["insurance_fee"] / inputs["quote_price"],
    )
    return {"base_to_liquidate": float(base[0])}


def _release(inputs: dict[str, Any]) -> np.ndarray:
    return partial.swap_release(
        inputs["asset_weight"],
        inputs["liability_weight"],
        asset_multiplier=inputs["asset_liq_multiplier"],
        liability_multiplier=inputs["liability_liq_multiplier"],
        grain=RELEASE_GRAIN,
    )


def _borrow(inputs: dict[str, Any]) -> dict[str, Any]:
    if "asset_amount" in inputs:
        units = partial.liability_for_asset(
            _value(inputs["asset_amount"], inputs["asset_price"]),
            inputs["liability_price"],
            asset_multiplier=inputs["asset_liq_multiplier"],
            liability_multiplier=inputs["liability_liq_multiplier"],
        )
        return {"liability_transfer": float(units)}
    taken = partial.liability_to_take(
        _floats(inputs["margin_shortage"]),
        _floats(inputs["liability_price"]),
        _release(inputs),
        weight=inputs["liability_weight"],
        insurance_fee=inputs["insurance_fee"],
    )[0]
    return {"liability_transfer": "unbounded" if np.isinf(taken) else float(taken)}


def _insurance_fee(inputs: dict[str, Any]) -> dict[str, Any]:
    if "token_amount" in inputs:
        fee = partial.affordable_insurance_fee(
            inputs["margin_shortage"],
            _value(inputs["token_amount"], inputs["liability_price"]),
            _release(inputs),
            highest=inputs["max_insurance_fee"],
            weight=inputs["liability_weight"],
        )
    else:
        fee = partial.affordable_insurance_fee(
            inputs["margin_shortage"],
            _value(inputs["base"], inputs["oracle_price"], inputs["quote_price"]),
            inputs["margin_ratio"],
            highest=inputs["max_insurance_fee"],
            fee=inputs["liquidator_fee"],
            share=INSURANCE_SHARE,
        )
    return {"insurance_fee": float(fee)}


def _pace(inputs: dict[str, Any]) -> dict[str, Any]:
    share = partial.allowed_share(
        inputs["margin_shortage"],
        inputs["slots_elapsed"],
        initial=inputs["initial_pct"],
        duration=inputs["liquidation_duration_slots"],
        full_below=FULL_BELOW,
    )
    return {"max_fraction": float(share)}


def _social_loss(inputs: dict[str, Any]) -> dict[str, Any]:
    loss = partial.loss_per_contract(
        inputs["loss"], inputs["open_long"], inputs["open_short"], INDEX_GRAIN
    )
    return {"loss_per_contract": float(loss)}


def _asset_weight(inputs: dict[str, Any]) -> dict[str, Any]:
    if "scale_start_value" in inputs:
        weight = weights.deposit_scaled(
            inputs["initial_asset_weight"],
            _value(inputs["total_deposits"], inputs["oracle_price"]),
            inputs["scale_start_value"],
        )
    else:
        weight = weights.size_discount(
            inputs["base_asset_weight"], inputs["size"], inputs["imf_factor"], grain=WEIGHT_GRAIN
        )
    return {"asset_weight": float(weight)}


def _liability_weight(inputs: dict[str, Any]) -> dict[str, Any]:
    weight = weights.size_premium(
        inputs["base_liability_weight"], inputs["size"], inputs["imf_factor"], grain=WEIGHT_GRAIN
    )
    return {"liability_weight": float(weight)}


def _profit_weight(inputs: dict[str, Any]) -> dict[str, Any]:
    weight = weights.size_discount(
        inputs["base_weight"], inputs["unrealised_pnl"], inputs["imf_factor"], grain=WEIGHT_GRAIN
    )
    return {"weight": float(weight)}


def _perpetual(inputs: dict[str, Any]) -> dict[str, Any]:
    size = inputs["size"]
    rate = weights.size_premium(
        inputs["margin_ratio_initial"], abs(size), inputs["imf_factor"], grain=WEIGHT_GRAIN
    )
    notional = _state(size, inputs["oracle_price"]).notional_e8
    return {"initial_margin": number(weights.required_e8(notional, rate)[0])}


def _capped(inputs: dict[str, Any]) -> dict[str, Any]:
    counted = weights.counted_profit(
        inputs["unrealised_pnl"], inputs.get("pnl_weight", 1), inputs["cap"]
    )
    return {"counted_pnl": float(counted)}


def _bounded(inputs: dict[str, Any]) -> dict[str, Any]:
    size, price = inputs["size"], inputs["oracle_price"]
    profit = _state(size, price, entry=inputs["entry"]).profit_e8[0]
    loss = amount(float(weights.worst_payoff(size, price)))
    return {
        "margin_requirement": number(weights.required_e8(loss, inputs["margin_ratio"])[0]),
        "counted_pnl": float(weights.counted_profit(number(profit), inputs["pnl_weight"])),
    }


def _strict(inputs: dict[str, Any], asset_weight: float, liability_weight: float) -> Weighing:
    low, high = weights.strict_prices(_floats(inputs["oracle_price"]), _floats(inputs["twap_5min"]))
    return Weighing(low, high, _floats(asset_weight), _floats(liability_weight))


def _deposit(inputs: dict[str, Any]) -> dict[str, Any]:
    weighing = _strict(inputs, inputs["asset_weight"], 1)
    return {"collateral_value": float(weighing.value(_floats(inputs["deposit"]))[0])}


def _debt(inputs: dict[str, Any]) -> dict[str, Any]:
    weighing = _strict(inputs, 1, inputs["liability_weight"])
    return {"margin_requirement": -float(weighing.value(_floats(-inputs["borrow"]))[0])}


def _orders(inputs: dict[str, Any]) -> dict[str, Any]:
    """Every asset with a deposit or with orders on it; the quote asset's flow has weight 1."""
    held: dict[str, dict[str, float]] = {}
    for name in ("deposits", "open_bids", "open_asks"):
        for row in inputs.get(name, []):
            asset = held.setdefault(row["asset"], {})
            asset |= {key: row[key] for key in row if key != "asset"}
            asset[name] = row["amount" if name == "deposits" else "size"]

    def floats(name: str, default: float) -> np.ndarray:
        return _floats(*(asset.get(name, default) for asset in held.values()))

    weighing = Weighing(
        floats("price", 0),
        floats("price", 0),
        floats("asset_weight", 1),
        floats("liability_weight", 1),
    )
    fill = orders.worst_fill(
        floats("deposits", 0), floats("open_bids", 0), floats("open_asks", 0), weighing
    )
    collateral, requirement = orders.collateral_and_requirement(
        np.zeros(2 * len(held), np.int64),
        np.concatenate((fill.value, fill.cash)),
        1,
        orders=_floats(inputs["open_orders"]),
        order_fee=ORDER_FEE,
    )
    return {
        "margin_requirement": float(requirement[0]),
        "total_collateral": float(collateral[0]),
    }
