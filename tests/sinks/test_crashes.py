"""SIGKILL behind every step of the sink: the next one leaves each record stored once."""

import signal
import subprocess
import sys

import pytest

from schemas.topics import TOPICS
from sinks.clickhouse import table_name
from sinks.store import Store
from sinks.verifier import check
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from tests.sinks.carrying import PARTITIONS, carry, encoded, produce
from tests.sinks.crashing import STEPS

pytestmark = pytest.mark.embedded
RECORDS = 6
PATIENCE_S = 300.0
"""Only a sink that was not killed and does not end needs as long."""
POINTS = [(step, 1) for step in STEPS] + [("3 inserted", len(TOPICS))]
"""Steps, and behind which of the blocks that are on their way together."""


@pytest.fixture(params=["chdb", "http"])
def crash_dsn(request: pytest.FixtureRequest, dsn: str) -> str:
    """chDB, which dies with the sink, or HTTP, behind which it goes on."""
    return dsn if request.param == "chdb" else request.getfixturevalue("server").url


def test_a_kill_behind_any_step_leaves_every_record_once(
    broker: EmbeddedBroker, crash_dsn: str
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    for step, times in POINTS:
        for topic in TOPICS:
            produce(broker.bootstrap, topic.name, [*encoded(topic.record, RECORDS), b"no record"])
        arguments = [broker.bootstrap, crash_dsn, step, str(times)]
        killed = subprocess.run(
            [sys.executable, "-m", "tests.sinks.crashing", *arguments],
            timeout=PATIENCE_S,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, f"it was not killed behind {step}"
    carry(broker, crash_dsn)
    with Store(crash_dsn) as store:
        assert check(store) == []
        for topic in TOPICS:
            rows = store.query(f"SELECT count() AS n FROM {table_name(topic.name)}")
            assert rows == [{"n": RECORDS * len(POINTS)}], topic.name
        refused = store.query("SELECT topic, count() AS n FROM sink_refused GROUP BY topic")
        assert {row["topic"]: row["n"] for row in refused} == {
            topic.name: len(POINTS) for topic in TOPICS
        }
