"""The share of a whole book to close, for buckets whose positions are margined together.

With every position closed by the same share, what hedges stays hedged. Source: Derive v2's share
that lands the buffer margin on zero, for any requirement that is convex in the positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.holdings import Positions, PositionState, Rules
from risk.liquidation.sizing import Reductions, Sizing
from risk.liquidation.stages import health_level
from schemas.units import PPM, Int64s


@dataclass(frozen=True, slots=True)
class Shares:
    """Exact fractions of books, each of shape [N]; 0 / 1: nothing that is closed would help."""

    part: Sequence[int]
    whole: Sequence[int]


def book_shares(
    equity_e8: Int64s, margin_e8: Int64s, cost_e8: Int64s, *, end_health_ppm: int
) -> Shares:
    """The least share of each book whose closing brings health to `end_health_ppm`.

    Parameters: equity [N]; maintenance margin [N, K + 1] with 0, 1/K, ... all of the book closed;
    `cost_e8` [N], what closing all of it costs.

    Between two of these points the margin is taken to be on the line between them; one that is
    convex in the positions, as that of scenarios is, lies below: so equity then is at least margin
    x health. Where no share is enough, the one that leaves the least missing.
    """
    parts, wholes = [], []
    steps = margin_e8.shape[1] - 1
    for equity, margins, cost in zip(
        equity_e8.tolist(), health_level(margin_e8, end_health_ppm).tolist(), cost_e8.tolist(),
        strict=True,
    ):  # fmt: skip
        missing = [aim - equity - (-cost * closed // steps) for closed, aim in enumerate(margins)]
        enough = next((k for k in range(1, steps + 1) if missing[k] <= 0), None)
        if enough is not None:
            fall = missing[enough - 1] - missing[enough]
            part, whole = (enough - 1) * fall + missing[enough - 1], steps * fall
        else:
            best = min(range(steps + 1), key=missing.__getitem__)
            part, whole = best, steps
        parts.append(part)
        wholes.append(whole)
    return Shares(parts, wholes)


def reduce_books(
    positions: Positions,
    state: PositionState,
    shares: Shares,
    *,
    bucket: Int64s,
    step: Int64s,
    rules: Rules,
    sizing: Sizing,
) -> Reductions:
    """What buckets close of every position: their shares x (step + 1) / 2, up to lots.

    `bucket` [n] are the rows of the buckets, `shares` and `step` [n] theirs, the number of the step
    from 1 on. At most all of a position, and all of it where the rest would be worth less than
    `minimum_notional`. Exact; where a share is 0 there is no row.
    """
    by_bucket = {
        row: (part * (number + 1), whole * 2)
        for row, part, whole, number in zip(
            bucket.tolist(), shares.part, shares.whole, step.tolist(), strict=True
        )
        if part
    }
    mine = np.isin(positions.bucket, list(by_bucket)) & (positions.quantity_e8 != 0)
    row = np.flatnonzero(mine)
    row = row[np.argsort(positions.bucket[row], kind="stable")]
    held_e8 = np.abs(positions.quantity_e8[row])
    lot_e8 = rules.contracts.lot_e8[positions.instrument[row]]
    quantity = []
    for owner, held, lot in zip(
        positions.bucket[row].tolist(), held_e8.tolist(), lot_e8.tolist(), strict=True
    ):
        part, whole = by_bucket[owner]
        quantity.append(min(-(-held * part // (whole * lot)) * lot, held))
    quantity_e8 = np.array(quantity, np.int64)
    left = (held_e8 - quantity_e8) * (state.notional_e8[row] / held_e8)
    quantity_e8 = np.where(left < sizing.minimum_notional_e8, held_e8, quantity_e8)
    return Reductions(positions.bucket[row], row, quantity_e8, -np.sign(positions.quantity_e8[row]))


def closing_cost_e8(notional_e8: Int64s, sizing: Sizing) -> Int64s:
    """What closing books of these notionals [N] costs in fees, rounded up."""
    fee_ppm = sizing.fee_ppm + sizing.insurance_fee_ppm
    high, low = np.divmod(notional_e8, PPM)
    cost_e8: Int64s = high * fee_ppm - (-(low * fee_ppm) // PPM)
    return cost_e8
