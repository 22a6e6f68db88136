"""Sends price ticks at a steady rate and knows when each was handed to its producer."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.loader import NotDeliveredError
from benchmarks.workload import listed, mark
from schemas.block_encode import encode_all
from streams.market.events import Event
from streams.market.listings import Listing
from streams.transport.publisher import producer_settings

FLUSH_S = 10.0
TOGETHER_S = 0.004
"""Ticks that fall due within this time are handed over together, as a feed has them."""


class Ticker:
    """A thread's work: ticks over the instruments in turn.

    The tick's Kafka timestamp is the wall clock when it is handed to the producer; `sent_s` keeps
    that moment with its fraction, by where the tick was stored (topic-partition-offset).
    `depth_usd` is that of `workload.mark`; `listings` are those of the workload, or given.
    """

    def __init__(
        self, bootstrap: str, *, depth_usd: int = 0, listings: Sequence[Listing] | None = None
    ) -> None:
        self._depth_usd = depth_usd
        self._listings = listed() if listings is None else listings
        self._round = 0
        self._producer = Producer(producer_settings(bootstrap) | {"log_level": 0})
        self._failed: list[str] = []
        self.sent_s: dict[str, float] = {}
        self.per_s = 0.0

    def run(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Every instrument once, then single ticks; `drop_at` gives the fall after so many s."""
        self.all_at(0.0)
        self.pace(seconds, ticks_per_s, drop_at)

    def all_at(self, drop: float) -> None:
        """Every instrument once."""
        self._send([self._tick(listing, drop) for listing in self._listings])
        self._round += 1
        self._flush()

    def pace(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Single ticks; `drop_at` gives the fall after so many s."""
        began_s, ticks, many = time.monotonic(), int(seconds * ticks_per_s), len(self._listings)
        sent = 0
        while sent < ticks:
            left_s = began_s + sent / ticks_per_s - time.monotonic()
            time.sleep(max(left_s, TOGETHER_S))
            due = min(int((time.monotonic() - began_s) * ticks_per_s) + 1, ticks)
            events = []
            for number in range(sent, due):
                self._round += number % many == 0
                drop = drop_at(number / ticks_per_s)
                events.append(self._tick(self._listings[number % many], drop))
            self._send(events)
            sent = due
        self.per_s = ticks / (time.monotonic() - began_s)
        self._round += 1
        self._flush()

    def _tick(self, listing: Listing, drop: float) -> Event:
        now_us = time.time_ns() // 1_000
        return mark(listing, self._round, now_us, drop, depth_usd=self._depth_usd)

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_S)
        if left or self._failed:
            raise NotDeliveredError(f"{left} ticks waiting, {self._failed[:1]}")

    def _send(self, events: Sequence[Event]) -> None:
        values = encode_all("mark", [event.record for event in events])
        for event, value in zip(events, values, strict=True):
            self._hand_over(event, value)
        self._producer.poll(0)

    def _hand_over(self, event: Event, value: bytes) -> None:
        sent_s = time.time()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(str(error))
                return
            place = f"{message.topic()}-{message.partition()}-{message.offset()}"
            self.sent_s[place] = sent_s

        self._producer.produce(
            event.topic, value, event.key, timestamp=int(sent_s * 1000), on_delivery=delivered
        )
