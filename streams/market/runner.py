"""Publishes an exchange to Kafka at a chosen pace and hands it the risk engine's answers."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from schemas.record_codec import decode, encode
from schemas.topics import BY_NAME
from streams.base.patience import patiently
from streams.market.events import AUCTIONS, LIQUIDATIONS, MARGIN_CALLS, TRANSFERS, Event
from streams.market.exchange import Exchange
from streams.transport.publisher import producer_settings

FLUSH_S = 60.0
METADATA_S = 30.0
LONGEST_WAIT_S = 0.02
"""A pause between steps is cut into waits of this length, to hear answers and the stop soon."""
ANSWERS_AT_ONCE = 1_000


class UndeliveredError(RuntimeError):
    """The broker did not take an event of the market."""


def run(
    exchange: Exchange,
    *,
    bootstrap: str,
    speed: float,
    stop: threading.Event,
    on_ready: Callable[[], None] | None = None,
    group: str = "plimsoll-market",
    security: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Publish until the market is over or `stop` is set; returns events published per topic.

    `speed` is event time over wall time: 1 as it happened, 60 a minute a second, 0 as fast as the
    broker takes it. `on_ready` is called once the opening has been delivered. `group` only names
    the consumer: it reads by assignment and commits nothing. The topics must exist.
    Raises UndeliveredError where an event is lost, KafkaException where the broker fails.
    """
    if speed < 0:
        raise ValueError(f"speed {speed} is negative")
    # the ends of the answer topics are taken first: an answer to the opening must not be missed
    answers = _Answers(bootstrap, group=group, security=security or {})
    publisher = _Publisher(bootstrap, security or {})
    try:
        publisher.publish(exchange.opening())
        publisher.flush()
        if on_ready is not None:
            on_ready()
        _steps(exchange, publisher, answers, speed=speed, stop=stop)
        publisher.flush()
    finally:
        answers.close()
    return dict(publisher.published)


def _steps(
    exchange: Exchange,
    publisher: "_Publisher",
    answers: "_Answers",
    *,
    speed: float,
    stop: threading.Event,
) -> None:
    began_us, began_s = exchange.now_us, time.monotonic()
    while (next_us := exchange.next_us) is not None:
        due_s = began_s + ((next_us - began_us) / 1e6 / speed if speed else 0.0)
        while (left_s := due_s - time.monotonic()) > 0 and not stop.is_set():
            publisher.serve()
            answers.hand_to(exchange)
            stop.wait(min(left_s, LONGEST_WAIT_S))
        if stop.is_set():
            return
        answers.hand_to(exchange)
        publisher.publish(exchange.step() or ())


class _Publisher:
    """A producer that loses nothing in silence; `published` counts events per topic."""

    def __init__(self, bootstrap: str, security: Mapping[str, str]) -> None:
        self.published: Counter[str] = Counter()
        self._failed: list[str] = []
        self._producer = Producer(
            {
                **producer_settings(bootstrap, security),
                "log_level": 0,
                "delivery.report.only.error": True,
                "on_delivery": self._delivered,
                "error_cb": self._broken,
            }
        )

    def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self._produce(
                event.topic, event.key.encode(), encode(BY_NAME[event.topic].record, event.record)
            )
            self.published[event.topic] += 1
        self.serve()

    def serve(self) -> None:
        """Take delivery reports; UndeliveredError where one is bad."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        left = self._producer.flush(FLUSH_S)
        self._check()
        if left:
            raise UndeliveredError(f"{left} events were not delivered within {FLUSH_S:.0f} s")

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key)
                return
            except BufferError:  # the queue is full: the broker sets the pace
                self._producer.poll(0.05)
                self._check()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error}")

    def _broken(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed.append(str(error))

    def _check(self) -> None:
        if self._failed:
            raise UndeliveredError(
                f"{len(self._failed)} events were not delivered, the first on {self._failed[0]}"
            )


class _Answers:
    """Reads what the risk engine says from now on, in each partition's order."""

    def __init__(self, bootstrap: str, *, group: str, security: Mapping[str, str]) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 50,
                "log_level": 0,
                **security,
            }
        )
        places = [
            TopicPartition(topic, partition, self._end(topic, partition))
            for topic in (MARGIN_CALLS, LIQUIDATIONS, TRANSFERS, AUCTIONS)
            for partition in self._partitions(topic)
        ]
        self._consumer.assign(places)
        self._skip_past(len(places))

    def hand_to(self, exchange: Exchange) -> None:
        """Everything that has arrived, without waiting for more."""
        handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            MARGIN_CALLS: exchange.on_margin_call,
            LIQUIDATIONS: exchange.on_liquidation,
            TRANSFERS: exchange.on_transfer,
            AUCTIONS: exchange.on_auction,
        }
        while messages := self._consumer.consume(ANSWERS_AT_ONCE, timeout=0):
            for message in messages:
                topic, value = message.topic(), message.value()
                if self._is_record(message) and value is not None:
                    assert topic is not None
                    handlers[topic](decode(value)[1])

    def close(self) -> None:
        self._consumer.close()

    def _skip_past(self, partitions: int) -> None:
        """Leave out what is older than this run.

        The embedded broker reports the end of a partition as the last batch's first offset + 1,
        so the answers of an earlier run can lie behind it.
        """
        ended: set[tuple[str | None, int | None]] = set()
        deadline = time.monotonic() + METADATA_S
        while len(ended) < partitions:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            message = self._consumer.poll(0.1)
            if message is not None and not self._is_record(message) and _at_end(message):
                ended.add((message.topic(), message.partition()))

    @staticmethod
    def _is_record(message: Message) -> bool:
        """False for news of the client itself; KafkaException for an error that will not pass."""
        error = message.error()
        if error is None:
            return True
        if not (_at_end(message) or error.retriable()):
            raise KafkaException(error)
        return False

    def _partitions(self, topic: str) -> list[int]:
        metadata = self._consumer.list_topics(topic, timeout=METADATA_S).topics[topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        return sorted(metadata.partitions)

    def _end(self, topic: str, partition: int) -> int:
        """The end by number: OFFSET_END would be looked up only at the first fetch."""
        place = TopicPartition(topic, partition)
        offsets = patiently(lambda: self._consumer.get_watermark_offsets(place, timeout=METADATA_S))
        return OFFSET_END if offsets is None else int(offsets[1])


def _at_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
