"""How the worker scales, as rows and bars, and as the figures that a model of a cluster needs."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.chart import Bar, Chart
from benchmarks.cluster import EXAMPLE, grid
from benchmarks.page import Row, Section
from benchmarks.scaling import PACED_PER_S, Alone, ScalingResult

OUT = ("accounts", "partitions")


def scaling_section(result: ScalingResult) -> Section:
    rows = [*_together_rows(result), *_alone_rows(result), *_turn_rows(result)]
    figures = _figures(result)
    return Section(rows, [grid(EXAMPLE, figures)], charts=[_chart(result)], figures=figures)


def _together_rows(result: ScalingResult) -> list[Row]:
    sizes, rows = result.sizes, list[Row]()
    for workers, runs in result.workers.items():
        who = f"{workers} workers" if workers > 1 else "1 worker"
        of = f"burst of {sizes.fills:,} fills of {sizes.accounts:,} accounts"
        rows.append(_row(f"fills/s, {who}", [one.per_s for one in runs], "{:,.0f}", of))
        of = f"{sizes.paced:,} fills, {PACED_PER_S:,.0f} a second"
        for name, late_ms in (
            ("p50", [one.p50_ms for one in runs]), ("p99", [one.p99_ms for one in runs])
        ):  # fmt: skip
            rows.append(_row(f"fill to its commit, {who}, {name}", late_ms, "{:,.0f} ms", of))
    return rows


def _alone_rows(result: ScalingResult) -> list[Row]:
    rows = []
    for what, several in zip(OUT, (result.accounts, result.partitions), strict=True):
        for size, runs in several.items():
            place, of = f"{size:,} {what}", f"1 worker, {result.sizes.fills:,} fills"
            rates = [one.timing.per_s for one in runs]
            cost_us = [one.timing.cpu_s_a_million for one in runs]  # of a million, so us of one
            broker_us = [one.broker_cpu_s / one.timing.fills * 1e6 for one in runs]
            commits = [float(one.commits) for one in runs]
            rows.append(_row(f"fills/s, {place}", rates, "{:,.0f}", of))
            rows.append(_row(f"CPU time a fill, {place}", cost_us, "{:,.1f} us", of))
            rows.append(
                _row(f"CPU time a fill of the broker, {place}", broker_us, "{:,.1f} us", of)
            )
            rows.append(_row(f"transactions, {place}", commits, "{:,.0f}", of))
    return rows


def _turn_rows(result: ScalingResult) -> list[Row]:
    turns = result.turns
    of = f"{turns.accounts:,} accounts, {turns.accounts * 3:,} positions"
    return [
        ("CPU time a decision, all accounts", f"{turns.all_s * 1e3:,.0f} ms", "", of),
        ("CPU time a decision, all prices moved", f"{turns.moved_s * 1e3:,.0f} ms", "", of),
        ("CPU time a price tick", f"{turns.tick_s * 1e6:,.1f} us", "", "blocks of 200"),
    ]


def _row(name: str, values: Sequence[float], form: str, of: str) -> Row:
    spread = f"{form.format(min(values))} to {form.format(max(values))}"
    return name, form.format(statistics.median(values)), spread if len(values) > 1 else "", of


def _chart(result: ScalingResult) -> Chart:
    bars = []
    for workers, runs in result.workers.items():
        rate = statistics.median(one.per_s for one in runs)
        bars.append(Bar(f"workers: {workers}", rate, f"{rate:,.0f}", ours=True))
    for what, several in zip(OUT, (result.accounts, result.partitions), strict=True):
        for size, alone in several.items():
            rate = _median(alone, lambda one: one.timing.per_s)
            bars.append(Bar(f"{what}: {size:,}", rate, f"{rate:,.0f}", ours=False))
    return Chart("Fills a second by workers, and of one worker by accounts and partitions", bars)


def _figures(result: ScalingResult) -> dict[str, float]:
    """Of the run with the most accounts, and of transactions by the step in partitions."""
    most, turns = result.accounts[max(result.accounts)], result.turns
    few, many = result.partitions[min(result.partitions)], result.partitions[max(result.partitions)]
    more = _median(many, _commits) - _median(few, _commits)
    dearer_s = _median(many, _cpu_s) - _median(few, _cpu_s)
    transaction_s = max(dearer_s / more, 0.0) if more > 0 else 0.0
    fills = result.sizes.fills
    fills_s = _median(most, _cpu_s) - _median(most, _commits) * transaction_s
    return {
        "cpu_s_a_million_fills": fills_s / fills * 1e6,
        "cpu_s_a_transaction": transaction_s,
        "cpu_s_a_million_accounts": turns.all_s / turns.accounts * 1e6,
        "cpu_s_a_million_accounts_moved": turns.moved_s / turns.accounts * 1e6,
        "cpu_s_a_million_ticks": turns.tick_s * 1e6,
        "broker_cpu_s_a_million_fills": _median(most, lambda one: one.broker_cpu_s) / fills * 1e6,
        "bytes_a_fill": _median(most, lambda one: one.fill_bytes),
        "changelog_bytes_a_fill": _median(most, lambda one: one.changelog_bytes),
        "bytes_a_tick": turns.tick_bytes,
    }


def _median(runs: Sequence[Alone], value: Callable[[Alone], float]) -> float:
    return statistics.median(map(value, runs))


def _cpu_s(one: Alone) -> float:
    return one.timing.cpu_s


def _commits(one: Alone) -> float:
    return one.commits
