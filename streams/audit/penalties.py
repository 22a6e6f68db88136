"""What fills of liquidation orders pay to the slices `@penalties:`, by the orders' own records."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.units import PPM
from streams.audit.account import CROSS, value_e8
from streams.audit.outputs import APPLIED, Output, offsets_applied
from streams.audit.rulebook import Contract, Record


class Told(NamedTuple):
    """A record of `liquidations`, with the first fill that was booked after it."""

    behind: int
    record: Mapping[str, Any]


class OpenOrders:
    """Which liquidation orders of a bucket were open when a fill was booked."""

    def __init__(self, told: Iterable[Told]) -> None:
        """`told` has the records of every bucket in their order."""
        self._of_bucket: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for one in told:
            self._of_bucket[one.record["account_id"], one.record["bucket"]].append(one)
        self.stopped = frozenset(f"{account}/{bucket}" for account, bucket in self._of_bucket)
        """Buckets that were ever liquidated."""

    def order_of(self, fill: Record, offset: int) -> Record | None:
        """The open order that a fill answers; None where it answers none, or one that is over.

        A REDUCE is open until the bucket's next step, takeover or end. Of several in one step none
        is: no price is the one at which the bucket is bankrupt.
        """
        identity = fill["liquidation_id"]
        bucket = fill["instrument_id"] if fill["margin_mode"] == "ISOLATED" else CROSS
        told = self._of_bucket.get((fill["account_id"], bucket), [])
        before: list[Record] = [
            one.record for one in told[: bisect_right(told, offset, key=lambda one: one.behind)]
        ]
        if not before or before[-1]["action"] != "REDUCE":
            return None
        time_us = before[-1]["event_time"]
        of_step = [one for one in before[-2:] if one["event_time"] == time_us]
        alone = sum(one["action"] == "REDUCE" for one in of_step) == 1
        return before[-1] if alone and before[-1]["liquidation_id"] == identity else None


def open_orders(liquidations: Iterable[Output]) -> OpenOrders:
    """From the records of `liquidations`, each bucket's in order.

    One that does not say which fills were booked before it opens nothing.
    """
    return OpenOrders(
        Told(offsets_applied(one.headers).get("fills", 0), one.record)
        for one in liquidations
        if APPLIED in one.headers
    )


def penalty_e8(contract: Contract, fill: Record, order: Record, fee_ppm: int) -> int:
    """What a fill brings above bankruptcy, at most a fee on it, rounded down; never negative.

    Without a bankruptcy price all that it brings is above.
    """
    sign = 1 if fill["side"] == "BUY" else -1
    quantity_e8 = sign * fill["quantity_e8"]
    brought_e8 = -value_e8(contract, quantity_e8, fill["price_e8"])
    most_e8 = abs(brought_e8) * fee_ppm // PPM
    if order["bankruptcy_price_e8"]:
        brought_e8 += value_e8(contract, quantity_e8, order["bankruptcy_price_e8"])
    return max(min(brought_e8, most_e8), 0)
