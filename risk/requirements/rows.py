"""Rows of holdings, and what a rule requires for them."""

from dataclasses import dataclass

import numpy as np

from risk.book import OpenOrders
from risk.holdings import Bools, Positions
from risk.valuation import exact_sums
from schemas.units import Floats, Int64s


@dataclass(frozen=True, slots=True)
class Held:
    """Holdings by bucket and instrument; several rows of one of them add up."""

    bucket: Int64s  # [R]
    instrument: Int64s  # [R]
    quantity_e8: Int64s  # [R] signed contracts

    @staticmethod
    def of(positions: Positions) -> "Held":
        return Held(positions.bucket, positions.instrument, positions.quantity_e8)

    def where(self, chosen: Bools | Int64s) -> "Held":
        return Held(self.bucket[chosen], self.instrument[chosen], self.quantity_e8[chosen])

    def after(self, orders: OpenOrders, side: int) -> "Held":
        """With all bids filled (side 1), or all asks (-1), as rows of their own."""
        filled_e8 = orders.bids_e8 if side > 0 else -orders.asks_e8
        return self.and_also(Held(orders.bucket, orders.instrument, filled_e8))

    def and_also(self, others: "Held") -> "Held":
        return Held(
            np.concatenate((self.bucket, others.bucket)),
            np.concatenate((self.instrument, others.instrument)),
            np.concatenate((self.quantity_e8, others.quantity_e8)),
        )


@dataclass(frozen=True, slots=True)
class Required:
    """What a rule requires of buckets, and by what its positions share it."""

    initial_e8: Int64s  # [N]
    maintenance_e8: Int64s  # [N]
    worst: Int64s  # [N] worst scenario, -1 none
    weight_e8: Int64s  # [R] of the rows, never negative


def shares(held: Held, weight_e8: Int64s, *amounts_e8: Int64s) -> list[Int64s]:
    """Parts [R] of amounts of buckets [N] by weight, each summing exactly to its amount.

    Where a bucket's rows have no weight, by quantity. Rows get what is left by rounding in the
    order of their contents, not of their places. A bucket without rows keeps its amount.
    """
    totals, _ = exact_sums(held.bucket, weight_e8, len(amounts_e8[0]))
    weight = np.where(totals[held.bucket] > 0, weight_e8, np.abs(held.quantity_e8))
    order = _by_contents(held)
    bucket, running = held.bucket[order], np.cumsum(weight[order])
    begins = np.flatnonzero(np.diff(bucket, prepend=-1))
    count = np.diff(begins, append=len(bucket))
    before = np.repeat(running[begins] - weight[order][begins], count)
    whole = np.repeat(running[begins + count - 1], count) - before
    result = []
    for amount_e8 in amounts_e8:
        upto = _part(amount_e8[bucket], running - before, whole)
        part = np.diff(upto, prepend=0)
        part[begins] = upto[begins]
        of_rows = np.empty_like(part)
        of_rows[order] = part
        result.append(of_rows)
    return result


def _by_contents(held: Held) -> Int64s:
    """Rows by bucket, instrument and quantity."""
    width = int(held.instrument.max(initial=0)) + 1
    key = held.bucket * width + held.instrument
    order = np.argsort(key, kind="stable")
    if (np.diff(key[order]) == 0).any():
        return np.lexsort((held.quantity_e8, key))
    return order


def _part(amount_e8: Int64s, share: Int64s, whole: Int64s) -> Int64s:
    """floor(amount x share / whole), never above the amount, all of it where share is the whole."""
    ratio: Floats = share / np.maximum(whole, 1)
    part = np.minimum(np.floor(amount_e8 * ratio).astype(np.int64), amount_e8)
    return np.where(share == whole, amount_e8, part)
