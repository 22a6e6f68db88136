"""Sends price ticks at a steady rate and knows when each was handed to its producer."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.loader import NotDeliveredError
from benchmarks.workload import listed, mark, marks
from schemas.record_codec import encode
from streams.market.events import Event
from streams.transport.publisher import producer_settings

FLUSH_S = 10.0


class Ticker:
    """A thread's work: one tick after the other, over the instruments in turn.

    The tick's Kafka timestamp is the wall clock when it is handed to the producer; `sent_s` keeps
    that moment with its fraction, by where the tick was stored (topic-partition-offset).
    `depth_usd` is that of `workload.mark`.
    """

    def __init__(self, bootstrap: str, *, depth_usd: int = 0) -> None:
        self._depth_usd = depth_usd
        self._producer = Producer(producer_settings(bootstrap) | {"linger.ms": 0, "log_level": 0})
        self._failed: list[str] = []
        self.sent_s: dict[str, float] = {}
        self.per_s = 0.0

    def run(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Every instrument once, then single ticks; `drop_at` gives the fall after so many s."""
        listings = listed()
        for event in marks(0, _now_us(), depth_usd=self._depth_usd):
            self._send(event)
        began_s, ticks = time.monotonic(), int(seconds * ticks_per_s)
        for number in range(ticks):
            due_s = number / ticks_per_s
            while (left_s := began_s + due_s - time.monotonic()) > 0:
                self._producer.poll(min(left_s, 0.001))
            listing = listings[number % len(listings)]
            sequence = 1 + number // len(listings)
            drop, depth_usd = drop_at(due_s), self._depth_usd
            self._send(mark(listing, sequence, _now_us(), drop, depth_usd=depth_usd))
        self.per_s = ticks / (time.monotonic() - began_s)
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


def _now_us() -> int:
    return time.time_ns() // 1_000
