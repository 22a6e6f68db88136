"""Quantitative anchors about the waterfall: who bears a deficit, and how large one may be."""

from typing import Any

import numpy as np

from risk.liquidation.bad_debt import expected_bad_debt
from risk.liquidation.deleveraging import take_e8
from risk.liquidation.partial import insurance_payment_e8
from risk.liquidation.socialising import cover_e8, loss_rate, pro_rata
from risk.valuation import contract_value, sum_by
from tests.conformance.translate import amount, number

MINUTES_A_YEAR = 365 * 24 * 60


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if set(inputs) == {"pnl", "deficit", "rank_order"}:
        return _deleveraging(inputs)
    if set(inputs) == {"fills", "bankruptcy", "insurance", "winners_pnl"}:
        return _waterfall(inputs)
    return (
        _bad_debt(inputs) if {"equity_ratio", "cost", "sigma", "tau_min"} == set(inputs) else None
    )


def _deleveraging(inputs: dict[str, Any]) -> dict[str, Any]:
    gain, deficit = np.array(inputs["pnl"], np.float64), inputs["deficit"]
    ranked = np.array(inputs["rank_order"], np.int64)
    gain_e8 = amount(*inputs["pnl"]).clip(min=0)
    queue = np.empty(len(gain))
    queue[ranked] = [number(one) for one in take_e8(gain_e8[ranked], amount(deficit).item())]
    return {
        "h": float(loss_rate(gain, deficit)),
        "take": pro_rata(gain, deficit).tolist(),
        "queue_take": queue.tolist(),
    }


def _waterfall(inputs: dict[str, Any]) -> dict[str, Any]:
    """A long position sold in several fills, no penalty; the winners are one."""
    sizes, prices = zip(*inputs["fills"], strict=True)
    linear, one = np.zeros(len(sizes), np.bool_), amount(*[1] * len(sizes))
    row = np.arange(len(sizes)) * 0
    sold, _ = contract_value(linear, one, amount(*sizes), amount(*prices))
    bankruptcy = amount(*[inputs["bankruptcy"]] * len(sizes))
    needed, _ = contract_value(linear, one, amount(*sizes), bankruptcy)
    paid = insurance_payment_e8(sum_by(row, sold, 1), sum_by(row, needed, 1), 0)
    shortfall = -int(paid[0])
    used, residual = cover_e8(shortfall, amount(inputs["insurance"]))
    winners = np.array([inputs["winners_pnl"]], np.float64)
    return {
        "shortfall": number(shortfall),
        "fund_used": number(used[0]),
        "residual": number(residual),
        "socialised_rate": float(loss_rate(winners, number(residual))),
    }


def _bad_debt(inputs: dict[str, Any]) -> dict[str, Any]:
    years = inputs["tau_min"] / MINUTES_A_YEAR
    found = expected_bad_debt(inputs["equity_ratio"], inputs["cost"], inputs["sigma"], years)
    return {
        "long": float(found.long),
        "short": float(found.short),
        "P_bad_debt_long": float(found.chance_long),
        "P_bad_debt_short": float(found.chance_short),
    }
