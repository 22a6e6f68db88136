"""Creates the topics as the catalogue declares them, and refuses to go on where they differ."""

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS, Topic

DAY_MS = 24 * 3600 * 1000
APPEAR_S = 10.0


class TopicsDifferError(RuntimeError):
    """A topic on the broker is not as the pipeline needs it."""


def ensure_topics(
    bootstrap: str, partitions: int, replication: int = 1, security: dict[str, str] | None = None
) -> None:
    """Create the missing topics and check the partition counts of those that exist.

    Account topics share one partition count, because an account's records must meet in one
    worker; TopicsDifferError names the topic and both counts where they do not.
    """
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **(security or {})})
    present = client.list_topics(timeout=10).topics
    missing = [topic for topic in TOPICS if topic.name not in present]
    futures = (
        client.create_topics([_declaration(topic, partitions, replication) for topic in missing])
        if missing
        else {}
    )
    for name, future in futures.items():
        try:
            future.result(timeout=30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicsDifferError(f"cannot create topic {name}: {error.args[0]}") from error
    deadline = time.monotonic() + APPEAR_S
    while time.monotonic() < deadline and _absent(client):
        time.sleep(0.1)
    check_topics(bootstrap, partitions, security)


def check_topics(bootstrap: str, partitions: int, security: dict[str, str] | None = None) -> None:
    """TopicsDifferError where a topic is missing or account topics differ in their partitions."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **(security or {})})
    if absent := _absent(client):
        raise TopicsDifferError(
            f"topics are missing: {', '.join(absent)}; `plimsoll topics --create` makes them"
        )
    present = client.list_topics(timeout=10).topics
    counts = {t.name: len(present[t.name].partitions) for t in TOPICS if t.sharing == "account"}
    differing = {name: count for name, count in counts.items() if count != partitions}
    if differing:
        raise TopicsDifferError(
            f"account topics must have {partitions} partitions each, but have {differing}: "
            "create them alike, or name their count with --partitions"
        )


def _absent(client: AdminClient) -> list[str]:
    present = client.list_topics(timeout=10).topics
    return [topic.name for topic in TOPICS if topic.name not in present]


def _declaration(topic: Topic, partitions: int, replication: int) -> NewTopic:
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if topic.cleanup == "delete":
        rebuilt_from = topic.sharing == "account" or topic.name == "funding"
        config["retention.ms"] = "-1" if rebuilt_from else str(30 * DAY_MS)
    return NewTopic(topic.name, _partitions(topic, partitions), replication, config=config)


def _partitions(topic: Topic, partitions: int) -> int:
    return 1 if topic.sharing == "broadcast" else partitions
