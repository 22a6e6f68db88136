"""Drift v2: size of a partial liquidation of a perpetual."""

from typing import Any

import numpy as np

from risk.holdings import Balances, Positions, Tiers
from risk.liquidation.sizing import closing_quantity
from risk.margin.buckets import evaluate
from schemas.units import E8, PPM
from tests.conformance.translate import amount, column, linear_rules


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "base_to_liquidate" not in expected:
        return None
    # Their insurance fee is a share of the oracle's price, ours of the value in the currency.
    if inputs["insurance_fee"] and inputs["quote_price"] != 1:
        return None
    rules = linear_rules(Tiers.of([[]], [PPM]), settlement_price=inputs["quote_price"])
    one = Positions(column(0), column(0), amount(1), column(0))
    nothing = Balances(column(), column(), column())
    _, state = evaluate(one, nothing, amount(inputs["oracle_price"]), rules, 1)
    base = closing_quantity(
        np.array([float(inputs["margin_shortage"])]),
        state.notional_e8 / E8,
        np.array([inputs["margin_ratio"]]),
        fee=inputs["liquidator_fee"],
        insurance_fee=inputs["insurance_fee"],
    )
    return {"base_to_liquidate": float(base[0])}
