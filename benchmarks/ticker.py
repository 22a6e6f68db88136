"""Sends price ticks at a steady rate and knows when each was handed to its producer."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.loader import NotDeliveredError
from benchmarks.workload import listed, mark
from schemas.record_codec import encode
from streams.market.events import Event
from streams.market.listings import Listing
from streams.transport.publisher import producer_settings

FLUSH_S = 10.0


class Ticker:
    """A thread's work: one tick after the other, over the instruments in turn.

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
        self._producer = Producer(producer_settings(bootstrap) | {"linger.ms": 0, "log_level": 0})
        self._failed: list[str] = []
        self.sent_s: dict[str, float] = {}
        self.per_s = 0.0

    def run(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Every instrument once, then single ticks; `drop_at` gives the fall after so many s."""
        self.all_at(0.0)
        self.pace(seconds, ticks_per_s, drop_at)

    def all_at(self, drop: float) -> None:
        """Every instrument once."""
        for listing in self._listings:
            self._tick(listing, drop)
        self._round += 1
        self._flush()

    def pace(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Single ticks; `drop_at` gives the fall after so many s."""
        began_s, ticks, many = time.monotonic(), int(seconds * ticks_per_s), len(self._listings)
        for number in range(ticks):
            due_s = number / ticks_per_s
            while (left_s := began_s + due_s - time.monotonic()) > 0:
                self._producer.poll(min(left_s, 0.001))
            if number % many == 0:
                self._round += 1
            self._tick(self._listings[number % many], drop_at(due_s))
        self.per_s = ticks / (time.monotonic() - began_s)
        self._round += 1
        self._flush()

    def _tick(self, listing: Listing, drop: float) -> None:
        now_us = time.time_ns() // 1_000
        self._send(mark(listing, self._round, now_us, drop, depth_usd=self._depth_usd))

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_S)
        if left or self._failed:
            raise NotDeliveredError(f"{left} ticks waiting, {self._failed[:1]}")

    def _send(self, event: Event) -> None:
        value, sent_s = encode("mark", event.record), time.time()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(str(error))
                return
            place = f"{message.topic()}-{message.partition()}-{message.offset()}"
            self.sent_s[place] = sent_s

        self._producer.produce(
            event.topic, value, event.key, timestamp=int(sent_s * 1000), on_delivery=delivered
        )
        self._producer.poll(0)
