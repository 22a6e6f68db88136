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

        A REDUCE is open until the bucket's next step, takeover or end; those of one step together.
        """
        identity = fill["liquidation_id"]
        bucket = fill["instrument_id"] if fill["margin_mode"] == "ISOLATED" else CROSS
        told = self._of_bucket.get((fill["account_id"], bucket), [])
        before: list[Record] = [
            one.record for one in told[: bisect_right(told, offset, key=lambda one: one.behind)]
        ]
        for record in reversed(before):
            if record["action"] != "REDUCE" or record["event_time"] != before[-1]["event_time"]:
                return None
            if record["liquidation_id"] == identity:
                return record
        return None


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
    """What is left above bankruptcy, at most a fee on the fill, rounded down; never negative.

    An order without a bankruptcy price leaves all of the fill above it.
    """
    if order["instrument_id"] != fill["instrument_id"]:
        return 0
    sign = 1 if fill["side"] == "BUY" else -1
    quantity_e8 = sign * fill["quantity_e8"]
    paid_e8 = -value_e8(contract, quantity_e8, fill["price_e8"])
    most_e8 = abs(paid_e8) * fee_ppm // PPM
    bankruptcy_e8 = order["bankruptcy_price_e8"]
    if bankruptcy_e8 is None:
        return most_e8
    left_e8 = paid_e8 + value_e8(contract, quantity_e8, bankruptcy_e8)
    return max(min(left_e8, most_e8), 0)
