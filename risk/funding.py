"""Funding of perpetual positions: who pays what at each stamp, and which stamps a position pays."""

import numpy as np

from schemas.units import Floats, Int64s


def payments(quantity: Floats, value: Floats, rate: Floats) -> Floats:
    """What the holder pays at a stamp, negative where he receives; arguments broadcast.

    sign(quantity) x |value| x rate, in the currency of the value: with a positive rate longs pay
    shorts the rate of their notional at the mark, whether the contract is linear or inverse.
    """
    due: Floats = np.sign(quantity) * np.abs(value) * rate
    return due


def paid_while_open(
    payment: Floats, time_us: Int64s, opened_us: Int64s, closed_us: Int64s
) -> Floats:
    """Sum of the payments [P, T] at stamps [T] that each position [P] was open for.

    Both ends count: who opens or closes exactly at a stamp pays it.
    """
    open_at = (opened_us[:, None] <= time_us) & (time_us <= closed_us[:, None])
    total: Floats = np.where(open_at, payment, 0.0).sum(axis=1)
    return total
