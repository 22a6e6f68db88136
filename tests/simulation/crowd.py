"""Those whom an insurance fund turns to: bidders, and winners that close before their turn."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from schemas.record_codec import decode
from schemas.units import E8
from tests.simulation.log import FakeBroker
from tests.streams.state.exchange import Record

PAUPER = "pim"
"""Bids without ever having paid in: whatever it is awarded must go back."""
TICK_E8 = E8 // 10


class Crowd:
    """Reads what funds say as far as it is committed, and answers as its chance has it.

    `bid` publishes a bid and returns where it is, `close` trades a candidate's position away.
    """

    def __init__(
        self,
        broker: FakeBroker,
        rng: Random,
        *,
        bidders: Sequence[str],
        bid: Callable[[Record], str],
        close: Callable[[Record, str], None],
    ) -> None:
        self._broker = broker
        self._rng = rng
        self._bidders = bidders
        self._send = bid
        self._close = close
        self._number = 0
        self._read: dict[tuple[str, int], int] = {}
        self.bids: dict[str, Record] = {}
        """topic-partition-offset of every bid -> its record."""

    def act(self, now_us: int) -> None:
        for partition in range(self._broker.partitions):
            for said in self._new("auctions", partition):
                late = said["event"] == "CLOSED"
                if said["event"] == "OPENED" or (late and self._rng.random() < 0.3):
                    self._bid(said, now_us)
        for said in self._new("deleveraging", 0):
            for candidate in said["candidates"][:2]:
                if self._rng.random() < 0.4:
                    self._close(candidate, said["instrument_id"])

    def _bid(self, auction: Record, now_us: int) -> None:
        """Up to three bids: more or less than there is, at once or only further down."""
        rng = self._rng
        span = auction["opening_price_e8"], auction["floor_price_e8"]
        for _ in range(rng.choice((0, 1, 2, 3))):
            middle = sum(span) // 2 // TICK_E8 * TICK_E8
            low = 2 * span[1] - span[0]
            whole_e8 = abs(auction["quantity_e8"])
            self._number += rng.random() < 0.9  # else an id that was heard before
            record = {
                "event_time": now_us,
                "account_id": auction["account_id"],
                "bid_id": f"b-{self._number}",
                "auction_id": auction["auction_id"],
                "bidder": PAUPER if rng.random() < 0.2 else rng.choice(self._bidders),
                "price_e8": max(rng.choice((span[0], middle, span[1], low)), TICK_E8)
                + (1 if rng.random() < 0.05 else 0),
                "quantity_e8": rng.choice((whole_e8, 2 * whole_e8, E8 // 100)),
            }
            self.bids[self._send(record)] = record

    def _new(self, topic: str, partition: int) -> list[dict[str, Any]]:
        place = topic, partition
        found = self._broker.logs[place].committed(self._read.get(place, 0))
        if found:
            self._read[place] = found[-1].offset + 1
        record = {"auctions": "auction", "deleveraging": "deleveraging"}[topic]
        return [decode(entry.value or b"", record)[1] for entry in found]
