"""Synthetix v3: profit against a skewed pool, margin by size, throttled liquidation, reward."""

from typing import Any

import numpy as np

from risk.holdings import Balances, MarginState, Positions, PositionState, Tiers
from risk.liquidation import partial
from risk.margin.buckets import evaluate
from risk.margin.levels import withdrawable_e8
from risk.margin.orders import skewed_fill_price
from risk.margin.weights import linear_rate, required_e8
from risk.valuation import contract_value, sum_by
from schemas.units import E8, PPM
from tests.conformance.translate import amount, linear_rules, number


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "pnl" in expected:
        return _profits(inputs)
    if "initial_margin_ex_reward" in expected:
        return _requirements(inputs)
    if "size_after_each_call" in expected:
        return _throttle(inputs)
    return _reward(inputs) if "keeper_reward" in expected else None


def _column(held: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([position[name] for position in held], np.float64)


def _evaluate(inputs: dict[str, Any], entry: str) -> tuple[MarginState, PositionState]:
    """All positions in one bucket, entered at the price that includes their own impact."""
    held = inputs["positions"]
    row = np.arange(len(held))
    fill = skewed_fill_price(
        _column(held, entry),
        inputs.get("initial_skew", 0),
        _column(held, "size"),
        _column(held, "skew_scale"),
    )
    size = amount(*_column(held, "size"))
    rules = linear_rules(Tiers.of([[] for _ in held], [PPM] * len(held)))
    cost, _ = contract_value(row < 0, amount(*[1] * len(held)), size, amount(*fill))
    balances = Balances(row[:1] * 0, row[:1] * 0, amount(inputs.get("collateral", 0)))
    positions = Positions(row * 0, row, size, cost)
    return evaluate(positions, balances, amount(*_column(held, "price")), rules, 1)


def _profits(inputs: dict[str, Any]) -> dict[str, Any]:
    margin, state = _evaluate(inputs, "index_at_entry")
    names = [position["market"] for position in inputs["positions"]]
    return {
        "pnl": {name: number(pnl) for name, pnl in zip(names, state.profit_e8, strict=True)},
        "available_margin": number(margin.equity_e8[0]),
    }


def _requirements(inputs: dict[str, Any]) -> dict[str, Any]:
    held = inputs["positions"]
    margin, state = _evaluate(inputs, "price")
    rate = linear_rate(
        inputs["min_initial_ratio"],
        np.abs(_column(held, "size")),
        _column(held, "skew_scale"),
        inputs["initial_margin_fraction"],
    )
    fixed = amount(*_column(held, "min_position_margin"))
    one = np.zeros(len(held), np.int64)
    initial = sum_by(one, required_e8(state.notional_e8, rate, fixed_e8=fixed), 1)
    scalar = inputs["maintenance_scalar"]
    scaled = required_e8(state.notional_e8, rate, scalar=scalar, fixed_e8=fixed)
    maintenance = sum_by(one, scaled, 1)
    reserve = sum_by(one, required_e8(state.notional_e8, inputs["liquidation_reward_ratio"]), 1)
    return {
        "initial_margin_ex_reward": number(initial[0]),
        "maintenance_margin_ex_reward": number(maintenance[0]),
        "available_margin": number(margin.equity_e8[0]),
        "withdrawable_margin": number(withdrawable_e8(margin.equity_e8, initial, reserve)[0]),
    }


def _throttle(inputs: dict[str, Any]) -> dict[str, Any]:
    rows = {account["id"]: at for at, account in enumerate(inputs["accounts"])}
    limit = partial.window_limit(
        inputs["maker_fee"],
        inputs["taker_fee"],
        inputs["skew_scale"],
        seconds=inputs["window_seconds"],
        multiplier=inputs["multiplier"],
    )
    left = partial.throttled(
        [account["size"] for account in inputs["accounts"]],
        [rows[call["account"]] for call in inputs["calls"]],
        [call["t"] for call in inputs["calls"]],
        float(limit),
        inputs["window_seconds"],
    )
    return {"max_per_window": float(limit), "size_after_each_call": left.tolist()}


def _reward(inputs: dict[str, Any]) -> dict[str, Any]:
    """A full liquidation: one call without a limit for each position; all collateral is seized."""
    held = inputs["positions"]
    reward = partial.liquidation_reward(
        _notional(held),
        _column(held, "reward_ratio"),
        lowest=inputs["min_reward"],
        highest=inputs["max_reward"],
    )
    rows = range(len(held))
    sizes = [abs(position["size"]) for position in held]
    left = partial.throttled(sizes, rows, [0] * len(held), np.inf, 1)
    return {
        "keeper_reward": reward,
        "collateral_after": 0,
        "open_interest_after": float(left.sum()),
    }


def _notional(held: list[dict[str, Any]]) -> np.ndarray:
    size = amount(*np.abs(_column(held, "size")))
    price = amount(*_column(held, "price"))
    value, _ = contract_value(size < 0, amount(*[1] * len(held)), size, price)
    return value / E8
