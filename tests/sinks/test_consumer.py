"""From the broker into the store: every record once, whatever happens between."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from schemas.topics import TOPICS
from sinks import consumer, patience, writer
from sinks.clickhouse import deliver, table_name
from sinks.store import Store, StoreBusyError
from sinks.verifier import check
from sinks.watermarks import Watermarks
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from tests.sinks.carrying import (
    PARTITIONS,
    QUICK,
    all_offsets,
    carry,
    encoded,
    offsets,
    partitions_of,
    produce,
)
from tests.sinks.samples import edge_records, stored_records

pytestmark = pytest.mark.embedded


def test_every_topic_arrives_and_nothing_twice(broker: EmbeddedBroker, dsn: str) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    for topic in TOPICS:
        produce(broker.bootstrap, topic.name, encoded(topic.record, 6))
    produce(broker.bootstrap, "prices", [b"\x01no price", None])
    reported: list[tuple[str, int]] = []
    rows = carry(broker, dsn, report=lambda table, n: reported.append((table, n)))
    expected = {table_name(topic.name): 6 for topic in TOPICS} | {"sink_refused": 2}
    assert rows == expected
    assert sum(n for _, n in reported) == sum(expected.values())
    assert carry(broker, dsn) == {}
    with Store(dsn) as store:
        for topic in TOPICS:
            records = edge_records(topic.record, 6)
            by_partition = [
                r
                for p in range(partitions_of(topic.name))
                for r in records[p :: partitions_of(topic.name)]
            ]
            assert stored_records(store, table_name(topic.name), topic.record) == by_partition
        refused = store.query("SELECT topic, offset FROM sink_refused ORDER BY offset")
        assert [tuple(row.values()) for row in refused] == [("prices", 6), ("prices", 7)]
        assert check(store) == []


def test_an_end_that_the_broker_does_not_tell_is_asked_for_again(
    broker: EmbeddedBroker, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As right after topics were made: what has no known end would count as read to its end."""
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 10))
    ask, told = consumer.end_offsets, list[dict[tuple[str, int], int]]()

    def silent_at_first(*asked: Any) -> dict[tuple[str, int], int]:
        told.append(ask(*asked) if told else {})
        return told[-1]

    monkeypatch.setattr(consumer, "end_offsets", silent_at_first)
    assert carry(broker, dsn) == {"fills": 10}
    assert len(told) == 2
    assert ("fills", 0) in told[-1]


def test_it_goes_on_while_running_and_drains_at_the_stop(broker: EmbeddedBroker, dsn: str) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 10))
    stop, first = threading.Event(), threading.Event()
    rows: dict[str, int] = {}

    def work() -> None:
        rows.update(
            consumer.run(
                bootstrap=broker.bootstrap, dsn=dsn, group="history", stop=stop, drain_s=20.0,
                security=QUICK, report=lambda *_: first.set(),
            )
        )  # fmt: skip

    thread = threading.Thread(target=work)
    thread.start()
    assert first.wait(30)
    produce(broker.bootstrap, "fills", encoded("fill", 100))
    stop.set()
    thread.join(30)
    assert rows == {"fills": 110}


def failing_once(call: Callable[..., Any], *, before: bool, error: Exception) -> Callable[..., Any]:
    failed = False

    def wrapped(*arguments: Any) -> Any:
        nonlocal failed
        if before and not failed:
            failed = True
            raise error
        result = call(*arguments)
        if not failed:
            failed = True
            raise error
        return result

    return wrapped


@pytest.mark.parametrize("before", [True, False], ids=["before the insert", "after the insert"])
def test_a_crash_around_an_insert_repeats_exactly_that_block(
    broker: EmbeddedBroker, dsn: str, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    with monkeypatch.context() as patch:
        crash = failing_once(deliver, before=before, error=RuntimeError("power cut"))
        patch.setattr(writer, "deliver", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            carry(broker, dsn)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    carry(broker, dsn)
    with Store(dsn) as store:
        assert offsets(store, "fills") == all_offsets(40)
        assert check(store) == []


def test_a_crash_after_the_rows_and_before_the_record_of_it(
    broker: EmbeddedBroker, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    with monkeypatch.context() as patch:
        crash = failing_once(Watermarks.stored, before=True, error=RuntimeError("power cut"))
        patch.setattr(Watermarks, "stored", crash)
        with pytest.raises(RuntimeError, match="power cut"):
            carry(broker, dsn)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    carry(broker, dsn)
    with Store(dsn) as store:
        assert offsets(store, "fills") == all_offsets(40)
        assert check(store) == []


@pytest.mark.parametrize("before", [True, False], ids=["refused", "answer lost"])
def test_a_busy_store_is_waited_for(
    broker: EmbeddedBroker, dsn: str, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    busy = failing_once(deliver, before=before, error=StoreBusyError("later"))
    monkeypatch.setattr(writer, "deliver", busy)
    assert carry(broker, dsn) == {"fills": 20}
    with Store(dsn) as store:
        assert offsets(store, "fills") == all_offsets(20)


def test_a_store_that_stays_busy_does_not_hold_up_the_stop_and_nothing_is_lost(
    broker: EmbeddedBroker, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    stop = threading.Event()
    stop.set()

    def busy(*_: Any) -> int:
        raise StoreBusyError("always")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "deliver", busy)
        patch.setattr(patience, "LONGEST_WAIT_S", 0.5)
        rows = consumer.run(
            bootstrap=broker.bootstrap,
            dsn=dsn,
            group="history",
            stop=stop,
            drain_s=6.0,
            security=QUICK,
        )
    assert rows == {}
    assert carry(broker, dsn) == {"fills": 20}


def test_a_broker_that_forgot_everything_starts_a_new_history_beside_the_old(dsn: str) -> None:
    for _ in range(2):
        with EmbeddedBroker() as broker:
            ensure_topics(broker.bootstrap, PARTITIONS)
            produce(broker.bootstrap, "fills", encoded("fill", 20))
            assert carry(broker, dsn) == {"fills": 20}
    with Store(dsn) as store:
        assert sorted(offsets(store, "fills")) == sorted(all_offsets(20) * 2)
        assert check(store) == []
