"""Who bears a loss: pools one after the other, then winners in proportion, to the last unit."""

from dataclasses import dataclass

import numpy as np

from risk.liquidation.deleveraging import in_turn_e8
from risk.margin.weights import Number
from schemas.units import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Settled:
    """What changed hands in a settlement of profits and losses; int64 [W] each."""

    paid_e8: Int64s  # of each loser's own funds
    covered_e8: Int64s  # by the pool, for that loser
    received_e8: Int64s  # by each winner, at most its gain


def shares_e8(gain_e8: Int64s, loss_e8: int) -> Int64s:
    """What each winner [W] bears of a loss, int64 at 1e-8: floor(gain x loss / all gains).

    The remainder goes to the last in the given order that has room for it, so the order must be
    a fixed one. A negative gain counts as none; a loss above all gains is capped at them. The sum
    is min(loss, all gains), and none bears more than its gain. Dividing what was collected among
    those it is owed to is the same. Source: Vega.
    """
    gains = gain_e8.clip(min=0).tolist()
    total = sum(gains)
    rest = min(loss_e8, total)
    shares = [gain * rest // total for gain in gains] if total else gains
    rest -= sum(shares)
    for row in reversed(range(len(shares))):
        more = min(rest, gains[row] - shares[row])
        shares[row] += more
        rest -= more
    return np.array(shares, np.int64)


def cover_e8(loss_e8: int, pools_e8: Int64s) -> tuple[Int64s, int]:
    """What each pool [K] pays of a loss, the first until it is empty, and what none covers."""
    paid_e8 = in_turn_e8(pools_e8, loss_e8)
    return paid_e8, loss_e8 - sum(paid_e8.tolist())


def loss_rate(gain: Floats, loss: Number) -> Floats:
    """Share of every gain [W] that a loss takes: min(1, loss / all gains), 0 where there are none.

    A negative gain counts as none.
    """
    total = np.sum(np.maximum(gain, 0))
    share = np.divide(loss, total, out=np.zeros(np.shape(loss)), where=total > 0)
    return np.asarray(np.minimum(share, 1))


def pro_rata(gain: Floats, loss: Number) -> Floats:
    """What each winner [W] bears of a loss before it is rounded to units."""
    return np.asarray(np.maximum(gain, 0) * loss_rate(gain, loss))


def settle_e8(profit_e8: Int64s, funds_e8: Int64s, pool_e8: int) -> Settled:
    """Profits [W] paid out of losses: what is not collected is the winners' loss.

    Each loser pays what it has, in `funds_e8` [W]; the pool makes up for what is missing, in the
    order given, until it is empty; what came in is divided by `shares_e8`, in the order given.
    Source: Vega.
    """
    owed_e8 = (-profit_e8).clip(min=0)
    paid_e8 = np.minimum(owed_e8, funds_e8)
    covered_e8 = in_turn_e8(owed_e8 - paid_e8, pool_e8)
    collected_e8 = sum(paid_e8.tolist()) + sum(covered_e8.tolist())
    return Settled(paid_e8, covered_e8, shares_e8(profit_e8, collected_e8))


def charged_indices(long: Number, short: Number, loss: Number) -> tuple[Floats, Floats]:
    """Funding indices of both sides once every open contract bears a loss.

    A rising index is what longs pay, a falling one what shorts pay. Source: Drift v2.
    """
    return np.add(long, loss), np.subtract(short, loss)
