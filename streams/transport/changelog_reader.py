"""Reads partitions of the changelog, to their ends or as they grow."""

from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

FETCH_RECORDS = 50_000
WAIT_S = 0.1
Pairs = list[tuple[bytes | None, bytes | None]]


class ChangelogReader:
    """A plain consumer of the partitions that it is told to follow; only what was committed."""

    def __init__(self, bootstrap: str, topic: str, security: dict[str, str] | None = None) -> None:
        self._topic = topic
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": "plimsoll-changelog",  # librdkafka wants one; nothing is ever committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 50,
            "queued.min.messages": 200_000,
            "fetch.max.bytes": 64 * 1024 * 1024,
            "max.partition.fetch.bytes": 16 * 1024 * 1024,
            "check.crcs": True,  # what is damaged on its way or on disk is not state
            **(security or {}),
        })  # fmt: skip
        self._next: dict[int, int] = {}
        self._at_end: set[int] = set()

    def follow(self, partitions: set[int]) -> None:
        """Read these from where each was left, or from its beginning; forget the others."""
        self._next = {number: self._next.get(number, OFFSET_BEGINNING) for number in partitions}
        self._assign()

    def poll(self, wait_s: float = 0.0) -> list[tuple[int, Pairs]]:
        """What has come, by partition, in order."""
        runs: dict[int, Pairs] = {}
        for message in self._consumer.consume(FETCH_RECORDS, wait_s):
            error = message.error()
            partition = message.partition()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._at_end.add(partition)
                elif not error.retriable():
                    raise KafkaException(error)
                continue
            if message.offset() < self._next.get(partition, message.offset() + 1):
                continue  # fetched for an assignment before the present one
            runs.setdefault(partition, []).append((message.key(), message.value()))
            self._next[partition] = message.offset() + 1
        return list(runs.items())

    def read_to_end(self) -> Iterator[list[tuple[int, Pairs]]]:
        """Everything up to the ends that the followed partitions have now."""
        self._assign()
        while self._at_end < self._next.keys():
            yield self.poll(WAIT_S)

    def close(self) -> None:
        self._consumer.close()

    def _assign(self) -> None:
        """A new assignment makes the client say when it has met each end."""
        self._at_end.clear()
        self._consumer.assign(
            [KafkaPartition(self._topic, number, offset) for number, offset in self._next.items()]
        )
