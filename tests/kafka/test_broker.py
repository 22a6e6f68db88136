"""The broker of the tests is a real one: it keeps, hides, fences and fails over as Kafka does."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka.broker import ApacheKafka
from tests.kafka.conftest import need_brokers

pytestmark = pytest.mark.kafka
PATIENCE_S = 90.0
"""Only a failed test needs as long."""


def make_topic(kafka: ApacheKafka, name: str, replicas: int = 1) -> str:
    """A topic of one partition; no other run has one of that name."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    config = {"min.insync.replicas": str(max(1, replicas - 1))}
    topic = NewTopic(f"{name}-{uuid4().hex}", 1, replicas, config=config)
    admin.create_topics([topic])[topic.topic].result(PATIENCE_S)
    return topic.topic


def producer(kafka: ApacheKafka, transactional_id: str = "") -> Producer:
    """A producer; fast to notice that a broker is back."""
    return Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "acks": "all",
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
            **({"transactional.id": transactional_id} if transactional_id else {}),
        }
    )


def write(source: Producer, topic: str, *values: bytes) -> None:
    """Produce, and see every value acknowledged."""
    refused: list[KafkaError] = []
    for value in values:
        source.produce(topic, value, on_delivery=lambda error, _: error and refused.append(error))
    assert source.flush(PATIENCE_S) == 0
    assert refused == []


def read(kafka: ApacheKafka, topic: str, isolation: str = "read_committed") -> list[bytes]:
    """All that a consumer sees from the beginning to the end of the topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "reader",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    seen: list[bytes] = []
    try:
        while True:
            message = consumer.poll(PATIENCE_S)
            assert message is not None, f"no end of {topic} within {PATIENCE_S} s"
            if error := message.error():
                assert error.code() == KafkaError._PARTITION_EOF, error
                return seen
            seen.append(message.value())
    finally:
        consumer.close()


def test_acknowledged_records_survive_a_kill(kafka: ApacheKafka) -> None:
    topic = make_topic(kafka, "kept")
    before = [b"%d" % i for i in range(1000)]
    write(producer(kafka), topic, *before)
    kafka.kill()
    kafka.start()
    assert read(kafka, topic) == before


def test_an_aborted_record_is_not_seen_by_who_reads_committed(kafka: ApacheKafka) -> None:
    topic = make_topic(kafka, "aborted")
    source = producer(kafka, transactional_id="aborting")
    source.init_transactions(PATIENCE_S)
    source.begin_transaction()
    write(source, topic, b"aborted")
    source.abort_transaction(PATIENCE_S)
    source.begin_transaction()
    write(source, topic, b"committed")
    source.commit_transaction(PATIENCE_S)
    assert read(kafka, topic) == [b"committed"]
    assert read(kafka, topic, "read_uncommitted") == [b"aborted", b"committed"]


def test_a_second_producer_of_the_same_name_fences_the_first(kafka: ApacheKafka) -> None:
    topic = make_topic(kafka, "fenced")
    first = producer(kafka, transactional_id="one-name")
    first.init_transactions(PATIENCE_S)
    first.begin_transaction()
    write(first, topic, b"first")
    second = producer(kafka, transactional_id="one-name")
    second.init_transactions(PATIENCE_S)
    with pytest.raises(KafkaException) as fenced:
        first.commit_transaction(PATIENCE_S)
    assert fenced.value.args[0].code() == KafkaError._FENCED
    assert fenced.value.args[0].fatal()
    second.begin_transaction()
    write(second, topic, b"second")
    second.commit_transaction(PATIENCE_S)
    assert read(kafka, topic) == [b"second"]


def test_a_paused_broker_answers_when_it_is_resumed(kafka: ApacheKafka) -> None:
    topic = make_topic(kafka, "paused")
    source = producer(kafka)
    write(source, topic, b"before")
    kafka.pause()
    source.produce(topic, b"during")
    assert source.flush(1.0) == 1
    kafka.resume()
    assert source.flush(PATIENCE_S) == 0
    assert read(kafka, topic) == [b"before", b"during"]


def test_two_of_three_brokers_go_on_accepting_writes(three_brokers: ApacheKafka) -> None:
    topic = make_topic(three_brokers, "replicated", replicas=3)
    source = producer(three_brokers)
    write(source, topic, b"before")
    three_brokers.kill(source.list_topics(topic).topics[topic].partitions[0].leader)
    write(source, topic, b"after")
    assert read(three_brokers, topic) == [b"before", b"after"]


def test_the_brokers_go_when_their_owner_is_killed(tmp_path: Path) -> None:
    need_brokers()
    owner = subprocess.Popen(
        [sys.executable, "-m", "tests.kafka.broker", "--brokers", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with owner:
        assert owner.stdout is not None
        address = owner.stdout.readline().split()[1]
        pid = int(owner.stdout.readline().split()[-1])
        os.kill(pid, signal.SIGSTOP)
        owner.kill()
    host, port = address.split(":")
    deadline = time.monotonic() + PATIENCE_S
    while any(tmp_path.iterdir()):
        assert time.monotonic() < deadline, f"{[*tmp_path.iterdir()]} is still there"
        time.sleep(0.05)
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0, f"broker {pid} still listens"
