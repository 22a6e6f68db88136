"""How the sink meets a broker, and what it asks: which topic is this, where does it end?"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.base.patience import patiently
from streams.base.topic_offsets import topic_offsets

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # a UUID of zeros: the broker gives topics no ids


def settings_of(
    bootstrap: str, group: str, security: Mapping[str, str] | None
) -> dict[str, str | int | bool]:
    """librdkafka's settings of a consumer of the topics."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6_000,  # the embedded broker holds a joining group half of it
        "heartbeat.interval.ms": 1_500,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 10_000,  # topics that come and go are noticed
        "queued.max.messages.kbytes": 65_536,
        "log_level": 0,
        **(security or {}),
    }


def connection_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a client that only asks needs of a consumer's settings."""
    wanted = ("bootstrap.servers", "log_level", "security.protocol", "sasl.", "ssl.", "enable.ssl")
    return {name: value for name, value in settings.items() if name.startswith(wanted)}


def topic_ids(client: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """What tells each topic from one of the same name that was deleted before.

    It is the broker's id, or `cluster id/name` from a broker that gives none.
    Raises KafkaException where the broker cannot be asked, or has no such topic.
    """
    result: dict[str, str] = {}
    if not names:
        return result
    futures = client.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
    for name, future in futures.items():
        result[name] = str(future.result(timeout=TIMEOUT_S).topic_id)
    if NO_ID in result.values():
        cluster = client.list_topics(timeout=TIMEOUT_S).cluster_id
        for name in names:
            result[name] = f"{cluster}/{name}" if result[name] == NO_ID else result[name]
    return result


@dataclass(frozen=True, slots=True)
class Held:
    """What the broker has of a topic: its id, and the first offset of each partition."""

    topic_id: str
    starts: Mapping[int, int]


def held_by(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Held]:
    """What the broker has of those of the topics that are there, `settings` being a consumer's.

    Raises KafkaException or TimeoutError.
    """
    connection = connection_of(settings)
    client = AdminClient(connection)
    there = client.list_topics(timeout=TIMEOUT_S).topics
    ids = patiently(lambda: topic_ids(client, [name for name in names if name in there]))
    places = [(name, number) for name in ids for number in there[name].partitions]
    (starts,) = topic_offsets(connection, places, OffsetSpec.earliest())
    return {
        name: Held(one, {number: starts[name, number] for number in there[name].partitions})
        for name, one in ids.items()
    }


def end_offsets(
    client: AdminClient, partitions: Sequence[TopicPartition], timeout_s: float
) -> dict[tuple[str, int], int]:
    """The offset behind the last committed record of each partition, where the broker says it.

    The embedded broker names the first offset of its last batch plus one: a lower bound.
    """
    if not partitions:
        return {}
    futures = client.list_offsets(
        {TopicPartition(p.topic, p.partition): OffsetSpec.latest() for p in partitions},
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=timeout_s,
    )
    ends: dict[tuple[str, int], int] = {}
    for partition, future in futures.items():
        try:
            ends[partition.topic, partition.partition] = future.result(timeout=timeout_s).offset
        except (KafkaException, TimeoutError) as error:
            log.warning("no end of %s known: %s", partition, error)
    return ends
