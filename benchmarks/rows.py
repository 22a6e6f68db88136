"""The results of each part as rows: what, median, minimum to maximum, of what."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.cascade import CascadeRun
from benchmarks.contender import Timing
from benchmarks.failover import FailoverResult
from benchmarks.fills import FillsResult
from benchmarks.guarantee import GuaranteeResult
from benchmarks.latency import LatencyRun
from benchmarks.memory import Holding, slope_bytes
from benchmarks.page import Row
from benchmarks.recovery import RecoveryResult
from benchmarks.sink import SinkResult

MIB = 2**20


def fills_rows(fills: FillsResult) -> list[Row]:
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


def cascade_rows(runs: Sequence[CascadeRun]) -> list[Row]:
    full = statistics.median(run.full for run in runs)
    return [
        *latency_rows("cascade, price to liquidation", [run.latency for run in runs]),
        ("cascade, windows beyond their cap", "0", "", f"{full:,.0f} windows full"),
    ]


def latency_rows(name: str, runs: Sequence[LatencyRun]) -> list[Row]:
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


def memory_rows(found: Sequence[Holding]) -> list[Row]:
    table: list[Row] = []
    for one in found:
        of = f"{one.accounts:,} accounts, {one.positions:,} positions"
        table += [
            ("memory of the worker, steady", f"{one.steady_bytes / MIB:,.0f} MiB", "", of),
            ("memory of the worker, peak", f"{one.peak_bytes / MIB:,.0f} MiB", "", of),
            ("start to ready", f"{one.ready_s:.1f} s", "", of),
        ]
    of = f"from {found[0].accounts:,} to {found[-1].accounts:,} accounts, steady"
    return [*table, ("memory an account", f"{slope_bytes(found):,.0f} bytes", "", of)]


def sink_rows(results: Sequence[SinkResult]) -> list[Row]:
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


def recovery_rows(result: RecoveryResult) -> list[Row]:
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


def guarantee_rows(result: GuaranteeResult) -> list[Row]:
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


def failover_rows(result: FailoverResult) -> list[Row]:
    of = f"session timeout {result.session_s} s"
    return [
        _row("failover, cold", result.cold, "{:.1f} s", of),
        _row("failover, with a standby", result.warm, "{:.1f} s", of),
    ]


def _row(name: str, values: Sequence[float], form: str, of: str) -> Row:
    middle = form.format(statistics.median(values))
    spread = f"{form.format(min(values))} to {form.format(max(values))}"
    return (name, middle, spread if len(values) > 1 else "", of)
