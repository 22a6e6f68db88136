"""The largest leverage that tiers by notional allow."""

import numpy as np

from schemas.units import Floats


def largest_leverage(stake: Floats, ceiling: Floats, leverage: Floats) -> Floats:
    """Largest leverage at which each stake [Q], the margin posted, may open a position.

    A tier [K] allows its own leverage (1 / initial rate) up to its ceiling of notional, so a stake
    may use min(leverage_k, ceiling_k / stake) in it, and the best tier counts. Tiers overlap: in
    the gap where the next tier's leverage would fall short of its floor, the notional stays at the
    ceiling. Below 1 where the stake is above the last ceiling.
    """
    with np.errstate(divide="ignore"):
        by_ceiling = ceiling / stake[:, None]
    allowed: Floats = np.minimum(leverage, by_ceiling).max(axis=1)
    return allowed
