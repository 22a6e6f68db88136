"""Topics that would lose accounts or outputs are refused at the start, all of them at once."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.topics import BY_NAME, TOPICS
from streams.run.broker import EmbeddedBroker
from streams.run.cli import main
from streams.run.topic_checks import DAY_MS, Described, Rules, offences
from streams.run.topics import (
    TopicsDifferError,
    changelog_topic,
    check_topics,
    ensure_topics,
)

CHANGELOG = "plimsoll-book-changelog"
RULES = Rules(partitions=4, min_replication=3, min_retention_ms=30 * DAY_MS)


def described(**changed: Described) -> dict[str, Described]:
    """Topics as they should be, but for those that are given with _ in place of -."""
    topics = {
        topic.name: Described(
            1 if topic.sharing == "broadcast" else 4,
            3,
            {"cleanup.policy": topic.cleanup, "retention.ms": str(30 * DAY_MS)},
        )
        for topic in TOPICS
    }
    topics[CHANGELOG] = Described(
        4, 3, {"cleanup.policy": "compact", "retention.ms": str(7 * DAY_MS)}
    )
    return topics | {name.replace("_", "-"): topic for name, topic in changed.items()}


def policy(topic: str, **settings: str) -> Described:
    return replace(
        described()[topic],
        config={name.replace("_", "."): value for name, value in settings.items()},
    )


def test_topics_as_they_should_be_are_not_refused() -> None:
    assert offences(described(), RULES) == []
    forever = policy("fills", cleanup_policy="delete", retention_ms="-1")
    assert offences(described(fills=forever), RULES) == []


def test_the_changelog_is_named_after_the_deployment() -> None:
    assert changelog_topic("plimsoll") == CHANGELOG
    topics = described()
    [sentence] = offences(topics, replace(RULES, app="eu"))
    assert sentence.startswith("topics are missing: eu-book-changelog;")
    topics["eu-book-changelog"] = topics.pop(CHANGELOG)
    assert offences(topics, replace(RULES, app="eu")) == []


def test_a_missing_changelog_is_refused_like_any_topic() -> None:
    topics = described()
    del topics[CHANGELOG], topics["fills"]
    [sentence] = offences(topics, RULES)
    assert sentence.startswith(f"topics are missing: fills, {CHANGELOG};")


def test_account_topics_and_the_changelog_have_one_partition_count() -> None:
    topics = described(
        transfers=Described(8, 3, {"retention.ms": "-1"}),
        plimsoll_book_changelog=replace(described()[CHANGELOG], partitions=3),
        margin_calls=replace(described()["margin-calls"], partitions=9),
    )
    [sentence] = offences(topics, RULES)
    assert f"4 partitions each, but have {{'transfers': 8, '{CHANGELOG}': 3}}" in sentence


@pytest.mark.parametrize("cleanup", ["delete", "compact,delete"])
def test_a_changelog_that_deletes_is_refused(cleanup: str) -> None:
    topics = described(
        plimsoll_book_changelog=policy(CHANGELOG, cleanup_policy=cleanup, retention_ms="-1")
    )
    assert offences(topics, RULES) == [
        f"{CHANGELOG} has cleanup.policy {cleanup}, must have compact: it would forget accounts"
    ]


def test_a_changelog_whose_policy_was_never_set_deletes() -> None:
    topics = described(plimsoll_book_changelog=Described(4, 3))
    assert f"{CHANGELOG} has cleanup.policy delete" in offences(topics, Rules(4))[0]


@pytest.mark.parametrize("name", ["fills", "margin-calls", CHANGELOG])
def test_too_few_replicas_are_refused(name: str) -> None:
    topics = described() | {name: replace(described()[name], replication=2)}
    assert offences(topics, RULES) == [f"{name} has replication 2, must have 3 or more"]
    assert offences(topics, Rules(4)) == []


@pytest.mark.parametrize("name", ["fills", "margin-calls"])
def test_too_short_a_retention_is_refused(name: str) -> None:
    topics = described() | {name: policy(name, cleanup_policy="delete", retention_ms="86400000")}
    assert offences(topics, RULES) == [
        f"{name} has retention.ms 86400000, must have 2592000000 or more"
    ]
    assert offences(topics, Rules(4)) == []
    never_set = described() | {name: policy(name, cleanup_policy="delete")}
    assert offences(never_set, RULES) == [
        f"{name} has retention.ms 604800000, must have 2592000000 or more"
    ]


def test_a_compacted_topic_needs_no_retention() -> None:
    topics = described(
        margin_state=policy("margin-state", cleanup_policy="compact", retention_ms="1000")
    )
    assert offences(topics, RULES) == []
    both = policy("margin-state", cleanup_policy="compact,delete", retention_ms="1000")
    assert offences(described(margin_state=both), RULES) == [
        "margin-state has retention.ms 1000, must have 2592000000 or more"
    ]


def test_all_offences_are_told_at_once() -> None:
    topics = described(
        collateral=replace(described()["collateral"], replication=1),
        margin_calls=policy("margin-calls", retention_ms="5"),
        fills=replace(described()["fills"], partitions=5),
        plimsoll_book_changelog=policy(CHANGELOG, cleanup_policy="delete", retention_ms="-1"),
    )
    del topics["auctions"]
    told = "\n".join(offences(topics, RULES))
    assert len(told.splitlines()) == 5
    for name in ("missing: auctions", "'fills': 5", f"{CHANGELOG} has", "collateral has", "calls"):
        assert name in told


@pytest.fixture
def bootstrap() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap


def create(bootstrap: str, *topics: NewTopic) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(list(topics)).values():
        future.result(10)


def config_of(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    [future] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result(10).items()}


@pytest.mark.embedded
def test_the_changelog_is_created_compacted_with_the_same_partitions(bootstrap: str) -> None:
    with pytest.raises(TopicsDifferError, match=r"missing: .*, eu-book-changelog;"):
        check_topics(bootstrap, 3, app="eu")
    ensure_topics(bootstrap, 3, app="eu", min_retention_ms=30 * DAY_MS)
    check_topics(bootstrap, 3, app="eu", min_retention_ms=30 * DAY_MS)
    listed = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=5).topics
    assert len(listed["eu-book-changelog"].partitions) == 3
    assert config_of(bootstrap, "eu-book-changelog")["cleanup.policy"] == "compact"
    assert {name: config_of(bootstrap, name)["cleanup.policy"] for name in BY_NAME} == {
        topic.name: topic.cleanup for topic in TOPICS
    }
    with pytest.raises(TopicsDifferError, match="missing: plimsoll-book-changelog;"):
        check_topics(bootstrap, 3)


@pytest.mark.embedded
def test_what_a_broker_has_is_refused_in_one_error(bootstrap: str) -> None:
    create(
        bootstrap,
        NewTopic(CHANGELOG, 2, 1, config={"cleanup.policy": "delete"}),
        NewTopic("margin-calls", 2, 1, config={"retention.ms": "60000"}),
        NewTopic("transfers", 3, 1, config={"retention.ms": "-1"}),
    )
    with pytest.raises(TopicsDifferError) as refused:
        ensure_topics(bootstrap, 2, min_replication=2, min_retention_ms=DAY_MS)
    lines = str(refused.value).splitlines()
    assert "but have {'transfers': 3}" in lines[0]
    assert f"{CHANGELOG} has cleanup.policy delete, must have compact" in lines[1]
    assert "fills has replication 1, must have 2 or more" in lines
    assert "margin-calls has retention.ms 60000, must have 86400000 or more" in lines


@pytest.mark.parametrize(
    ("silences", "patience_s", "said"),
    [(3, 60.0, "missing: "), (10**9, 0.0, "no broker answers at 127.0.0.1:1: ")],
)
def test_a_worker_waits_for_its_broker_and_says_so_when_none_answers(
    monkeypatch: pytest.MonkeyPatch, silences: int, patience_s: float, said: str
) -> None:
    """The broker that answers at last has no topics."""
    asked = []

    def list_topics(*of: object, timeout: float) -> SimpleNamespace:
        asked.append(timeout)
        if len(asked) <= silences:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={})

    monkeypatch.setattr(AdminClient, "list_topics", list_topics)
    monkeypatch.setattr("streams.base.patience.PATIENCE_S", patience_s)
    monkeypatch.setattr("streams.base.patience.RETRY_S", 0.0)
    started = CliRunner().invoke(main, ["worker", "--bootstrap", "127.0.0.1:1"])
    assert started.exit_code == 1
    assert said in started.output
