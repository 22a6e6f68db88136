"""Creates the topics as the catalogue declares them, and refuses to go on where they differ."""

import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import TOPICS, Topic
from streams.run.topic_checks import (
    DAY_MS,
    Described,
    Rules,
    changelog_topic,
    missing_topics,
    offences,
    topic_names,
)

__all__ = ["TopicsDifferError", "changelog_topic", "check_topics", "ensure_topics"]

APPEAR_S = 10.0
ANSWER_S = 30.0
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""A damaged record may be large, and its dead letter is larger."""


class TopicsDifferError(RuntimeError):
    """The topics on the broker are not as the pipeline needs them."""


def ensure_topics(
    bootstrap: str,
    partitions: int,
    replication: int = 1,
    security: dict[str, str] | None = None,
    *,
    app: str = "plimsoll",
    min_replication: int = 1,
    min_retention_ms: int = 0,
) -> None:
    """Create the missing topics and the changelog of `app`, then check all as `check_topics` does.

    Account topics share one partition count, because an account's records must meet in one
    worker; the changelog has it too.
    """
    client = _client(bootstrap, security)
    described = _described(client, app)
    _create(
        client,
        [one for one in _declarations(partitions, replication, app) if one.topic not in described],
    )
    deadline = time.monotonic() + APPEAR_S
    while missing_topics(described, app) and time.monotonic() < deadline:
        time.sleep(0.1)
        described = _described(client, app)
    _refuse(described, Rules(partitions, app, min_replication, min_retention_ms))


def check_topics(
    bootstrap: str,
    partitions: int,
    security: dict[str, str] | None = None,
    *,
    app: str = "plimsoll",
    min_replication: int = 1,
    min_retention_ms: int = 0,
) -> None:
    """TopicsDifferError, naming every offence, where the topics would not carry the pipeline.

    Refused are: a missing topic; an account topic or changelog with another partition count; a
    changelog that is not compacted; an account topic, output topic or changelog with fewer replicas
    than `min_replication`, or that deletes what is younger than `min_retention_ms` (0: any).
    """
    described = _described(_client(bootstrap, security), app)
    _refuse(described, Rules(partitions, app, min_replication, min_retention_ms))


def _refuse(described: dict[str, Described], rules: Rules) -> None:
    if found := offences(described, rules):
        raise TopicsDifferError("\n".join(found))


def _client(bootstrap: str, security: dict[str, str] | None) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **(security or {})})


def _described(client: AdminClient, app: str) -> dict[str, Described]:
    """The topics of `app` that the broker has."""
    listed = client.list_topics(timeout=ANSWER_S).topics
    present = [name for name in topic_names(app) if name in listed]
    described = {}
    for name, config in _configs(client, present):
        replicas = [len(one.replicas) for one in listed[name].partitions.values()]
        described[name] = Described(len(replicas), min(replicas, default=0), config)
    return described


def _configs(client: AdminClient, names: list[str]) -> Iterable[tuple[str, dict[str, str]]]:
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers = client.describe_configs(asked, request_timeout=ANSWER_S) if asked else {}
    for resource, future in answers.items():
        try:
            entries = future.result(timeout=2 * ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue  # new, and not yet known to the broker that answered
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise  # the broker went away
            raise TopicsDifferError(
                f"cannot read the configuration of topic {resource.name}: {error.args[0]}"
            ) from error
        yield resource.name, {name: entry.value for name, entry in entries.items()}


def _create(client: AdminClient, declarations: list[NewTopic]) -> None:
    for name, future in (client.create_topics(declarations) if declarations else {}).items():
        try:
            future.result(timeout=2 * ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicsDifferError(f"cannot create topic {name}: {error.args[0]}") from error


def _declarations(partitions: int, replication: int, app: str) -> list[NewTopic]:
    common = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    if replication > 2:
        common["min.insync.replicas"] = "2"  # what is acknowledged survives the loss of a broker
    kept = {"cleanup.policy": "compact", **common}
    changelog = NewTopic(changelog_topic(app), partitions, replication, config=kept)
    listed = [
        NewTopic(
            topic.name, _partitions(topic, partitions), replication, config=_config(topic) | common
        )
        for topic in TOPICS
    ]
    return [*listed, changelog]


def _config(topic: Topic) -> dict[str, str]:
    config: dict[str, str] = {"cleanup.policy": topic.cleanup}
    if topic.cleanup == "delete":
        rebuilt_from = topic.sharing == "account" or topic.name == "funding"
        config["retention.ms"] = "-1" if rebuilt_from else str(30 * DAY_MS)
    return config


def _partitions(topic: Topic, partitions: int) -> int:
    return 1 if topic.sharing == "broadcast" else partitions
