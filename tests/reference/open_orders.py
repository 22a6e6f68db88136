"""Open orders as a dictionary, and what they add up to."""

from collections import Counter

from xxhash import xxh3_64_intdigest

Open = dict[tuple[str, int], tuple[str, str, int, bool]]
"""(account, hash of the order's id) -> bucket, instrument, what remains (asks negative), whether
it is reduce-only."""
Sums = dict[tuple[str, str, str], tuple[int, int, int]]
"""(account, bucket, instrument) -> bids, asks, number of orders."""


def hashed(order_id: str) -> int:
    """The engine knows orders by the hashes of their ids."""
    return xxh3_64_intdigest(order_id.encode())


def sums_of(orders: Open) -> Sums:
    """What orders add up to; reduce-only ones are counted, and are nothing to margin."""
    totals: dict[tuple[str, str, str], Counter[str]] = {}
    for (account, _), (bucket, instrument, signed_e8, reduce_only) in orders.items():
        total = totals.setdefault((account, bucket, instrument), Counter())
        total["count"] += 1
        if not reduce_only:
            total["bids" if signed_e8 > 0 else "asks"] += abs(signed_e8)
    return {place: (one["bids"], one["asks"], one["count"]) for place, one in totals.items()}
