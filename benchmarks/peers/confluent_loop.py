"""A contender: a hand-written loop of confluent-kafka, fastavro and a dict.

It takes up to 10,000 records at a time, writes a changelog record for each place that they touched,
and commits: as a transaction, or by flushing first and committing the offsets then.
"""

from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer

from benchmarks.contender import Stopwatch, settings_of_this_process, tell
from benchmarks.peers.job import FLAT, PACKED, Held, booked, decoded, place_of

AT_ONCE = 10_000
WAIT_S = 0.05
FLUSH_S = 60.0


class Loop:
    """Consumer, producer and the book between them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._instruments = frozenset(given["instruments"])
        self._exact = given["exactly_once"]
        self._held: dict[str, Held] = {}
        client = {"bootstrap.servers": given["bootstrap"], "log_level": 0}
        self._consumer = Consumer(
            client
            | {
                "group.id": given["app"],
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "session.timeout.ms": given["session_ms"],
            }
        )
        transactional = {"transactional.id": given["app"]} if self._exact else {}
        self._producer = Producer(
            client
            | transactional
            | {
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def run(self, stopwatch: Stopwatch) -> None:
        """Until each fill of the topic is committed."""
        if self._exact:
            self._producer.init_transactions()
        self._consumer.subscribe([self._given["topic"]])
        left = self._given["fills"]
        while left > 0:
            messages = self._consumer.consume(AT_ONCE, WAIT_S)
            if not messages:
                continue
            stopwatch.begin()
            self._commit(self._apply(messages))
            left -= len(messages)
            stopwatch.applied()
        self._consumer.close()

    def _apply(self, messages: list[Message]) -> set[str]:
        """Book them all; the places that they touched."""
        touched = set()
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            fill = decoded(message.key(), message.value(), self._instruments)
            place = place_of(fill)
            self._held[place] = booked(self._held.get(place, FLAT), fill)
            touched.add(place)
        return touched

    def _commit(self, touched: set[str]) -> None:
        producer, consumer = self._producer, self._consumer
        if self._exact:
            producer.begin_transaction()
        for place in touched:
            producer.produce(self._given["changelog"], PACKED.pack(*self._held[place]), place)
        if self._exact:
            offsets = consumer.position(consumer.assignment())
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
            producer.commit_transaction()
            return
        if left := producer.flush(FLUSH_S):
            raise RuntimeError(f"{left} changelog records unacknowledged after {FLUSH_S:.0f} s")
        consumer.commit(asynchronous=False)


def main() -> None:
    given = settings_of_this_process()
    stopwatch = Stopwatch()
    Loop(given).run(stopwatch)
    tell(stopwatch, given["fills"])


if __name__ == "__main__":
    main()
