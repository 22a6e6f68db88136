"""Prices to decisions as a table and as bars."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.chart import Bar, Chart
from benchmarks.decisions import OURS, DecisionRun, Stepped
from benchmarks.page import Grid, Section

HEAD = (
    "contender", "accounts", "ticks/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "cores",
    "CPU withheld", "ticks/s kept up with", "decisions",
)  # fmt: skip


def decision_section(results: Sequence[Sequence[DecisionRun]]) -> Section:
    """`results` has the runs of each contender and number of accounts; medians are told."""
    return Section(
        grids=[
            Grid("Price to margin call or liquidation", HEAD, [_line(runs) for runs in results])
        ],
        charts=[_chart(results)],
    )


QUANTILES: dict[str, Callable[[Stepped], float]] = {
    "p50": lambda step: step.p50_ms,
    "p99": lambda step: step.p99_ms,
    "p99.9": lambda step: step.p999_ms,
    "max": lambda step: step.max_ms,
}


def _line(runs: Sequence[DecisionRun]) -> list[str]:
    quantiles = [_told(runs, value) for value in QUANTILES.values()]
    return [
        runs[0].who,
        f"{runs[0].accounts:,}",
        f"{_median(runs, lambda step: step.ticks_per_s):,.0f}",
        *quantiles,
        f"{_median(runs, lambda step: step.cpu):.2f}",
        f"{_median(runs, lambda step: step.withheld):.1%}",
        f"{_most_per_s(runs):,.0f}",
        f"{_median(runs, lambda step: step.decisions):,.0f}",
    ]


def _told(runs: Sequence[DecisionRun], value: Callable[[Stepped], float]) -> str:
    """The median of the first steps, and between what it lies."""
    median, told = _median(runs, value), [value(run.steps[0]) for run in runs]
    spread = f" ({min(told):,.0f} to {max(told):,.0f})" if len(told) > 1 else ""
    return f"{median:,.0f}{spread}"


def _median(runs: Sequence[DecisionRun], value: Callable[[Stepped], float]) -> float:
    """Of the first steps."""
    return statistics.median(value(run.steps[0]) for run in runs)


def _most_per_s(runs: Sequence[DecisionRun]) -> float:
    return statistics.median(run.most_per_s for run in runs)


def _chart(results: Sequence[Sequence[DecisionRun]]) -> Chart:
    bars = []
    for runs in results:
        one, rate = runs[0], _most_per_s(runs)
        bars.append(Bar(f"{one.who}, {one.accounts:,}", rate, f"{rate:,.0f}", one.who == OURS))
    return Chart("Price ticks a second that are kept up with, by accounts", bars)
