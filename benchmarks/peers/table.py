"""The contest as a table: rates, what of them is ours, CPU seconds and memory."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.contender import Timing
from benchmarks.page import Grid
from benchmarks.peers.contest import OURS, Contest

MIB = 2**20
HEAD = (
    "contender", "fills/s", "min to max", "ours is",
    "CPU us/fill", "ours by CPU", "peak MiB", "read",
)  # fmt: skip
"""Ours is Plimsoll with transactions."""

Row = tuple[str, ...]


def contest_rows(contest: Contest) -> list[Row]:
    """By rate, the highest first; then those that are missing, with the reason."""
    rate, cpu = medians(contest), _medians(contest, lambda one: one.cpu_s_a_million)
    peak = _medians(contest, lambda one: one.peak_bytes)
    rows = []
    for name in sorted(rate, key=lambda name: -rate[name]):
        timings = contest.timings[name]
        rows.append((
            name,
            f"{rate[name]:,.0f}",
            _spread(timings),
            f"{rate[OURS] / rate[name]:,.2f} x",
            f"{cpu[name]:,.1f}",
            f"{cpu[name] / cpu[OURS]:,.2f} x",
            f"{peak[name] / MIB:,.0f}",
            f"{timings[0].fills:,}",
        ))  # fmt: skip
    rows += [(name, "-", why, *["-"] * (len(HEAD) - 3)) for name, why in contest.absent.items()]
    return rows


def grid(contest: Contest) -> Grid:
    title = f"Fills on {contest.broker}, {contest.accounts:,} accounts"
    return Grid(title, HEAD, contest_rows(contest))


def medians(contest: Contest) -> dict[str, float]:
    """Fills a second, by contender."""
    return _medians(contest, lambda one: one.per_s)


def _medians(contest: Contest, of: Callable[[Timing], float]) -> dict[str, float]:
    return {name: statistics.median(map(of, runs)) for name, runs in contest.timings.items()}


def _spread(timings: Sequence[Timing]) -> str:
    rates = [timing.per_s for timing in timings]
    return f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else ""
