"""Reads partitions of the changelog, to their ends or as they grow."""

import logging
import time
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from streams.base.introduction import introduced

log = logging.getLogger(__name__)
FETCH_RECORDS = 50_000
WAIT_S = 0.02
"""A poll takes as long, whatever comes."""
QUIET_S = 5.0
"""A client that says nothing for so long, not even that there is nothing, is replaced."""
PATIENCE_S = 60.0
Pairs = list[tuple[bytes | None, bytes | None]]


class ChangelogSilentError(RuntimeError):
    """The changelog could not be read to its end: nothing came any more."""


class ChangelogReader:
    """A plain consumer of the partitions that it is told to follow; only what was committed.

    Each assignment has a client of its own: one that is assigned anew while its broker restarts
    may never say again that it has met an end.
    """

    def __init__(self, bootstrap: str, topic: str, security: dict[str, str] | None = None) -> None:
        self._topic = topic
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": "plimsoll-changelog",  # librdkafka wants one; nothing is ever committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "queued.min.messages": 200_000,
            "fetch.max.bytes": 64 * 1024 * 1024,
            "max.partition.fetch.bytes": 16 * 1024 * 1024,
            "check.crcs": True,  # what is damaged on its way or on disk is not state
            "log_level": 0,
            **(security or {}),
        }
        self._consumer: Consumer | None = None
        self._next: dict[int, int] = {}
        self._at_end: set[int] = set()

    def follow(self, partitions: set[int]) -> None:
        """Read these from where each was left, or from its beginning; forget the others."""
        self._next = {number: self._next.get(number, OFFSET_BEGINNING) for number in partitions}
        self.close()

    def poll(self, wait_s: float = 0.0) -> list[tuple[int, Pairs]]:
        """What has come, by partition, in order."""
        if not self._next:
            return []
        consumer = self._consumer or self._assigned()
        runs: dict[int, Pairs] = {}
        for message in consumer.consume(FETCH_RECORDS, wait_s):
            error = message.error()
            partition = message.partition()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._at_end.add(partition)
                elif not error.retriable():
                    raise KafkaException(error)
                continue
            runs.setdefault(partition, []).append((message.key(), message.value()))
            self._next[partition] = message.offset() + 1
        return list(runs.items())

    def read_to_end(self) -> Iterator[list[tuple[int, Pairs]]]:
        """Everything up to the ends that the followed partitions have now.

        ChangelogSilentError where nothing comes for a minute.
        """
        self.close()  # a new client says when it has met each end
        heard = renewed = time.monotonic()
        met = 0  # ends at most; a new client that meets the same ones again is no news
        while self._at_end < self._next.keys():
            found = self.poll(WAIT_S)
            now = time.monotonic()
            if found or len(self._at_end) > met:
                heard = renewed = now
                met = max(met, len(self._at_end))
            elif now - heard > PATIENCE_S:
                behind = sorted(self._next.keys() - self._at_end)
                raise ChangelogSilentError(
                    f"{self._topic}: nothing came of partitions {behind} for {PATIENCE_S:.0f} s"
                )
            elif now - renewed > QUIET_S:
                log.warning("%s: nothing came for %.0f s: a new client", self._topic, QUIET_S)
                self.close()
                renewed = now
            yield found

    def close(self) -> None:
        self._at_end.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _assigned(self) -> Consumer:
        consumer = self._consumer = introduced(Consumer(self._settings))
        consumer.assign(
            [KafkaPartition(self._topic, number, offset) for number, offset in self._next.items()]
        )
        return consumer
