"""nautilus_trader: margin of a linear and of an inverse position; leverage is 1 / scalar."""

from typing import Any

import numpy as np

from risk.holdings import Tiers
from risk.margin.tiers import requirement
from risk.valuation import contract_value
from tests.conformance.translate import amount, column, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if set(case["expected"]) != {"margin"}:
        return None
    initial_rate, maintenance_rate = inputs.get("margin_init"), inputs.get("margin_maint")
    rate = ppm(maintenance_rate if initial_rate is None else initial_rate)
    tiers = Tiers.of([[(0, rate, rate)]], [ppm(1 / inputs["leverage"])])
    value, _ = contract_value(
        np.array([inputs["inverse"]]),
        amount(1),
        amount(inputs["quantity"]),
        amount(inputs["price"]),
    )
    initial, maintenance, _ = requirement(np.abs(value), column(0), tiers)
    return {"margin": number((maintenance if initial_rate is None else initial)[0])}
