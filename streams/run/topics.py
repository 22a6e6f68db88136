"""Creates the topics as the catalogue declares them, and refuses to go on where they differ."""

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS, Topic

DAY_MS = 24 * 3600 * 1000


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
    _check_counts(client, partitions)


def _declaration(topic: Topic, partitions: int, replication: int) -> NewTopic:
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if topic.cleanup == "delete":
        rebuilt_from = topic.sharing == "account" or topic.name == "funding"
        config["retention.ms"] = "-1" if rebuilt_from else str(30 * DAY_MS)
    return NewTopic(topic.name, _partitions(topic, partitions), replication, config=config)


def _partitions(topic: Topic, partitions: int) -> int:
    return 1 if topic.sharing == "broadcast" else partitions


def _check_counts(client: AdminClient, partitions: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        present = client.list_topics(timeout=10).topics
        absent = [topic.name for topic in TOPICS if topic.name not in present]
        if not absent:
            break
        if time.monotonic() > deadline:
            raise TopicsDifferError(f"topics do not appear on the broker: {', '.join(absent)}")
        time.sleep(0.1)
    counts = {t.name: len(present[t.name].partitions) for t in TOPICS if t.sharing == "account"}
    differing = {name: count for name, count in counts.items() if count != partitions}
    if differing:
        raise TopicsDifferError(
            f"account topics must have {partitions} partitions each, but have {differing}: "
            "create them alike, or name their count with --partitions"
        )
