"""A contender: a Bytewax dataflow with its state, which is snapshots in SQLite, and a changelog."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.contender import Stopwatch, settings_of_this_process, tell
from benchmarks.peers.job import FLAT, PACKED, Held, booked, decoded, place_of

EPOCH_S = 1.0
"""Its default is 10 s: of a short run, all would be in one snapshot."""

Keyed = tuple[str, dict[str, Any]]


def main() -> None:
    """To the end of the topic; the run returns when the last snapshot is written."""
    given = settings_of_this_process()
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="bytewax-") as folder:
        init_db_dir(Path(folder), 1)
        cli_main(
            _flow(given, stopwatch),
            epoch_interval=timedelta(seconds=EPOCH_S),
            recovery_config=RecoveryConfig(folder),
        )
        stopwatch.applied()
    tell(stopwatch, given["fills"])


def _flow(given: dict[str, Any], stopwatch: Stopwatch) -> Dataflow:
    instruments = frozenset(given["instruments"])
    brokers = given["bootstrap"].split(",")

    def keyed(message: KafkaSourceMessage) -> Keyed:
        stopwatch.begin()
        fill = decoded(message.key, message.value, instruments)
        return place_of(fill), fill

    def step(held: Held | None, fill: dict[str, Any]) -> tuple[Held, Held]:
        new = booked(held or FLAT, fill)
        return new, new

    def record(changed: tuple[str, Held]) -> KafkaSinkMessage:
        place, held = changed
        return KafkaSinkMessage(place.encode(), PACKED.pack(*held))

    flow = Dataflow("fills")
    fills = op.input("fills", flow, KafkaSource(brokers, [given["topic"]], tail=False))
    book = op.stateful_map("book", op.map("decode", fills, keyed), step)
    settings = {"partitioner": "murmur2_random", "compression.type": "lz4"}
    sink = KafkaSink(brokers, given["changelog"], settings)
    op.output("changelog", op.map("record", book, record), sink)
    return flow


if __name__ == "__main__":
    main()
