"""What rules require, put together: orders filled, shares of positions, sums of margins."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from risk.book import Evaluation, OpenOrders
from risk.holdings import Bools, Rules, StepTable
from risk.requirements.rows import Held, Required, shares
from schemas.units import LIMIT_E8, Int64s


def with_fills(
    required: Callable[[Held], Required], held: Held, orders: OpenOrders | None
) -> tuple[Required, Int64s]:
    """What holdings require as they are, and initially: the most of now, bids and asks filled."""
    now = required(held)
    if orders is None:
        return now, now.initial_e8
    filled = [required(held.after(orders, side)).initial_e8 for side in (1, -1)]
    return now, np.maximum(now.initial_e8, np.maximum(*filled))


def with_shares(result: Evaluation, now: Required, held: Held, chosen: Bools) -> Evaluation:
    """Give the chosen positions their shares of what their rule requires."""
    weight_e8 = now.weight_e8[: len(held.bucket)]
    initial_e8 = result.positions.initial_margin_e8.copy()
    maintenance_e8 = result.positions.maintenance_margin_e8.copy()
    parts = shares(held, weight_e8, now.initial_e8, now.maintenance_e8)
    initial_e8[chosen], maintenance_e8[chosen] = parts
    positions = replace(
        result.positions, initial_margin_e8=initial_e8, maintenance_margin_e8=maintenance_e8
    )
    return replace(result, positions=positions)


def without_tiers(rules: Rules, option: Bools) -> Rules:
    """Rules by which the tiers of options, if they have any, charge nothing."""
    tiers, kept = rules.tiers, ~option

    def emptied(steps: StepTable) -> StepTable:
        columns = (steps.rate_ppb, steps.cum_e8, steps.cum_rest_ppb)
        rate, cum, rest = (column * kept[:, None] for column in columns)
        return replace(steps, rate_ppb=rate, cum_e8=cum, cum_rest_ppb=rest)

    return replace(
        rules,
        tiers=replace(
            tiers,
            initial=emptied(tiers.initial),
            maintenance=emptied(tiers.maintenance),
            initial_factor_ppb=tiers.initial_factor_ppb * kept,
            maintenance_factor_ppb=tiers.maintenance_factor_ppb * kept,
        ),
    )


def margin_sum(left_e8: Int64s, right_e8: Int64s) -> Int64s:
    """Sums of two margins of each bucket; OverflowError names the first that does not fit."""
    total: Int64s = left_e8 + right_e8
    if (total > LIMIT_E8).any():
        row = int(np.flatnonzero(total > LIMIT_E8)[0])
        raise OverflowError(f"bucket row {row}: a margin is beyond 9,999,999,999.99999999")
    return total
