"""The results as tables: on the terminal, and as a page that says how they came about."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cascade import CascadeRun
from benchmarks.contender import Timing
from benchmarks.failover import FailoverResult
from benchmarks.fills import FillsResult
from benchmarks.guarantee import GuaranteeResult
from benchmarks.kernels.table import KernelResults, kernel_rows
from benchmarks.latency import LatencyRun
from benchmarks.machine import machine, versions
from benchmarks.memory import MemoryResult
from benchmarks.peers import installed
from benchmarks.peers.contest import Contest
from benchmarks.peers.picture import drawn
from benchmarks.peers.table import SIDE_BY_SIDE, on_terminal, section
from benchmarks.recovery import RecoveryResult
from benchmarks.scaling import SCALING, ScalingResult, scaling_rows
from benchmarks.sink import SinkResult

MIB = 2**20
DEFINITIONS = """\
- Everything runs on one machine: the broker (tansu, embedded, in memory, but for recovery and
  guarantee: there one Apache Kafka, in Java, on disk), the contender, the probe.
- Fills a second: all fills are on the topic beforehand (Avro, 8 partitions, keyed by account, an
  account's activity falling with its rank). The clock runs from when the first fill is taken in
  hand until the last one is committed, of a dict applied; "with start-up" it begins before the
  process is started, with imports and the joining of the consumer group.
- The worker's rate is of its catch-up at a start: it decodes, checks, books and acknowledges, but
  decides nothing before it has caught up.
- Plain Faust is an ordinary agent with one event a record: fastavro, a few checks, position and
  cash by account and instrument, in a Faust table (`memory://` and its changelog on the broker) or
  in a plain dict. It reads the first fortieth of the same fills from a topic of its own, as it
  would need minutes for all; its rate is taken to be the same for more.
- A number counts only if the final state was right: the worker's digest of its whole book, and
  each position and cash amount of plain Faust, equal those of plain Python integers.
- Price to liquidation: every account holds 3 to 12 of 12 instruments, 200 ticks/s over them in
  turn fall by 2 % in 25 s, and an exchange fills every order at its limit. The clock runs from the
  moment a tick is handed to its producer (also its Kafka timestamp) until a consumer receives the
  orders that it caused: `plimsoll-source` names the tick, here the second one below maintenance.
  Counted are the first orders of each episode, CANCEL_ORDERS and the first REDUCE.
- Cascade: the same while two fifths of the accounts break within one second, with books so thin
  that orders must wait: a run counts only if in no second of event time an instrument's orders of
  one side ask for more than the cap of the settings, but for one lot.
- Memory: resident set of the worker process, at its peak (when the margin states of all accounts
  are published at once) and while prices tick on; its book is compared like that of the fills.
- Kernels: the arrays are in memory and warm, rows ascend by bucket, results are checked first. A
  plain read is numpy's sum of every column of the same arrays in the same run.
- Sink: blocks of at most 50,000 records in memory, through every step of the sink but Kafka's: Avro
  decoded, intent, insert, record of it; HTTP is the port of `plimsoll up`, opened for writing, in
  front of chDB in the same process. The bare insert is clickhouse-connect's `insert` of the same
  rows as columns, in the same run, into a table of the same kind, without a token; reading them
  back is not counted. Values are made: amounts walk, times go on, 2,000 names repeat, arrays have
  three elements.
- Recovery: the changelog, written by the worker's own code, holds every account once, as after
  compaction (two or three positions, one or two balances), and the ids of the fills, in 8
  partitions. A new process reads it plainly, consume(10000) to its end, the records thrown away,
  then takes all partitions over: opens their journals, reads, checks, rebuilds. "Warm" has followed
  the changelog before its clock starts. A run counts only if a checksum of whose balances and
  positions are where equals that of the book that was written.
- Guarantee: the fills, on Apache Kafka, with `transactions` on and off, both on one set of topics;
  the clock stops when the last commit is acknowledged. A commit is that of one partition's turn,
  its changelog records and outputs, up to 8 at the same time; its time is that of the call.
- Failover: two idle workers on Apache Kafka, 8 partitions; from the SIGKILL of one until the other
  holds all partitions and decides for them.
"""

TABLE_WIDTH = 120
PICTURE = "peers.svg"
"""Beside the page."""

Row = tuple[str, str, str, str]
HEAD: Row = ("what", "median", "min to max", "of")


@dataclass(frozen=True, slots=True)
class Results:
    """What was measured, None or nothing where it was not; `latency` has the runs of each load."""

    fills: FillsResult | None = None
    peers: Sequence[Contest] = ()
    latency: Sequence[list[LatencyRun]] = ()
    cascade: Sequence[CascadeRun] = ()
    memory: MemoryResult | None = None
    kernels: KernelResults | None = None
    sink: Sequence[SinkResult] = ()
    recovery: Sequence[RecoveryResult] = ()
    guarantee: GuaranteeResult | None = None
    failover: FailoverResult | None = None
    scaling: ScalingResult | None = None


def rows(results: Results) -> list[Row]:
    """The table, without its head."""
    table = _fills_rows(results.fills) if results.fills else []
    for runs in results.latency:
        table.extend(_latency_rows("price to liquidation", runs))
    if results.cascade:
        table.extend(_cascade_rows(results.cascade))
    if results.memory:
        table.extend(_memory_rows(results.memory))
    if results.kernels:
        table.extend(kernel_rows(results.kernels))
    table.extend(_sink_rows(results.sink))
    for result in results.recovery:
        table.extend(_recovery_rows(result))
    if results.guarantee:
        table.extend(_guarantee_rows(results.guarantee))
    if results.failover:
        table.extend(_failover_rows(results.failover))
    if results.scaling:
        table.extend(scaling_rows(results.scaling))
    return table


def _fills_rows(fills: FillsResult) -> list[Row]:
    table = [
        *_rate_rows("worker", fills.ours),
        *_rate_rows("plain Faust, table", fills.table),
        *_rate_rows("plain Faust, dict", fills.plain_dict),
    ]
    ours = statistics.median(timing.per_s for timing in fills.ours)
    for name, timings in (("table", fills.table), ("dict", fills.plain_dict)):
        factor = ours / statistics.median(timing.per_s for timing in timings)
        table.append((f"worker over plain Faust, {name}", f"{factor:.1f} x", "", "medians"))
    return table


def _rate_rows(name: str, timings: Sequence[Timing]) -> list[Row]:
    of = f"{timings[0].fills:,} fills"
    return [
        _row(f"fills/s, {name}", [timing.per_s for timing in timings], "{:,.0f}", of),
        _row(
            f"fills/s, {name}, with start-up",
            [timing.per_s_with_start for timing in timings],
            "{:,.0f}",
            of,
        ),
    ]


def _cascade_rows(runs: Sequence[CascadeRun]) -> list[Row]:
    full = statistics.median(run.full for run in runs)
    return [
        *_latency_rows("cascade, price to liquidation", [run.latency for run in runs]),
        ("cascade, windows beyond their cap", "0", "", f"{full:,.0f} windows full"),
    ]


def _latency_rows(name: str, runs: Sequence[LatencyRun]) -> list[Row]:
    first = runs[0]
    orders = statistics.median(run.orders for run in runs)
    of = f"{orders:,.0f} orders, {first.liquidated:,} of {first.accounts:,} accounts"
    columns: list[tuple[str, Callable[[LatencyRun], float]]] = [
        ("p50", lambda run: run.p50_ms),
        ("p99", lambda run: run.p99_ms),
        ("max", lambda run: run.max_ms),
    ]
    return [
        _row(f"{name}, {quantile}", [value(run) for run in runs], "{:,.0f} ms", of)
        for quantile, value in columns
    ]


def _memory_rows(memory: MemoryResult) -> list[Row]:
    load = f"{memory.accounts:,} accounts, {memory.positions:,} positions"
    return [
        (f"memory of the worker, {name}", f"{size / MIB:,.0f} MiB", "", load)
        for name, size in (("peak", memory.peak_bytes), ("steady", memory.steady_bytes))
    ]


def _sink_rows(results: Sequence[SinkResult]) -> list[Row]:
    table = []
    for one in results:
        of, name = f"{one.rows:,} rows", f"{one.table}, {one.way}"
        ours, bare = statistics.median(one.sink_per_s), statistics.median(one.bare_per_s)
        table += [
            _row(f"rows/s, sink, {name}", one.sink_per_s, "{:,.0f}", of),
            _row(f"rows/s, bare insert, {name}", one.bare_per_s, "{:,.0f}", of),
            (f"sink over bare insert, {name}", f"{ours / bare:.2f} x", "", "medians"),
        ]
    table += [
        (f"bytes a row, {one.table}", f"{one.bytes_per_row:.1f}", "", f"{one.rows:,} rows")
        for one in results
        if one.way == results[0].way
    ]
    return table


def _recovery_rows(result: RecoveryResult) -> list[Row]:
    cold, warm = result.cold, result.warm
    of = f"{result.accounts:,} accounts, {cold[0].records:,} records"
    of += f", {cold[0].bytes / MIB:,.0f} MiB"
    ratios = [run.recovery_s / run.plain_s for run in cold]
    peaks = [run.peak_bytes / MIB for run in cold]
    return [
        _row("changelog, plain read", [run.plain_s for run in cold + warm], "{:.1f} s", of),
        _row("records/s, plain read", [r.records / r.plain_s for r in cold + warm], "{:,.0f}", of),
        _row("recovery", [run.recovery_s for run in cold], "{:.1f} s", of),
        _row("records/s, recovery", [r.records / r.recovery_s for r in cold], "{:,.0f}", of),
        _row("recovery over plain read", ratios, "{:.1f} x", of),
        _row("recovery, warm", [run.recovery_s for run in warm], "{:.1f} s", of),
        _row("recovery, peak memory", peaks, "{:,.0f} MiB", of),
    ]


def _guarantee_rows(result: GuaranteeResult) -> list[Row]:
    table = []
    for setting, runs in result.runs.items():
        commits = statistics.median(run.commits for run in runs)
        of = f"{result.fills:,} fills"
        what = f"transactions {setting}"
        table.append(_row(f"durable fills/s, {what}", [r.per_s for r in runs], "{:,.0f}", of))
        of += f", {commits:,.0f} commits"
        table.append(_row(f"commit, {what}, p50", [r.p50_ms for r in runs], "{:,.0f} ms", of))
        table.append(_row(f"commit, {what}, p99", [r.p99_ms for r in runs], "{:,.0f} ms", of))
    on, off = (statistics.median(r.per_s for r in result.runs[s]) for s in ("on", "off"))
    table.append(("durable fills/s, on over off", f"{on / off:.2f} x", "", "medians"))
    return table


def _failover_rows(result: FailoverResult) -> list[Row]:
    of = f"session timeout {result.session_s} s"
    return [
        _row("failover, cold", result.cold, "{:.1f} s", of),
        _row("failover, with a standby", result.warm, "{:.1f} s", of),
    ]


def _row(name: str, values: Sequence[float], form: str, of: str) -> Row:
    middle = form.format(statistics.median(values))
    spread = f"{form.format(min(values))} to {form.format(max(values))}"
    return (name, middle, spread if len(values) > 1 else "", of)


def show(results: Results, console: Console) -> None:
    table = Table(*HEAD)
    for column in table.columns[1:3]:
        column.justify = "right"
    for row in rows(results):
        table.add_row(*row)
    if table.rows:
        console.print(table)
    console.width = max(console.width, TABLE_WIDTH)
    for contest in results.peers:
        console.print(on_terminal(contest))


def write(results: Results, path: Path, command: str) -> None:
    """Write the page: the table, machine and versions, digests, and what was measured how."""
    lines = ["# Results", "", f"`{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC", ""]
    if table := rows(results):
        lines += ["| " + " | ".join(HEAD) + " |", "| --- | ---: | ---: | --- |"]
        lines += ["| " + " | ".join(row) + " |" for row in table]
    if results.peers:
        lines += section(results.peers, PICTURE)
        path.with_name(PICTURE).write_text(drawn(results.peers))
    load1 = f"{os.getloadavg()[0]:.1f}"
    lines += ["", f"- machine: {machine()}; load average at the end {load1}"]
    lines += [f"- {versions()}"]
    if results.fills:
        lines += [f"- digest of the book after all fills: `{results.fills.digest}`"]
    if results.peers:
        lines += [f"- contenders: {installed.versions()}"]
    for contest in results.peers:
        lines += [f"- digest of the book of the contest, {contest.broker}: `{contest.digest}`"]
    if results.memory:
        lines += [f"- digest of the book of the memory test: `{results.memory.digest}`"]
    lines += ["", "## What was measured", "", DEFINITIONS + SIDE_BY_SIDE + SCALING]
    path.write_text("\n".join(lines))
