"""What the sink does to its consumer group: paused, committed, held against its topics."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from sinks import consumer, patience
from sinks.broker import settings_of
from sinks.door import Door
from sinks.recount import recount
from sinks.store import Store
from sinks.verifier import check
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from tests.contracts.fault_proxy import FaultProxy
from tests.sinks.carrying import (
    PARTITIONS,
    PATIENCE_S,
    QUICK,
    Running,
    all_offsets,
    carry,
    encoded,
    offsets,
    produce,
)

pytestmark = pytest.mark.embedded


@pytest.fixture
def proxy(server: Door) -> Iterator[FaultProxy]:
    opened = FaultProxy(server.url)
    yield opened
    opened.close()


def committed(broker: EmbeddedBroker, topic: str) -> list[int]:
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "history"})
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    result = [one.offset for one in reader.committed(partitions, PATIENCE_S)]
    reader.close()
    return result


def test_a_busy_table_pauses_its_partitions_and_the_group_lives(
    broker: EmbeddedBroker, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is busy for longer than a session of the group lasts."""
    ensure_topics(broker.bootstrap, PARTITIONS)
    monkeypatch.setattr(patience, "LONGEST_WAIT_S", 0.4)
    busy_enough, free = threading.Event(), threading.Event()
    attempts = 0
    begun: list[int] = []
    start_over = consumer._Sink._start_over

    def counted(self: Any, partitions: list[TopicPartition]) -> None:
        begun.append(len(partitions))
        start_over(self, partitions)

    def fault(table: str) -> str | None:
        nonlocal attempts
        if table != "fills" or free.is_set():
            return None
        attempts += 1
        if attempts > 16:
            busy_enough.set()
        return "code 252"

    monkeypatch.setattr(consumer._Sink, "_start_over", counted)
    proxy.fault = fault
    with Running(broker, proxy.dsn) as sink:
        produce(broker.bootstrap, "fills", encoded("fill", 10))
        produce(broker.bootstrap, "orders", encoded("order", 10))
        sink.await_rows("orders", 10)
        assert busy_enough.wait(PATIENCE_S)
        produce(broker.bootstrap, "orders", encoded("order", 10))
        sink.await_rows("orders", 20)
        assert "fills" not in sink.rows
        assert committed(broker, "orders") == [10, 10]
        assert max(committed(broker, "fills")) < 0
        assert len(begun) == 1, "it was assigned its partitions once"
        free.set()
        sink.await_rows("fills", 10)
    assert committed(broker, "fills") == [5, 5]
    with Store(proxy.dsn) as store:
        assert offsets(store, "fills") == all_offsets(10)
        assert check(store) == []


def test_the_history_is_held_against_the_topics(broker: EmbeddedBroker, dsn: str) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    settings = settings_of(broker.bootstrap, "history", QUICK)
    for count in (20, 10):
        produce(broker.bootstrap, "fills", encoded("fill", count))
        carry(broker, dsn)
    produce(broker.bootstrap, "fills", encoded("fill", 8))
    with Store(dsn) as store:
        whole = recount(store, settings)
        assert whole.findings == []
        assert 0 < whole.behind <= 8, "the embedded broker understates the ends"
        store.create("DELETE FROM ingest_blocks WHERE partition = 0 AND first_offset = 0")
        store.create(
            "ALTER TABLE ingest_blocks UPDATE rows = 9 WHERE partition = 1 AND first_offset = 0 "
            "SETTINGS mutations_sync = 1"
        )
        assert [str(finding) for finding in recount(store, settings).findings] == [
            "fills/0 0-9: 10 records of the topic are in no block",
            "fills/1 0-9: 9 records are stored, the topic has 10",
        ]
