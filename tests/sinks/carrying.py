"""Records onto a broker, and the sink run until it has carried them."""

import threading
from typing import Any, Protocol

from confluent_kafka import Producer

from schemas import record_codec
from schemas.topics import BY_NAME
from sinks import consumer
from sinks.store import Store
from tests.sinks.samples import edge_records

PARTITIONS = 2
QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "300"}
"""The embedded broker holds a joining group for half of its session."""
PATIENCE_S = 180.0
"""Only a failed test needs as long."""


class Broker(Protocol):
    """Whatever can be reached."""

    bootstrap: str


def produce(bootstrap: str, topic: str, values: list[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for place, value in enumerate(values):
        producer.produce(topic, value, key=b"key", partition=place % partitions_of(topic))
    assert producer.flush(10) == 0


def partitions_of(topic: str) -> int:
    return 1 if BY_NAME[topic].sharing == "broadcast" else PARTITIONS


def encoded(record: str, count: int) -> list[bytes | None]:
    return [record_codec.encode(record, values) for values in edge_records(record, count)]


def carry(broker: Broker, dsn: str, **settings: Any) -> dict[str, int]:
    """Run the sink until what the topics hold now is stored."""
    stop = threading.Event()
    stop.set()
    return consumer.run(
        bootstrap=broker.bootstrap, dsn=dsn, group="history", stop=stop, drain_s=20.0,
        security=QUICK, **settings,
    )  # fmt: skip


def offsets(store: Store, table: str) -> list[tuple[int, int]]:
    rows = store.query(f"SELECT _partition, _offset FROM {table} ORDER BY _partition, _offset")
    return [(row["_partition"], row["_offset"]) for row in rows]


def all_offsets(count: int) -> list[tuple[int, int]]:
    return [(p, n) for p in range(PARTITIONS) for n in range(count // PARTITIONS)]


class Running:
    """The sink in a thread; `await_rows` waits until a table has had so many."""

    def __init__(self, broker: Broker, dsn: str) -> None:
        self.rows: dict[str, int] = {}
        self._stop, self._news = threading.Event(), threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(broker, dsn), daemon=True)

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    def _run(self, broker: Broker, dsn: str) -> None:
        consumer.run(
            bootstrap=broker.bootstrap, dsn=dsn, group="history", stop=self._stop, drain_s=20.0,
            security=QUICK, report=self._report,
        )  # fmt: skip

    def _report(self, table: str, rows: int) -> None:
        with self._news:
            self.rows[table] = self.rows.get(table, 0) + rows
            self._news.notify_all()

    def await_rows(self, table: str, rows: int) -> None:
        with self._news:
            there = self._news.wait_for(lambda: self.rows.get(table, 0) >= rows, PATIENCE_S)
            assert there, self.rows
