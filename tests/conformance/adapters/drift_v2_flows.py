"""Drift v2: a whole liquidation of a perpetual, call by call, and who bears a bankruptcy."""

from typing import Any

from risk.liquidation import partial, socialising
from risk.liquidation.paced import Account, Pace, paced
from tests.conformance.translate import amount, number

INDEX_GRAIN = 1e-6
STEP = 0.01  # of their test markets
PACE = {
    "margin_ratio_maintenance": "maintenance_rate",
    "buffer": "buffer",
    "liquidator_fee": "fee",
    "max_insurance_fee": "insurance_fee",
    "insurance_fee": "insurance_fee",
    "initial_pct": "initial",
    "duration_slots": "duration",
    "step_size": "lot",
}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if "funding_index_long" in inputs:
        return _bankruptcy(inputs)
    return _flow(inputs) if "margin_ratio_maintenance" in inputs else None


def _flow(inputs: dict[str, Any]) -> dict[str, Any]:
    """A whole liquidation of one perpetual; without a pace there is one call for all of it."""
    given = {ours: inputs[theirs] for theirs, ours in PACE.items() if theirs in inputs}
    calls = inputs.get("call_slots", [0])
    done = paced(
        Account(
            inputs["base"],
            inputs["quote"],
            inputs["collateral"],
            tuple(inputs[name] for name in ("open_bid",) if name in inputs),
            tuple(inputs[name] for name in ("open_ask",) if name in inputs),
        ),
        inputs["oracle_price"],
        calls,
        inputs.get("first_slot", calls[0]),
        Pace(**({"lot": STEP} | given)),
    )
    return {
        "base_left": done.left.tolist(),
        "margin_freed": done.freed.tolist(),
        "insurance_fee_paid": float(done.insurance_fee.sum()),
        "in_liquidation_after_last": done.liquidating,
    }


def _bankruptcy(inputs: dict[str, Any]) -> dict[str, Any]:
    """The insurance fund, then the market's fee pool, then everybody through the funding index."""
    pools = amount(*(inputs.get(name, 0) for name in ("insurance_balance", "fee_pool")))
    paid, uncovered = socialising.cover_e8(amount(inputs["loss"]).item(), pools)
    loss = partial.loss_per_contract(
        number(uncovered), inputs["open_long"], inputs["open_short"], INDEX_GRAIN
    )
    long, short = socialising.charged_indices(
        inputs["funding_index_long"], inputs["funding_index_short"], loss
    )
    left = pools - paid
    return {
        "funding_index_long": float(long),
        "funding_index_short": float(short),
        "total_social_loss": number(uncovered),
        "insurance_balance_after": number(left[0]),
        "fee_pool_after": number(left[1]),
    }
