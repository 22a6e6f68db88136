"""The contest as a table: rates, what of them is ours, CPU seconds and memory."""

import statistics
from collections.abc import Callable, Sequence

from rich.table import Table

from benchmarks.contender import Timing
from benchmarks.peers.contest import OURS, Contest

MIB = 2**20
HEAD = (
    "contender", "fills/s", "min to max", "ours is",
    "CPU us/fill", "ours by CPU", "peak MiB", "read",
)  # fmt: skip
"""Ours is Plimsoll with transactions."""

SIDE_BY_SIDE = """\
- Side by side: every contender does the same job on the same records, one after the other on one
  broker: consume the fills in a group, decode Avro, check, keep quantity, cost and cash by account
  and instrument, write a changelog, commit. The clock runs from the first fill taken in hand to the
  last commit acknowledged. CPU is that of the contender's process between the two, all threads, and
  not the broker's; memory is the peak of its resident set. A number counts only if the changelog,
  read back from the broker (committed records only), holds the state of plain Python integers; of
  the worker the whole book is compared. Who would need minutes reads the first eighth or fortieth
  of the same fills. The worker does more: it also keeps the deposits and isolated margin, refuses
  repeated ids, posts the other side of every fee. Commits: the worker's turn, the loop's batch of
  up to 10,000, 100 ms of Kafka Streams, 1 s of Quix Streams and Bytewax, 2.8 s of plain Faust.
  A worker reads everything once before, uncounted, so that nobody pays for the broker's start.
  Kafka Streams has one thread, a heap of up to 1 GiB, RocksDB and its record cache as they come; it
  compiles as it runs, which short runs make much of and a million fills little. Bytewax keeps its
  offsets in its snapshots.
"""

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


def on_terminal(contest: Contest) -> Table:
    table = Table(*HEAD, title=f"fills on {contest.broker}, {contest.accounts:,} accounts")
    for row in contest_rows(contest):
        table.add_row(*row)
    return table


def section(contests: Sequence[Contest], picture: str) -> list[str]:
    """Lines of the page: the picture, and a table a broker."""
    lines = ["", "## Side by side", "", f"![Fills a second, by contender]({picture})"]
    for contest in contests:
        lines += ["", f"{contest.broker}, {contest.accounts:,} accounts:", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "| --- |" + " ---: |" * (len(HEAD) - 1)]
        lines += ["| " + " | ".join(row) + " |" for row in contest_rows(contest)]
    return lines


def medians(contest: Contest) -> dict[str, float]:
    """Fills a second, by contender."""
    return _medians(contest, lambda one: one.per_s)


def _medians(contest: Contest, of: Callable[[Timing], float]) -> dict[str, float]:
    return {name: statistics.median(map(of, runs)) for name, runs in contest.timings.items()}


def _spread(timings: Sequence[Timing]) -> str:
    rates = [timing.per_s for timing in timings]
    return f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else ""
