"""The history held against the topics: every record that a topic still has is in one block."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from numpy.typing import NDArray

from schemas.topics import BY_NAME, TOPICS
from sinks.broker import TIMEOUT_S, Held, held_by
from sinks.store import Store
from sinks.verifier import BLOCKS_SQL, Finding
from streams.base.patience import patiently

FETCH_ROWS = 10_000
SILENT_S = 2 * TIMEOUT_S

Int64s = NDArray[np.int64]


@dataclass(slots=True)
class Recount:
    """What differs between topics and blocks, and how many offsets are not stored yet."""

    findings: list[Finding] = field(default_factory=list)
    behind: int = 0


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The blocks of a partition in the order of their offsets, and what they are of."""

    topic: str
    topic_id: str
    partition: int
    first: Int64s
    last: Int64s
    records: Int64s

    def finding(self, kind: Any, span: tuple[int, int], sentence: str) -> Finding:
        return Finding(kind, self.topic, self.topic_id, self.partition, *span, sentence)


def recount(store: Store, settings: Mapping[str, Any]) -> Recount:
    """Read the topics again, up to what is stored of each, and compare with the blocks.

    `settings` are of a consumer, as `sinks.broker.settings_of` makes them; no group is joined.
    Raises KafkaException where the broker fails or is silent.
    """
    result = Recount()
    held = held_by(settings, [topic.name for topic in TOPICS])
    consumer = Consumer({**settings, "group.id": f"plimsoll-recount-{uuid.uuid4().hex}"})
    try:
        for topic, there in held.items():
            for partition in there.starts:
                _compare(store, consumer, (topic, there, partition), result)
    finally:
        consumer.close()
    return result


def _compare(store: Store, consumer: Consumer, of: tuple[str, Held, int], result: Recount) -> None:
    topic, held, partition = of
    blocks = _blocks(store, topic, held.topic_id, partition)
    place = TopicPartition(topic, partition)
    start, end = patiently(lambda: consumer.get_watermark_offsets(place, SILENT_S))
    following = int(blocks.last.max()) + 1 if len(blocks.last) else start
    result.behind += max(end - following, 0)
    if not len(blocks.first):
        return
    counts = np.zeros(len(blocks.first), np.int64)
    unread: list[int] = []
    for offsets in _read(consumer, TopicPartition(topic, partition, start), following):
        block = np.searchsorted(blocks.first, offsets, side="right") - 1
        inside = (block >= 0) & (offsets <= blocks.last[block])
        np.add.at(counts, block[inside], 1)
        unread += offsets[~inside].tolist()
    if unread:
        span = min(unread), max(unread)
        sentence = f"{len(unread)} records of the topic are in no block"
        result.findings.append(blocks.finding("unread", span, sentence))
    differ = counts != blocks.records
    if BY_NAME[topic].cleanup == "compact":
        differ = counts > blocks.records
    for place in np.flatnonzero(differ & (blocks.first >= start)):
        span = int(blocks.first[place]), int(blocks.last[place])
        sentence = f"{blocks.records[place]} records are stored, the topic has {counts[place]}"
        result.findings.append(blocks.finding("changed", span, sentence))


def _blocks(store: Store, topic: str, topic_id: str, partition: int) -> _Blocks:
    rows = store.query(
        f"SELECT first_offset, last_offset, records FROM ({BLOCKS_SQL}) WHERE NOT pending "
        "AND topic_id = {topic_id:String} AND partition = {partition:UInt16} ORDER BY 1, 2",
        {"topic": topic, "recent_s": 0, "topic_id": topic_id, "partition": partition},
    )
    first, last, records = (
        np.array([row[name] for row in rows], np.int64)
        for name in ("first_offset", "last_offset", "records")
    )
    return _Blocks(topic, topic_id, partition, first, last, records)


def _read(consumer: Consumer, start: TopicPartition, end: int) -> Any:
    """Offsets of the records of a partition from `start` up to `end`, a batch at a time."""
    consumer.assign([start])
    heard_s = time.monotonic()
    while True:
        offsets = []
        for message in consumer.consume(FETCH_ROWS, 1.0):
            error = message.error()
            heard_s = time.monotonic()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                end = min(end, message.offset())
            elif error is not None:
                raise KafkaException(error)
            offsets.append(message.offset())
        read = np.array(offsets, np.int64)
        yield read[read < end]
        if len(read) and read[-1] >= end - 1:
            return
        if time.monotonic() - heard_s > SILENT_S:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{start} is silent"))
