"""Everything at once on a real Kafka, in its short form: nothing lost, nothing twice."""

from pathlib import Path
from typing import Any

import pytest

from streams.run.soak.soak import Options, Soak
from tests.kafka.broker import ApacheKafka

pytestmark = pytest.mark.kafka
KINDS = ("wrong", "lost", "twice", "duplicate_ids", "unjustified", "unbalanced", "letters")


def options(seed: int, faults: list[str], **more: Any) -> Options:
    return Options(**{
        "seed": seed, "minutes": 0.7, "faults": faults, "workers": 2, "partitions": 4,
        "rate": 1_000.0, "accounts": 200, "every_s": 10.0, "session_timeout_s": 6, "standbys": 0,
        "cycle_ms": 50, "summary": None, **more,
    })  # fmt: skip


def soaked(cluster: ApacheKafka, asked: Options) -> list[str]:
    """The lines of a soak that must end clean."""
    lines: list[str] = []
    status = Soak(asked, cluster.bootstrap, cluster, say=lines.append).run()
    assert (status, lines[-1]) == (0, "clean"), "\n".join(lines)
    return lines


def test_kills_pauses_and_a_dying_broker_cost_nothing(kafka: ApacheKafka, tmp_path: Path) -> None:
    faults = ["kill", "term", "broker-kill", "broker-slow", "damage", "duplicate"]
    soaked(kafka, options(11, faults))


def test_a_worker_paused_beyond_its_session_publishes_nothing_more(kafka: ApacheKafka) -> None:
    lines = soaked(kafka, options(12, ["pause"], every_s=15.0, standbys=1))
    assert sum("is over" in line for line in lines) >= 1


def test_one_of_three_brokers_dies(three_brokers: ApacheKafka) -> None:
    soaked(three_brokers, options(13, ["broker-kill"], every_s=12.0))
