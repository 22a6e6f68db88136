"""Records read and not yet stored, a run for each partition, cut into blocks."""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from schemas.block import Block
from sinks.clickhouse import APPLIED, DECIDED, Delivery, TopicPartition
from sinks.watermarks import Intent, mismatch


class Buffers:
    """The runs of all partitions; a partition with an intent is cut where the intent says."""

    def __init__(self) -> None:
        self._runs: dict[TopicPartition, list[Any]] = {}
        self._bytes: dict[TopicPartition, int] = {}
        self._intents: dict[TopicPartition, Intent] = {}
        self._since: float | None = None

    @property
    def topics(self) -> frozenset[str]:
        """Topics of which records are held."""
        return frozenset(topic for (topic, _), run in self._runs.items() if run)

    @property
    def rows(self) -> int:
        """Records held."""
        return sum(map(len, self._runs.values()))

    @property
    def longest(self) -> int:
        """Records of the longest run."""
        return max(map(len, self._runs.values()), default=0)

    @property
    def largest(self) -> int:
        """Bytes of the run that has most, of its values."""
        return max(self._bytes.values(), default=0)

    @property
    def age_s(self) -> float:
        """Seconds since the oldest record came, 0 where there is none."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def expect(self, where: TopicPartition, intent: Intent) -> None:
        """The partition's next block is this one, whatever else comes."""
        self._intents[where] = intent

    def intent(self, where: TopicPartition) -> Intent | None:
        """The block the partition must repeat next, if one."""
        return self._intents.get(where)

    def add(self, messages: Iterable[Any]) -> None:
        """Take confluent-kafka messages, each partition's in offset order."""
        for message in messages:
            where = message.topic(), message.partition()
            self._runs.setdefault(where, []).append(message)
            self._bytes[where] = self._bytes.get(where, 0) + len(message.value() or b"")
        if self._since is None and self.rows:
            self._since = time.monotonic()

    def drop(self) -> None:
        """Forget everything: the partitions may belong to another now."""
        self._runs.clear()
        self._bytes.clear()
        self._intents.clear()
        self._since = None

    def cut(self, ids: Mapping[str, str], taken: Collection[TopicPartition] = ()) -> list[Delivery]:
        """Take a block of every partition that has a whole one and is not taken; the rest stays.

        `ids` is topic -> its id. Raises IntentMismatchError where the records of an intent are
        gone from the topic.
        """
        cut = []
        for where, run in self._runs.items():
            if where in taken:
                continue
            intent = self._intents.get(where)
            end = len(run)
            if intent is not None and run:
                end = sum(message.offset() <= intent.last for message in run)
                if end == 0:
                    raise mismatch(where, intent, f"nothing before {run[0].offset()}")
                if run[-1].offset() < intent.last:
                    continue
            if end:
                cut.append(_delivery(where, run[:end], ids[where[0]]))
                del run[:end]
                self._bytes[where] = sum(len(message.value() or b"") for message in run)
        self._since = time.monotonic() if self.rows else None
        return cut

    def settled(self, delivery: Delivery) -> None:
        """A block is stored; where it ends the intent of its partition, that is carried out."""
        intent = self._intents.get(delivery.where)
        if intent is not None and intent.last <= delivery.last:
            del self._intents[delivery.where]


def _delivery(where: TopicPartition, run: list[Any], topic_id: str) -> Delivery:
    block = Block(
        topic=where[0],
        partition=where[1],
        offsets=np.array([message.offset() for message in run], np.int64),
        keys=[message.key() for message in run],
        values=[message.value() for message in run],
        timestamps_ms=np.array([message.timestamp()[1] for message in run], np.int64),
    )
    applied = [_applied(message) for message in run] if where[0] in DECIDED else ()
    return Delivery(block, topic_id, applied)


def _applied(message: Any) -> bytes:
    return next((value for name, value in message.headers() or () if name == APPLIED), b"")
