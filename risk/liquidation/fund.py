"""What an insurance fund may lose in a window of time, and what of its book it must shed.

Exact integers; a share is a pair (numerator, denominator) of Python's, between 0 and 1.
"""

import numpy as np

from schemas.units import PPM, Int64s

Share = tuple[int, int]

NONE: Share = (0, 1)
ALL: Share = (1, 1)


def allowance_e8(equity_e8: int, window_start_equity_e8: int, cap_e8: int) -> int:
    """What a fund may still lose in this window: equity - max(0, equity at its start - cap).

    Negative where it has lost more. What it earned since the start may be lost as well.
    """
    return equity_e8 - max(0, window_start_equity_e8 - cap_e8)


def excess_share(allowance_e8: int, maintenance_margin_e8: int, carry_ppm: int) -> Share:
    """Share of its book that a fund must shed so that allowance >= carry x MM of the rest.

    1 - allowance / (carry x MM), exact: none where it can carry all, all where the allowance is
    not positive.
    """
    if allowance_e8 <= 0:
        return ALL
    required = maintenance_margin_e8 * carry_ppm
    excess = required - allowance_e8 * PPM
    return (excess, required) if excess > 0 else NONE


def shed_e8(quantity_e8: Int64s, share: Share, lot_e8: Int64s) -> Int64s:
    """Contracts of each position [P] to shed: its share rounded up to lots, at most all of it.

    `quantity_e8` [P] signed, `lot_e8` [P] positive; the result is never negative.
    """
    numerator, denominator = share
    held, lot = np.abs(quantity_e8).astype(object), lot_e8.astype(object)
    lots = -(-held * numerator // (denominator * lot))
    return np.asarray(np.minimum(lots * lot, held), np.int64)
