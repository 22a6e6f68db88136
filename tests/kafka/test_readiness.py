"""When a worker says that it decides: as soon as it may, whatever else is coming."""

import os
import signal
import threading
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.record_codec import encode
from streams.run.topics import ensure_topics
from streams.transport.publisher import Publisher, producer_settings
from tests.kafka.broker import ApacheKafka
from tests.kafka.test_membership import PARTITIONS, Crew, await_that
from tests.streams.state.exchange import ASSETS, asset, deposit

pytestmark = pytest.mark.kafka


def abort_everywhere(bootstrap: str, topic: str) -> None:
    """Each partition of `topic` ends in records that nobody sees, and the marker that says so."""
    producer = Producer({**producer_settings(bootstrap), "transactional.id": f"abort-{topic}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(topic, b"never", partition=partition)
    producer.flush(10)
    producer.abort_transaction(30)


def pay_on(bootstrap: str, enough: threading.Event) -> None:
    """Deposits every moment, to every partition, until it is enough."""
    publisher = Publisher(bootstrap)
    for one in ASSETS:
        publisher.publish("assets", one[0], encode("asset", asset(*one)))
    while not enough.wait(0.05):
        for number in range(50):
            name = f"acc-{number:05d}"
            record = deposit(0, name) | {"collateral_id": uuid.uuid4().hex}
            publisher.publish("collateral", name, encode("collateral", record))
        publisher.flush()


def test_a_survivor_gets_ready_though_an_input_ends_in_markers_and_others_go_on(
    kafka: ApacheKafka, tmp_path: Path
) -> None:
    ensure_topics(kafka.bootstrap, PARTITIONS)
    abort_everywhere(kafka.bootstrap, "transfers")
    crew, enough = Crew(kafka.bootstrap, tmp_path), threading.Event()
    payer = threading.Thread(target=pay_on, args=(kafka.bootstrap, enough))
    payer.start()
    try:
        first, second = crew.join(), crew.join()
        await_that(lambda: crew.hold_all() and len(first.status.get("held", [])) == 2)
        applied = second.status.get("applied", {}).get("collateral", 0)
        await_that(lambda: second.status.get("applied", {}).get("collateral", 0) > applied)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(5)
        await_that(crew.hold_all)
        assert len(second.status["held"]) == PARTITIONS
    finally:
        enough.set()
        payer.join()
        crew.end()


def test_a_worker_that_is_stopped_while_its_broker_is_gone_ends(tmp_path: Path) -> None:
    """Its clients would wait for the broker for a minute, or without end."""
    with ApacheKafka() as cluster:
        crew = Crew(cluster.bootstrap, tmp_path)
        try:
            worker = crew.join()
            await_that(crew.hold_all)
            cluster.kill()
            os.kill(worker.pid, signal.SIGTERM)
            await_that(lambda: not worker.running, 45)
            assert worker._process.returncode == 0
        finally:
            crew.end()
