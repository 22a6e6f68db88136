"""Everything at once on a real Kafka, in its short form: nothing lost, nothing twice."""

from typing import Any

import pytest

from streams.run.soak.soak import Options, Soak
from tests.kafka.broker import ApacheKafka
from tests.kafka.conftest import need_brokers

pytestmark = pytest.mark.kafka


def options(seed: int, faults: list[str], **more: Any) -> Options:
    return Options(**{
        "seed": seed, "minutes": 0.5, "faults": faults, "workers": 2, "partitions": 4,
        "rate": 300.0, "accounts": 200, "every_s": 7.5, "session_timeout_s": 6, "standbys": 0,
        "cycle_ms": 50, "summary": None, **more,
    })  # fmt: skip


def soaked(asked: Options, brokers: int = 1) -> list[str]:
    """The lines of a soak that must end clean, on a cluster of its own: an audit reads all."""
    need_brokers()
    lines: list[str] = []
    with ApacheKafka(brokers) as cluster:
        status = Soak(asked, cluster.bootstrap, cluster, say=lines.append).run()
    assert (status, lines[-1]) == (0, "clean"), "\n".join(lines)
    return lines


def test_kills_and_a_dying_broker_cost_nothing() -> None:
    faults = ["kill", "term", "broker-kill", "broker-slow", "damage", "duplicate"]
    soaked(options(11, faults))


def test_a_worker_paused_beyond_its_session_publishes_nothing_more() -> None:
    lines = soaked(options(12, ["pause"], every_s=20.0, standbys=1))
    assert sum("is over" in line for line in lines) >= 1


def test_one_of_three_brokers_dies() -> None:
    soaked(options(13, ["broker-kill"], minutes=0.3, every_s=10.0), brokers=3)
