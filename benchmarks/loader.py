"""Produces records to the broker and says how many each partition took."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby, islice

from confluent_kafka import KafkaError, Message, Producer

from schemas.block_encode import encode_all
from schemas.topics import BY_NAME
from streams.market.events import Event
from streams.transport.publisher import producer_settings

FLUSH_S = 60.0
TOGETHER = 1_000
"""Records that are encoded together."""


class NotDeliveredError(RuntimeError):
    """The broker did not take a record."""


class Loader:
    """`send` records, `flush`; `counts` are delivered records by (topic, partition)."""

    def __init__(self, bootstrap: str, linger_ms: int = 20) -> None:
        self._producer = Producer(
            producer_settings(bootstrap)
            | {
                "linger.ms": linger_ms,
                "log_level": 0,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self.counts: Counter[tuple[str, int]] = Counter()
        self._failed: list[str] = []

    def send(self, events: Iterable[Event], *more_topics: str) -> None:
        """Encode and produce, to the event's own topic and to `more_topics`."""
        left = iter(events)
        while some := list(islice(left, TOGETHER)):
            for topic, run in groupby(some, key=lambda event: event.topic):
                same = list(run)
                values = encode_all(BY_NAME[topic].record, [event.record for event in same])
                for event, value in zip(same, values, strict=True):
                    for to in (topic, *more_topics):
                        self._produce(to, event.key.encode(), value)

    def flush(self) -> None:
        """Wait for all deliveries; NotDeliveredError where one is missing."""
        left = self._producer.flush(FLUSH_S)
        if self._failed or left:
            raise NotDeliveredError(f"{left} records waiting, failures {self._failed[:1]}")

    def of(self, topic: str) -> dict[int, int]:
        """Delivered records by partition of a topic."""
        return {number: n for (name, number), n in self.counts.items() if name == topic}

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(str(error))
        else:
            self.counts[message.topic(), message.partition()] += 1
