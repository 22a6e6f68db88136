"""Rows a second into the history, beside a bare insert of the same rows by the client library."""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_connect
import numpy as np

from benchmarks.contender import ContenderFailedError
from schemas import record_codec
from schemas.block import Block
from schemas.registry import Field, record_schema
from schemas.topics import BY_NAME
from sinks.clickhouse import Delivery, table_name
from sinks.consumer import BATCH_ROWS
from sinks.door import Door
from sinks.schema import create_tables
from sinks.store import Store
from sinks.verifier import check
from sinks.writer import Writer

TOPICS = ("fills", "prices", "collateral", "margin-calls", "liquidations", "margin-state")
WAYS = ("chDB", "HTTP")
ARRAY_ITEMS = 3
START_US = 1_700_000_000_000_000
STEP_US = 1_000
"""Between two records, on average."""

Say = Callable[[str], None]


@dataclass(slots=True)
class SinkResult:
    """One table over one way in: rows a second of each run, and what a row takes on disk."""

    way: str
    table: str
    rows: int
    sink_per_s: list[float] = field(default_factory=list)
    bare_per_s: list[float] = field(default_factory=list)
    bytes_per_row: float = 0.0


def measure(seed: int, rows: int, *, runs: int, say: Say) -> list[SinkResult]:
    """Write blocks of each topic through the sink's writer, then the same rows by the client.

    Raises ContenderFailedError where the history is not whole afterwards.
    """
    results: dict[tuple[str, str], SinkResult] = {}
    for topic in TOPICS:
        say(f"sink: {rows:,} rows of {table_name(topic)}")
        blocks = list(made(seed, topic, rows))
        for way, _ in itertools.product(WAYS, range(runs)):
            result = SinkResult(way, table_name(topic), rows)
            result = results.setdefault((way, topic), result)
            with tempfile.TemporaryDirectory() as folder, _way_in(way, Path(folder)) as dsn:
                _run(dsn, blocks, result)
    return [result for chosen in WAYS for (way, _), result in results.items() if way == chosen]


@contextmanager
def _way_in(way: str, folder: Path) -> Iterator[str]:
    if way == "chDB":
        yield f"chdb://{folder / 'history'}"
        return
    with Door(str(folder / "history"), writable=True) as door:
        yield door.url


def _run(dsn: str, blocks: list[Block], result: SinkResult) -> None:
    with Store(dsn) as ours:
        create_tables(ours)
        writer, began = Writer(ours), time.perf_counter()
        for block in blocks:
            writer.take(Delivery(block, "benchmark"))
            while writer.open:
                writer.advance()
        result.sink_per_s.append(result.rows / (time.perf_counter() - began))
        result.bare_per_s.append(result.rows / _bare(dsn, result))
        result.bytes_per_row = _bytes_per_row(ours, result.table)
        if findings := check(ours):
            raise ContenderFailedError(f"the history is not whole: {findings[0]}")


def _bare(dsn: str, result: SinkResult) -> float:
    """Seconds that the client takes for the rows, as columns, in inserts of the same size."""
    seconds = 0.0
    with _plain_client(dsn) as client:
        client.command(f"CREATE TABLE bare_{result.table} AS {result.table}")
        for first in range(0, result.rows, BATCH_ROWS):
            kept = client.query(
                f"SELECT * FROM {result.table} "
                f"WHERE _offset BETWEEN {first} AND {first + BATCH_ROWS - 1}"
            )
            columns = kept.result_columns
            began = time.perf_counter()
            client.insert(
                f"bare_{result.table}", columns, column_names=kept.column_names,
                column_oriented=True, settings={"async_insert": 0},
            )  # fmt: skip
            seconds += time.perf_counter() - began
        if client.command(f"SELECT count() FROM bare_{result.table}") != result.rows:
            raise ContenderFailedError(f"the bare insert left other rows in {result.table}")
    return seconds


@contextmanager
def _plain_client(dsn: str) -> Iterator[Any]:
    embedded = dsn.startswith("chdb:")
    more = {} if embedded else {"compress": False, "autogenerate_session_id": False}
    client = clickhouse_connect.get_client(dsn=dsn, **more)
    client.database = "plimsoll"
    try:
        yield client
    finally:
        client.close()


def _bytes_per_row(store: Store, table: str) -> float:
    store.create(f"OPTIMIZE TABLE {table} FINAL")
    return float(
        store.query(
            "SELECT sum(data_compressed_bytes) / sum(rows) AS size FROM system.parts "
            "WHERE active AND database = currentDatabase() AND table = {table:String}",
            {"table": table},
        )[0]["size"]
    )


def made(seed: int, topic: str, rows: int) -> Iterator[Block]:
    """Blocks of records: amounts and prices that walk, times that go on, names that repeat."""
    rng = np.random.default_rng(seed)
    record = BY_NAME[topic].record
    fields = record_schema(record).fields
    for first in range(0, rows, BATCH_ROWS):
        n = min(BATCH_ROWS, rows - first)
        began_us = START_US + first * STEP_US
        columns = [_column(rng, one, n, began_us) for one in fields]
        values = [
            record_codec.encode(record, dict(zip((one.name for one in fields), row, strict=True)))
            for row in zip(*columns, strict=True)
        ]
        timestamps_ms = np.full(n, began_us // 1000)
        offsets = np.arange(first, first + n)
        yield Block(topic, 0, offsets, [b"key"] * n, values, timestamps_ms)


def _column(rng: np.random.Generator, one: Field, rows: int, began_us: int) -> list[Any]:
    if one.kind == "array":
        items = {f.name: _column(rng, f, rows * ARRAY_ITEMS, began_us) for f in one.items}
        flat = [
            dict(zip(items, values, strict=True)) for values in zip(*items.values(), strict=True)
        ]
        return [flat[at : at + ARRAY_ITEMS] for at in range(0, len(flat), ARRAY_ITEMS)]
    if one.kind == "long" and one.timestamp:
        values: list[Any] = (began_us + np.cumsum(rng.integers(0, 2 * STEP_US, rows))).tolist()
    elif one.kind == "long":
        values = (10**12 + 10**6 * np.cumsum(rng.integers(-50, 51, rows))).tolist()
    elif one.kind == "double":
        values = rng.normal(size=rows).tolist()
    elif one.kind == "boolean":
        values = (rng.random(rows) < 0.5).tolist()
    elif one.kind == "enum":
        values = [one.symbols[n] for n in rng.integers(0, len(one.symbols), rows)]
    elif one.kind == "bytes":
        values = [b"bytes"] * rows
    else:
        values = [f"{one.name}-{n:05d}" for n in rng.integers(0, 2_000, rows)]
    if one.nullable:
        values = [None if n else v for n, v in zip(rng.random(rows) < 0.3, values, strict=True)]
    return values
