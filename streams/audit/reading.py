"""Reads the topics into a log: every record of every partition, in the order of offsets."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from schemas.topics import TOPICS

FETCH_RECORDS = 10_000
QUIET_TIMEOUT_S = 30.0
NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})


class Entry(NamedTuple):
    """A record as the broker keeps it; its offset is its place in the partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Mapping[str, bytes] = NO_HEADERS


Place = tuple[str, int]
"""Topic and partition."""
Log = Mapping[Place, Sequence[Entry]]
"""Records by place; offsets ascend, with gaps where transaction markers lie."""


class UnreadableTopicsError(RuntimeError):
    """The topics could not be read to their ends."""


def read_log(
    bootstrap: str,
    topics: Sequence[str] | None = None,
    security: Mapping[str, str] | None = None,
    isolation: str = "read_committed",
    *,
    wanted: Callable[[Place], bool] = lambda place: True,
) -> Log:
    """Every record of the topics (None: the whole catalogue) up to the ends met on the way.

    A place that is not `wanted` is there, and empty.

    An end is where the client says that it met one: a broker that reports its ends too early
    would cost the last batch. UnreadableTopicsError where nothing comes for 30 s.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "plimsoll-audit",  # librdkafka wants one; nothing is ever committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "log_level": 0,
            **(security or {}),
        }
    )
    try:
        every = _places(consumer, topics or [topic.name for topic in TOPICS])
        places = [place for place in every if wanted(place)]
        consumer.assign([KafkaPartition(*place, OFFSET_BEGINNING) for place in places])
        return {place: [] for place in every} | dict(_read_to_ends(consumer, places))
    finally:
        consumer.close()


def _places(consumer: Consumer, topics: Sequence[str]) -> list[Place]:
    listed = consumer.list_topics(timeout=10).topics
    missing = [topic for topic in topics if topic not in listed]
    if missing:
        raise UnreadableTopicsError(f"topics are missing: {', '.join(missing)}")
    return [(topic, number) for topic in topics for number in sorted(listed[topic].partitions)]


def _read_to_ends(consumer: Consumer, places: Sequence[Place]) -> Log:
    log: dict[Place, list[Entry]] = {place: [] for place in places}
    keys: dict[bytes | None, bytes | None] = {}
    """Keys repeat a lot: one object each."""
    behind = set(places)
    quiet_since = time.monotonic()
    while behind:
        messages = consumer.consume(FETCH_RECORDS, 0.2)
        if messages:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_TIMEOUT_S:
            raise UnreadableTopicsError(f"nothing came for 30 s, still behind: {sorted(behind)}")
        for message in messages:
            place, error = (message.topic(), message.partition()), message.error()
            if error is None:
                log[place].append(_entry(message, keys))
            elif error.code() == KafkaError._PARTITION_EOF:
                behind.discard(place)
            elif not error.retriable():
                raise KafkaException(error)
    return log


def _entry(message: Message, keys: dict[bytes | None, bytes | None]) -> Entry:
    headers = message.headers()
    return Entry(
        message.offset(),
        keys.setdefault(message.key(), message.key()),
        message.value(),
        message.timestamp()[1],
        dict(headers) if headers else NO_HEADERS,
    )
