"""Auctions of positions: the price now, who is awarded what, and how much a bidder may take.

Prices and quantities are integers at 1e-8, times microseconds of event time.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class ForSale:
    """An account in an auction of its whole book by shares, in one currency; float64."""

    mark_to_market: float
    maintenance_margin: float  # net: negative where the account is short of it
    reserved: float = 0.0  # cash of earlier bids, which is not for sale

    def buffer_margin(self, buffer: float) -> float:
        """What the auction must bring to 0: margin with a buffer of its distance to the value."""
        return self.maintenance_margin + buffer * (self.maintenance_margin - self.mark_to_market)

    def largest_share(self, buffer: float, discount: float) -> float:
        """Share of the book whose sale brings the buffer margin to exactly 0.

        f = BM / (BM - MtM d - R (1 - d)) with d the discount on the value, R what is reserved; all
        of it where the value is not positive. Source: Derive.
        """
        margin = self.buffer_margin(buffer)
        worth = self.mark_to_market * discount + self.reserved * (1 - discount)
        return min(max(margin / (margin - worth), 0.0), 1.0) if worth > 0 else 1.0

    def bid_price(self, share: float, discount: float) -> float:
        """What a bidder pays for a share of the book."""
        return (self.mark_to_market - self.reserved) * discount * share

    def after_bid(self, share: float, discount: float) -> "ForSale":
        """The account once a share is sold: its payment is reserved, the rest is held as before."""
        paid, reserved = self.bid_price(share, discount), self.reserved
        kept = 1 - share
        return ForSale(
            reserved + (self.mark_to_market - reserved) * kept + paid,
            reserved + (self.maintenance_margin - reserved) * kept + paid,
            reserved + paid,
        )
