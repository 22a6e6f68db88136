"""Tier tables of exchanges, as freqtrade reads them: rate and maintenance amount of a notional."""

from typing import Any

from risk.holdings import Tiers
from risk.margin.steps import level
from risk.margin.tiers import maintenance_rate
from schemas.units import PPM, e8_nearest
from tests.conformance.translate import amount, column, number, ppm


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    # Without a maintenance amount the table prices the whole position, another method than ours.
    if set(expected) != {"mmr", "maint_amount"} or expected["maint_amount"] is None:
        return None
    rows = []
    for row in inputs["tiers"]:
        rate = ppm(row["maintenanceMarginRate"])
        rows.append((e8_nearest(row["minNotional"]), rate, rate))
    tiers = Tiers.of([rows], [PPM])
    notional = amount(inputs["notional"])
    tier = level(notional, column(0), tiers.maintenance)
    return {
        "mmr": float(maintenance_rate(notional, column(0), tiers)[0]),
        "maint_amount": number(tiers.maintenance.cum_e8[0, tier[0]]),
    }
