"""A worker process on a real broker: damaged records, a clean restart, and a kill."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas.record_codec import decode, encode
from schemas.topics import BY_NAME
from streams.run.broker import EmbeddedBroker
from streams.run.children import Child
from streams.run.topics import ensure_topics
from streams.state.ledger import partition_of
from streams.transport.publisher import Publisher
from tests.streams.processors.poison import poisoned
from tests.streams.state.exchange import ASSETS, INSTRUMENTS, asset, deposit, risk_params

pytestmark = pytest.mark.embedded
PARTITIONS = 4
FILLS = 4_000
PATIENCE_S = 180.0
"""Only a failed test needs as long."""


def publish_all(bootstrap: str) -> tuple[list[Any], dict[int, set[str]]]:
    publisher = Publisher(bootstrap)

    def send(topic: str, record: dict[str, Any]) -> None:
        row = BY_NAME[topic]
        publisher.publish(topic, record[row.keyed_by], encode(row.record, record), [])

    for record in INSTRUMENTS:
        send("instruments", record)
        send("risk-params", risk_params(record["instrument_id"]))
    for one in ASSETS:
        send("assets", asset(*one))
    for number in range(50):
        send("collateral", deposit(number, f"acc-{number:05d}"))
    run, bad = poisoned(FILLS, accounts=50, seed=3)
    for key, value in run:
        publisher.publish("fills", key, value, [])  # type: ignore[arg-type]
    publisher.flush()
    return run, bad


def work(bootstrap: str, folder: Path, fills: int) -> Child:
    """A worker whose state has got over so many offsets of `fills`."""
    child = Child(
        "worker",
        ["worker", "--bootstrap", bootstrap, "--partitions", str(PARTITIONS),
         "--session-timeout-s", "4", "--web-port", "16366", "--child"],
        folder / "worker.log",
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_S
    while True:
        child.check()
        ends = child.status.get("positions", {})
        if sum(end for place, end in ends.items() if place.startswith("fills-")) >= fills:
            return child
        assert time.monotonic() < deadline, child.status
        time.sleep(0.1)


def finish(child: Child) -> dict[str, Any]:
    child.terminate()
    child.wait(PATIENCE_S)
    child.check()
    final: dict[str, Any] = child.status["final"]
    return final


def letters(bootstrap: str) -> list[dict[str, Any]]:
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "look", "enable.partition.eof": True,
    })  # fmt: skip
    consumer.assign(
        [TopicPartition("dead-letters", n, OFFSET_BEGINNING) for n in range(PARTITIONS)]
    )
    found, ends = [], 0
    while ends < PARTITIONS:
        for message in consumer.consume(500, 0.2):
            if message.error() is not None:
                ends += 1
            else:
                found.append(decode(message.value())[1])
    consumer.close()
    return found


def test_nothing_is_lost_by_damage_restart_or_kill(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, PARTITIONS)
        run, bad = publish_all(broker.bootstrap)
        first = finish(work(broker.bootstrap, tmp_path, FILLS))
        written = letters(broker.bootstrap)
        assert first["applied"]["fills"] + len(written) == FILLS
        assert first["applied"]["collateral"] == 50
        # a record of whatever partition: its place there tells which of ours it was
        places: dict[tuple[int, int], int] = {}
        counts = dict.fromkeys(range(PARTITIONS), 0)
        for place, (key, _) in enumerate(run):
            number = partition_of(key.decode(), PARTITIONS)
            places[number, counts[number]] = place
            counts[number] += 1
        for letter in written:
            place = places[letter["partition"], letter["offset"]]
            assert letter["reason"] in bad[place] | {"WRONG_KEY"}
            assert (letter["key"], letter["value"]) == run[place]

        killed = work(broker.bootstrap, tmp_path, FILLS)
        killed._process.send_signal(signal.SIGKILL)
        killed.wait(10)
        again = finish(work(broker.bootstrap, tmp_path, FILLS))
        assert again["digest"] == first["digest"]
        assert again["assets"] == first["assets"]
        assert "fills" not in again["applied"], "the changelog had it all"
        assert len(letters(broker.bootstrap)) == len(written)


def test_a_worker_refuses_topics_that_are_not_there(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        child = Child(
            "worker", ["worker", "--bootstrap", broker.bootstrap, "--child"], tmp_path / "log"
        )
        child.wait(PATIENCE_S)
        assert "topics are missing: instruments" in child.log_path.read_text()
