"""What the pipeline needs of its topics, and every way in which those of a broker fall short."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.topics import TOPICS

DAY_MS = 24 * 3600 * 1000
DEFAULT_CONFIG = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
"""Kafka's own, for a broker that tells only what was set."""


@dataclass(frozen=True, slots=True)
class Described:
    """A topic as a broker describes it; `replication` is that of its least replicated partition."""

    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)

    def setting(self, name: str) -> str:
        """The value in force."""
        return self.config.get(name, DEFAULT_CONFIG[name])


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment asks of its topics; a retention of 0 ms is not checked."""

    partitions: int
    app: str = "plimsoll"
    min_replication: int = 1
    min_retention_ms: int = 0


def changelog_topic(app: str) -> str:
    """The compacted topic that holds the accounts of a deployment."""
    return f"{app}-book-changelog"


def topic_names(app: str) -> list[str]:
    """Every topic of a deployment."""
    return [*(topic.name for topic in TOPICS), changelog_topic(app)]


def missing_topics(described: Mapping[str, Described], app: str) -> list[str]:
    """The topics of a deployment that the broker does not have."""
    return [name for name in topic_names(app) if name not in described]


def offences(described: Mapping[str, Described], rules: Rules) -> list[str]:
    """A sentence for each rule that the topics break, naming topic, value and rule."""
    found = []
    if missing := missing_topics(described, rules.app):
        found.append(
            f"topics are missing: {', '.join(missing)}; `plimsoll topics --create` makes them"
        )
    changelog = changelog_topic(rules.app)
    account = [*(topic.name for topic in TOPICS if topic.sharing == "account"), changelog]
    outputs = [topic.name for topic in TOPICS if topic.sharing == "output"]
    counts = {name: described[name].partitions for name in account if name in described}
    differing = {name: count for name, count in counts.items() if count != rules.partitions}
    if differing:
        found.append(
            f"account topics must have {rules.partitions} partitions each, but have {differing}: "
            "create them alike, or name their count with --partitions"
        )
    if changelog in described:
        policy = described[changelog].setting("cleanup.policy")
        if policy != "compact":
            found.append(
                f"{changelog} has cleanup.policy {policy}, must have compact: "
                "it would forget accounts"
            )
    for name in (*account, *outputs):
        if name in described:
            found += _durability_offences(name, described[name], rules)
    return found


def _durability_offences(name: str, topic: Described, rules: Rules) -> list[str]:
    found = []
    if topic.replication < rules.min_replication:
        found.append(
            f"{name} has replication {topic.replication}, must have {rules.min_replication} or more"
        )
    deletes = "delete" in topic.setting("cleanup.policy")
    retention_ms = int(topic.setting("retention.ms"))
    if deletes and 0 <= retention_ms < rules.min_retention_ms:  # -1 keeps everything
        found.append(
            f"{name} has retention.ms {retention_ms}, must have {rules.min_retention_ms} or more"
        )
    return found
