"""Where the partitions of topics begin and end, asked of the broker."""

from collections.abc import Collection

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.base.introduction import introduced
from streams.base.patience import patiently

TIMEOUT_S = 10.0
Place = tuple[str, int]
"""A topic and a partition of it."""


def topic_offsets(
    connection: dict[str, str], places: Collection[Place], *specs: OffsetSpec
) -> list[dict[Place, int]]:
    """For each of `specs`, the offset of each place; ends are those of committed records.

    A broker that has just made a topic, or lost its leader, refuses for a moment: it is asked
    again for a minute, then its KafkaException or the TimeoutError is raised.
    """
    asked = {place: TopicPartition(*place) for place in places}

    def ask() -> list[dict[Place, int]]:
        # a client of its own each time: one keeps asking for a leader's epoch that is over
        admin = introduced(AdminClient(connection))
        told = [
            admin.list_offsets(
                dict.fromkeys(asked.values(), spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
            )
            for spec in specs
        ]
        return [
            {
                place: max(answers[partition].result(timeout=TIMEOUT_S).offset, 0)
                for place, partition in asked.items()
            }
            for answers in told
        ]

    return patiently(ask) if places else [{} for _ in specs]
