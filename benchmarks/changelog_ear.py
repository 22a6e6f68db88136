"""Hears from outside when an account's change is committed to the changelog."""

import threading
import time
from collections.abc import Collection
from types import TracebackType

from confluent_kafka import Consumer, TopicPartition

from streams.base.patience import patiently

POLL_S = 0.05
PATIENCE_S = 60.0


class NotHeardError(RuntimeError):
    """A change did not come."""


class ChangelogEar:
    """Listens on a thread, from the topic's end as it was at the entry, to committed records."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": "ear",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        })  # fmt: skip
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        for place in places:
            place.offset = self._end(place)
        self._consumer.assign(places)
        self._heard_s: dict[bytes, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="changelog-ear", daemon=True)

    def _end(self, place: TopicPartition) -> int:
        ends = patiently(lambda: self._consumer.get_watermark_offsets(place, timeout=10))
        return int(ends[1])

    def __enter__(self) -> "ChangelogEar":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._consumer.close()

    def all_of(self, keys: Collection[bytes]) -> dict[bytes, float]:
        """When each key was first heard, monotonic seconds; NotHeardError where one is missing."""
        deadline = time.monotonic() + PATIENCE_S
        while missing := [key for key in keys if key not in self._heard_s]:
            if time.monotonic() > deadline:
                raise NotHeardError(f"{len(missing)} accounts were not committed: {missing[:3]}")
            time.sleep(POLL_S)
        return self._heard_s

    def _listen(self) -> None:
        while not self._ending.is_set():
            message = self._consumer.poll(POLL_S)
            if message is not None and message.error() is None:
                self._heard_s.setdefault(message.key(), time.monotonic())
