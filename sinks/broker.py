"""What the sink asks a broker beside records: which topic this is, and where partitions end."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # a UUID of zeros: the broker gives topics no ids


def admin_client(settings: Mapping[str, Any]) -> AdminClient:
    """A client for the functions below, from a consumer's settings."""
    wanted = ("bootstrap.servers", "log_level", "security.protocol", "sasl.", "ssl.", "enable.ssl")
    return AdminClient({k: v for k, v in settings.items() if k.startswith(wanted)})


def topic_ids(client: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """What tells each topic from one of the same name that was deleted before.

    It is the broker's id, or `cluster id/name` from a broker that gives none.
    Raises KafkaException where the broker cannot be asked.
    """
    result: dict[str, str] = {}
    if not names:
        return result
    futures = client.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
    for name, future in futures.items():
        try:
            result[name] = str(future.result(timeout=TIMEOUT_S).topic_id)
        except KafkaException as error:
            if error.args[0].retriable():
                raise
            result[name] = NO_ID
    if NO_ID in result.values():
        cluster = client.list_topics(timeout=TIMEOUT_S).cluster_id
        for name in names:
            result[name] = f"{cluster}/{name}" if result[name] == NO_ID else result[name]
    return result


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
        except KafkaException as error:
            log.warning("no end of %s known: %s", partition, error)
    return ends
