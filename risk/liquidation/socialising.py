"""Socialising: an amount divided among many in proportion, to the last unit."""

import numpy as np

from schemas.units import Int64s


def shares_e8(gain_e8: Int64s, loss_e8: int) -> Int64s:
    """What each winner [W] bears of a loss, int64 at 1e-8: floor(gain x loss / all gains).

    The remainder goes to the last in the given order that has room for it, so the order must be
    a fixed one. `gain_e8` never negative; a loss above all gains is capped at them. The sum is
    min(loss, all gains), and none bears more than its gain. Dividing what was collected among
    those it is owed to is the same. Source: Vega.
    """
    gains = gain_e8.tolist()
    total = sum(gains)
    rest = min(loss_e8, total)
    shares = [gain * rest // total for gain in gains] if total else gains
    rest -= sum(shares)
    for row in reversed(range(len(shares))):
        more = min(rest, gains[row] - shares[row])
        shares[row] += more
        rest -= more
    return np.array(shares, np.int64)
