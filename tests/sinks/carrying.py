"""Records onto a broker, and the sink run until it has carried them."""

import threading
from typing import Any

from confluent_kafka import Producer

from schemas import record_codec
from schemas.topics import BY_NAME
from sinks import consumer
from sinks.store import Store
from streams.run.broker import EmbeddedBroker
from tests.sinks.samples import edge_records

PARTITIONS = 2
QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "300"}
"""The embedded broker holds a joining group for half of its session."""


def produce(bootstrap: str, topic: str, values: list[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for place, value in enumerate(values):
        producer.produce(topic, value, key=b"key", partition=place % partitions_of(topic))
    assert producer.flush(10) == 0


def partitions_of(topic: str) -> int:
    return 1 if BY_NAME[topic].sharing == "broadcast" else PARTITIONS


def encoded(record: str, count: int) -> list[bytes | None]:
    return [record_codec.encode(record, values) for values in edge_records(record, count)]


def carry(broker: EmbeddedBroker, dsn: str, **settings: Any) -> dict[str, int]:
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
