"""Workers come, go and are mistaken for gone; a changelog that is not whole is refused."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas.record_codec import encode
from streams.run.children import Child
from streams.run.topics import changelog_topic, ensure_topics
from streams.state.partition_log import PARTITION
from streams.transport.publisher import producer_settings
from streams.transport.transaction import TransactionJournal
from tests.kafka.broker import ApacheKafka
from tests.streams.run.test_worker import publish_all
from tests.streams.state.exchange import deposit

pytestmark = pytest.mark.kafka
PARTITIONS = 4
SESSION_S = 6
LONG_SESSION_S = 60
PATIENCE_S = 180.0
"""Only a failed test needs as long."""


class Crew:
    """Workers of one deployment; whoever is left is killed at the end."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.app = f"crew-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self._folder = folder
        self.workers: list[Child] = []
        ensure_topics(bootstrap, PARTITIONS, app=self.app)

    def join(self, *more: str) -> Child:
        number = len(self.workers)
        worker = Child(
            f"worker-{number}",
            ["worker", "--bootstrap", self.bootstrap, "--app", self.app,
             "--partitions", str(PARTITIONS), "--instance", f"worker-{number}",
             "--web-port", str(17_300 + number), "--session-timeout-s", str(SESSION_S),
             "--child", *more],
            self._folder / f"worker-{number}.log",
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def held(self) -> list[int]:
        """What the ready workers hold, in all."""
        ready = [w.status for w in self.workers if w.running and w.status.get("ready")]
        return sorted(number for status in ready for number in status["held"])

    def hold_all(self) -> bool:
        return self.held() == list(range(PARTITIONS))

    def end(self) -> None:
        for worker in self.workers:
            if worker.running:
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait(5)


def await_that(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Return once it holds; fail where it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def inputs(kafka: ApacheKafka) -> ApacheKafka:
    """Topics with some thousand records."""
    ensure_topics(kafka.bootstrap, PARTITIONS)
    publish_all(kafka.bootstrap)
    return kafka


@pytest.fixture
def crew(inputs: ApacheKafka, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(inputs.bootstrap, tmp_path)
    yield crew
    crew.end()


def test_more_workers_than_partitions_and_one_that_leaves(crew: Crew) -> None:
    """Who leaves in good order is not waited for; who had nothing takes over."""
    for _ in range(PARTITIONS + 1):
        crew.join("--session-timeout-s", str(LONG_SESSION_S))
    one_each = [[], *([number] for number in range(PARTITIONS))]
    await_that(lambda: sorted(w.status.get("held", [-1]) for w in crew.workers) == one_each)
    await_that(crew.hold_all)
    idle, leaving = sorted(crew.workers, key=lambda worker: worker.status["held"])[:2]
    leaving.terminate()
    await_that(lambda: not leaving.running and crew.hold_all(), LONG_SESSION_S - 5)
    leaving.check()
    assert idle.status["held"]


def test_a_partition_that_a_stray_producer_took_comes_back(crew: Crew) -> None:
    worker = crew.join()
    await_that(crew.hold_all)
    stray = TransactionJournal(crew.bootstrap, f"{crew.app}-0")
    stray.open()
    pay_in(crew.bootstrap)  # something to commit: only then it hears
    await_that(lambda: worker.status["held"] == [1, 2, 3])
    await_that(crew.hold_all)
    worker.check()
    stray.close()


def test_a_standby_has_what_it_takes_over(crew: Crew) -> None:
    first, second = crew.join("--standbys", "1"), crew.join("--standbys", "1")
    await_that(lambda: crew.hold_all() and len(first.status.get("held", [])) == 2)
    await_that(lambda: set(second.status["warm"]) == set(first.status["held"]))
    os.kill(first.pid, signal.SIGKILL)
    first.wait(5)
    await_that(crew.hold_all)
    assert len(second.status["held"]) == PARTITIONS


def pay_in(bootstrap: str) -> None:
    """A deposit of each of some accounts."""
    producer = Producer(producer_settings(bootstrap))
    for number in range(50):
        name = f"acc-{number:05d}"
        record = deposit(0, name) | {"collateral_id": uuid.uuid4().hex}
        producer.produce("collateral", encode("collateral", record), name.encode())
    producer.flush(10)


def ended_with(crew: Crew, *more: str) -> str:
    """What a worker says that refuses to start."""
    worker = crew.join(*more)
    await_that(lambda: not worker.running)
    log = worker.log_path.read_text()
    worker.wait(1)
    with pytest.raises(Exception, match="ended with 1"):
        worker.check()
    return log


def test_a_changelog_that_vanished_is_refused_until_it_is_to_be_rebuilt(crew: Crew) -> None:
    worker = crew.join()
    await_that(crew.hold_all)
    await_that(lambda: sum(worker.status.get("positions", {}).values()) > 0)
    worker.terminate()
    worker.wait(PATIENCE_S)
    accounts = worker.status["accounts"]
    topic = changelog_topic(crew.app)
    admin = AdminClient({"bootstrap.servers": crew.bootstrap})
    admin.delete_topics([topic])[topic].result(30)
    await_that(lambda: _recreated(crew))
    log = ended_with(crew)
    assert "the changelog is empty, but this deployment has applied records there" in log
    assert "--rebuild" in log
    rebuilt = crew.join("--rebuild")
    await_that(lambda: rebuilt.status.get("ready", False))
    await_that(lambda: rebuilt.status["accounts"] == accounts)


def _recreated(crew: Crew) -> bool:
    try:
        ensure_topics(crew.bootstrap, PARTITIONS, app=crew.app)
    except Exception:
        return False
    return True


def test_a_damaged_changelog_is_refused(crew: Crew) -> None:
    worker = crew.join()
    await_that(crew.hold_all)
    worker.terminate()
    worker.wait(PATIENCE_S)
    producer = Producer(producer_settings(crew.bootstrap))
    producer.produce(changelog_topic(crew.app), b"\x01not json", PARTITION, partition=2)
    producer.flush(10)
    log = ended_with(crew)
    assert "partition 2: the changelog's record of the partition is damaged" in log
    assert "restore the changelog from a copy" in log
