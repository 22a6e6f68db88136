"""The command that draws the liquidation map of an instrument, as its topic tells it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click
import numpy as np

from schemas.units import E8, Int64s, e8

TOPIC = "liquidation-map"
FRESH_US = 120_000_000
"""A part comes again after a minute: what is older than two nobody answers for any more."""
SEARCHED_MS = 600_000
BAR = 30
DRAWN_PPM = 10_000
POLL_S = 0.2
TIMEOUT_S = 30.0

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Total:
    """The newest parts of an instrument, added up; arrays [S]."""

    time_us: int
    mark_e8: int
    partitions: int
    unmapped_e8: tuple[int, int]
    shocks_ppm: Int64s
    long_e8: Int64s
    short_e8: Int64s


def total(records: Iterable[Record], instrument_id: str) -> Total | None:
    """The newest part of every partition within two minutes of the newest of all; None: no part.

    `records` are in the order of their topic's partition.
    """
    newest: dict[int, Record] = {}
    clock_us = 0
    for one in records:
        clock_us = max(clock_us, one["event_time"])
        if one["instrument_id"] == instrument_id:
            newest[one["partition"]] = one
    parts = [one for one in newest.values() if clock_us - one["event_time"] < FRESH_US]
    if not parts:
        return None
    last = max(parts, key=lambda one: one["event_time"])
    return Total(
        last["event_time"],
        last["mark_e8"],
        len(parts),
        (sum(p["unmapped_long_e8"] for p in parts), sum(p["unmapped_short_e8"] for p in parts)),
        np.array([step["shock_ppm"] for step in last["steps"]], np.int64),
        _side(parts, "long_e8"),
        _side(parts, "short_e8"),
    )


def _side(parts: Iterable[Record], field: str) -> Int64s:
    sums: Int64s = np.array([[s[field] for s in part["steps"]] for part in parts]).sum(axis=0)
    return sums


@click.command("map")
@click.argument("instrument")
@click.option("--bootstrap", required=True, help="Kafka bootstrap addresses.")
@click.option(
    "--depth", help="What the book takes within 1% of the mark, for the cascade; such as 2500000."
)
def liquidation_map(instrument: str, bootstrap: str, depth: str | None) -> None:
    """Show what would be liquidated at each price of INSTRUMENT, and how far that carries it."""
    from confluent_kafka import KafkaException
    from rich.console import Console

    try:
        depth_e8 = None if depth is None else e8(depth)
        if depth_e8 is not None and depth_e8 <= 0:
            raise ValueError(f"a depth of {depth} is not positive")
        found = total(read(bootstrap), instrument)
    except (ValueError, OverflowError, KafkaException) as error:
        raise click.ClickException(str(error)) from error
    if found is None:
        raise click.ClickException(f"nothing is told of {instrument} on {TOPIC} in ten minutes")
    for block in drawn(instrument, found, depth_e8):
        Console().print(block)


def drawn(instrument: str, found: Total, depth_e8: int | None) -> list[Any]:
    """Heading and table; a row a percent, with the cascade where a depth is given."""
    from rich.table import Table
    from rich.text import Text

    from risk.liquidation.liquidation_map import cascade

    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(found.time_us / 1e6))
    mark = Decimal(found.mark_e8) / E8
    head = f"{instrument}  mark {mark.normalize():,f}  {moment} UTC  {found.partitions} partitions"
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for name in ("move", "price", "longs", "shorts"):
        table.add_column(name, justify="right")
    table.add_column("")
    ends = None
    if depth_e8 is not None:
        made = cascade(found.long_e8, found.short_e8, depth_e8, shocks_ppm=found.shocks_ppm)
        ends = made.end_ppm, made.long_e8 + made.short_e8
        table.add_column("ends at", justify="right")
        table.add_column("liquidated", justify="right")
    most = max(int((found.long_e8 + found.short_e8).max()), 1)
    for place in np.flatnonzero(found.shocks_ppm % DRAWN_PPM == 0)[::-1].tolist():
        shock, long, short = (
            int(column[place]) for column in (found.shocks_ppm, found.long_e8, found.short_e8)
        )
        bar = Text.assemble(
            ("█" * -(-long * BAR // most), "red"), ("█" * -(-short * BAR // most), "green")
        )
        row: list[Any] = [_percent(shock), f"{float(mark) * (1 + shock / 1e6):,.6g}", _money(long)]
        row += [_money(short), bar]
        if ends is not None:
            row += [_percent(int(ends[0][place])), _money(int(ends[1][place]))]
        table.add_row(*row)
    blocks: list[Any] = [Text(head, "bold"), table]
    if any(found.unmapped_e8):
        long, short = found.unmapped_e8
        said = f"not in it: portfolios and buckets with options, {_money(long)} long, "
        blocks.append(Text(f"{said}{_money(short)} short", "dim"))
    return blocks


def read(bootstrap: str) -> list[Record]:
    """What was published in the last ten minutes; ValueError where the topic is missing."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
    from confluent_kafka import TopicPartition as Place

    from schemas.record_codec import decode
    from streams.base.patience import patiently

    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "plimsoll-map", "enable.auto.commit": False,
        "enable.partition.eof": True, "isolation.level": "read_committed", "log_level": 0,
    })  # fmt: skip
    try:
        listed = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC]
        if listed.error is not None:
            raise ValueError(f"topic {TOPIC}: {listed.error.str()}")
        since_ms = round(time.time() * 1_000) - SEARCHED_MS
        places = [Place(TOPIC, number, since_ms) for number in listed.partitions]
        found = patiently(lambda: consumer.offsets_for_times(places, timeout=10))
        for place in found:
            if place.error is not None:  # a broker that cannot say it is read from the start
                place.offset = OFFSET_BEGINNING
        consumer.assign(found)
        left, records, deadline = set(listed.partitions), [], time.monotonic() + TIMEOUT_S
        while left and time.monotonic() < deadline:
            for message in consumer.consume(1_000, POLL_S):
                error, value = message.error(), message.value()
                if error is None and value is not None:
                    records.append(decode(value)[1])
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                elif error is not None and not error.retriable():
                    raise KafkaException(error)
        return records
    finally:
        consumer.close()


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:+.1f}%" if abs(ppm) >= 500 else "0"


def _money(amount_e8: int) -> str:
    return f"{amount_e8 / E8:,.0f}" if amount_e8 else ""
