"""Reads all partitions of the broadcast topics, in every worker, without a consumer group."""

import time
from collections.abc import Sequence

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from schemas.block import Block
from streams.base.patience import patiently

FETCH_RECORDS = 10_000
CATCH_UP_TIMEOUT_S = 60.0


class BroadcastBehindError(RuntimeError):
    """The broadcast topics could not be read to their end in time."""


class BroadcastReader:
    """A plain consumer with every partition of `topics` assigned, from their beginning on."""

    def __init__(
        self, bootstrap: str, topics: Sequence[str], security: dict[str, str] | None = None
    ) -> None:
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": "plimsoll-broadcast",  # librdkafka wants one; nothing is ever committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,  # a price must not wait in the broker for company
            "fetch.error.backoff.ms": 100,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
            **(security or {}),
        }
        self._consumer = Consumer(self._settings)
        listed = patiently(lambda: self._consumer.list_topics(timeout=10)).topics
        self._partitions = [
            (topic, partition) for topic in topics for partition in sorted(listed[topic].partitions)
        ]
        self._next: dict[tuple[str, int], int] = {}
        self._at_end: set[tuple[str, int]] = set()
        self._assign()

    def poll(self, timeout_s: float = 0.0) -> list[Block]:
        """What has arrived since the last call, a block a topic-partition, in offset order."""
        return self._blocks(self._consumer.consume(FETCH_RECORDS, timeout_s))

    def read_to_end(self) -> list[Block]:
        """Everything up to the ends that the topics have now; BroadcastBehindError in 60 s.

        A new client says when it has met each end; one that is assigned anew while its broker
        restarts may never say it again. The ends that a broker
        reports are not asked: the embedded one leaves out the last batch but for its first record.
        """
        self._consumer.close()
        self._consumer = Consumer(self._settings)
        self._assign()
        behind = set(self._partitions)
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        blocks: list[Block] = []
        while behind:
            blocks.extend(self.poll(0.02))
            behind -= self._at_end
            if behind and time.monotonic() > deadline:
                raise BroadcastBehindError(f"still behind after 60 s: {sorted(behind)}")
        return blocks

    def close(self) -> None:
        self._consumer.close()

    def _assign(self) -> None:
        self._at_end.clear()
        self._consumer.assign(
            [
                KafkaPartition(*place, self._next.get(place, OFFSET_BEGINNING))
                for place in self._partitions
            ]
        )

    def _blocks(self, messages: list[Message]) -> list[Block]:
        runs: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._at_end.add((message.topic(), message.partition()))
                elif not error.retriable():
                    raise KafkaException(error)
                continue
            runs.setdefault((message.topic(), message.partition()), []).append(message)
        blocks = []
        for (topic, partition), run in runs.items():
            self._next[topic, partition] = run[-1].offset() + 1
            blocks.append(
                Block(
                    topic,
                    partition,
                    np.array([m.offset() for m in run], np.int64),
                    [m.key() for m in run],
                    [m.value() for m in run],
                    np.array([m.timestamp()[1] for m in run], np.int64),
                )
            )
        return blocks
