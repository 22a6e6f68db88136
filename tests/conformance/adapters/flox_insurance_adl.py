"""FLOX: which isolated positions are liquidated, and the deficit of one."""

from typing import Any

import numpy as np

from risk.holdings import Balances, MarginState, Positions, Tiers
from risk.margin.buckets import evaluate
from risk.valuation import contract_value
from schemas.units import PPM
from tests.conformance.translate import amount, linear_rules, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if set(expected) == {"liquidated"}:
        held = inputs["positions"]
        collateral = [position["equity"] for position in held]
        margin = _margin(held, collateral, mark=inputs["mark"], mmr=inputs["mmr"])
        at_risk = zip(held, margin.liquidatable(), strict=True)
        return {"liquidated": [position["account"] for position, at in at_risk if at]}
    if set(expected) == {"deficit"}:
        margin = _margin(
            [inputs], [inputs["margin"]], mark=inputs["mark"], multiplier=inputs["multiplier"]
        )
        # Without a requirement the shortfall is what equity lacks to zero.
        return {"deficit": number(margin.shortfall_maintenance_e8()[0])}
    return None


def _margin(
    held: list[dict[str, Any]],
    collateral: list[float],
    *,
    mark: float,
    mmr: float = 0,
    multiplier: float = 1,
) -> MarginState:
    """Each position in a bucket of its own with its collateral."""
    rate = ppm(mmr)
    rules = linear_rules(Tiers.of([[(0, rate, rate)]], [PPM]), multiplier)
    row = np.arange(len(held))
    size = amount(*(position["size"] for position in held))
    entry = amount(*(position["entry"] for position in held))
    cost, _ = contract_value(
        np.zeros(len(held), np.bool_), rules.contracts.multiplier_e8[row * 0], size, entry
    )
    positions = Positions(row, row * 0, size, cost)
    margin, _ = evaluate(
        positions, Balances(row, row * 0, amount(*collateral)), amount(mark), rules, len(held)
    )
    return margin
