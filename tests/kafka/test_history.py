"""The history of a real Kafka: topics made again, and transactions that were aborted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from sinks.broker import settings_of
from sinks.recount import recount
from sinks.store import Store
from sinks.verifier import check
from streams.run.topics import ensure_topics
from tests.kafka.broker import ApacheKafka
from tests.kafka.conftest import need_brokers
from tests.sinks.carrying import (
    PARTITIONS,
    QUICK,
    Running,
    all_offsets,
    carry,
    encoded,
    offsets,
    produce,
)

pytestmark = [pytest.mark.kafka, pytest.mark.embedded]


@pytest.fixture
def broker() -> Iterator[ApacheKafka]:
    """One of its own: the sink reads all topics, whoever wrote into them."""
    need_brokers()
    with ApacheKafka() as running:
        ensure_topics(running.bootstrap, PARTITIONS)
        yield running


def test_a_topic_made_again_under_the_sink_is_read_from_its_start(
    broker: ApacheKafka, tmp_path: Path
) -> None:
    """Once with more records than the sink had read of the one before, once with fewer."""
    dsn, made = f"chdb://{tmp_path / 'history'}", [20, 30, 6]
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    with Running(broker, dsn) as sink:
        for turn, count in enumerate(made):
            if turn:
                admin.delete_topics(["fills"])["fills"].result(30)
                ensure_topics(broker.bootstrap, PARTITIONS)
            produce(broker.bootstrap, "fills", encoded("fill", count))
            sink.await_rows("fills", sum(made[: turn + 1]))
    with Store(dsn) as store:
        expected = sorted(place for count in made for place in all_offsets(count))
        assert offsets(store, "fills") == expected
        assert check(store) == []
        assert recount(store, settings_of(broker.bootstrap, "history", QUICK)).findings == []


def test_aborted_records_are_no_history_and_their_gaps_no_fault(
    broker: ApacheKafka, tmp_path: Path
) -> None:
    dsn = f"chdb://{tmp_path / 'history'}"
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "history"})
    producer.init_transactions(30)
    for turn in range(6):
        producer.begin_transaction()
        for value in encoded("fill", 5):
            producer.produce("fills", value, partition=0)
        (producer.abort_transaction if turn % 3 == 1 else producer.commit_transaction)(30)
        if turn % 2:
            carry(broker, dsn)
    with Store(dsn) as store:
        assert len(offsets(store, "fills")) == 20
        assert check(store) == []
        recounted = recount(store, settings_of(broker.bootstrap, "history", QUICK))
        assert recounted.findings == []
