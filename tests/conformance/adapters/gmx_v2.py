"""GMX v2: whether an isolated position, collateralised in its own index asset, is liquidatable."""

from dataclasses import replace
from typing import Any

import numpy as np

from risk.holdings import (
    Assets,
    Balances,
    Contracts,
    Positions,
    Rules,
    StepTable,
    Tiers,
)
from risk.margin.buckets import evaluate
from risk.margin.tiers import requirement
from schemas.units import PPM, divide_e8
from tests.conformance.translate import amount, column, ppm

MIN_COLLATERAL_FACTOR = 0.01  # default of their configuration


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    """Their size is the value at entry, so the requirement does not move with the price."""
    inputs = case["inputs"]
    if set(case["expected"]) != {"liquidatable"}:
        return None
    currency, collateral = column(0), column(1)
    rate = ppm(MIN_COLLATERAL_FACTOR)
    rules = Rules(
        Contracts(np.array([False]), amount(1), currency, column(1), column(1)),
        Tiers.of([[(0, rate, rate)]], [PPM]),
        Assets(amount(1, inputs["price"]), column(0, 0), StepTable.of([[], []])),
    )
    side = 1 if inputs["side"] == "long" else -1
    size, _ = divide_e8(amount(inputs["size_usd"]), amount(inputs["entry_price"]))
    cost = amount(inputs["size_usd"])
    margin, _ = evaluate(
        Positions(column(0), column(0), side * size, side * cost),
        Balances(column(0), collateral, amount(inputs["collateral_amount"])),
        amount(inputs["price"]),
        rules,
        1,
    )
    initial, maintenance, _ = requirement(cost, column(0), rules.tiers)
    state = replace(margin, initial_margin_e8=initial, maintenance_margin_e8=maintenance)
    return {"liquidatable": bool(state.liquidatable()[0])}
