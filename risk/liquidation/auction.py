"""Auctions of positions: the price now, who is awarded what, and how much a bidder may take.

Prices and quantities are integers at 1e-8, times microseconds of event time.
"""

import numpy as np

from schemas.units import Int64s


def price_at(
    opening: int,
    closing: int,
    opened_us: int,
    closes_us: int,
    now_us: int,
    *,
    cutoff: tuple[int, int] | None = None,
) -> int:
    """Price of an auction that moves linearly from opening to closing: down for a long position,
    up for a short one.

    Prices are integers of one unit, such as 1e-8. With a `cutoff` (price, time in us) between both
    ends it moves in two legs, to the cutoff and on from there. Before the opening and after the
    close it stands still. Rounded towards the opening, never further than the exact line.
    Source: Derive.
    """
    if cutoff is not None:
        price, at_us = cutoff
        if now_us < at_us:
            closing, closes_us = price, at_us
        else:
            opening, opened_us = price, at_us
    if now_us >= closes_us:
        return closing
    if now_us <= opened_us:
        return opening
    moved = abs(closing - opening) * (now_us - opened_us) // (closes_us - opened_us)
    return opening + (moved if closing > opening else -moved)


def award_e8(
    bid_price_e8: Int64s,
    bid_quantity_e8: Int64s,
    quantity_e8: int,
    price_e8: int,
    *,
    long: bool,
    sealed: bool,
) -> Int64s:
    """Contracts that each bid [B] is awarded of a quantity for sale.

    A bid counts where it is at the price or better: at least that for a long position, which is
    bought, at most that for a short one. Open: in the order given, the order of time. Sealed: best
    price first, ties in the order given; the price is the worst that is accepted. Each bid in full
    before the next, never more than is for sale.
    """
    better_e8 = bid_price_e8 - price_e8 if long else price_e8 - bid_price_e8
    counts = np.flatnonzero(better_e8 >= 0)
    if sealed:
        counts = counts[np.argsort(-better_e8[counts], kind="stable")]
    awarded = np.zeros(len(bid_price_e8), np.int64)
    for row in counts:
        awarded[row] = min(int(bid_quantity_e8[row]), quantity_e8)
        quantity_e8 -= int(awarded[row])
    return awarded
