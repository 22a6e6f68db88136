"""The results of all parts: on the terminal, and as sections of the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import rows
from benchmarks.chart import Bar, Chart
from benchmarks.decision_table import decision_section
from benchmarks.fills import FillsResult
from benchmarks.kernels.table import kernel_rows
from benchmarks.memory import Holding
from benchmarks.page import HEAD, Section
from benchmarks.peers import installed
from benchmarks.peers.contest import OURS, OURS_PLAIN, Contest
from benchmarks.peers.table import grid, medians
from benchmarks.questions import question_rows
from benchmarks.recovery import RecoveryResult
from benchmarks.scaling_table import scaling_section

TABLE_WIDTH = 120

Measured = Mapping[str, Any]
"""What `measure` of each part gave back, by part."""


def sections(measured: Measured) -> dict[str, Section]:
    """The section of every part that was measured."""
    return {part: SECTIONS[part](found) for part, found in measured.items()}


def show(made: Mapping[str, Section], console: Console) -> None:
    """All rows as one table, and the tables that have a head of their own."""
    table = Table(*HEAD)
    for column in table.columns[1:3]:
        column.justify = "right"
    for section in made.values():
        for row in section.rows:
            table.add_row(*row)
    if table.rows:
        console.print(table)
    console.width = max(console.width, TABLE_WIDTH)
    for one in (one for section in made.values() for one in section.grids):
        shown = Table(*one.head, title=one.title)
        for row in one.rows:
            shown.add_row(*row)
        console.print(shown)


def _fills(result: FillsResult) -> Section:
    digest = f"digest of the book after all fills: `{result.digest}`"
    return Section(rows.fills_rows(result), notes=[digest])


def _peers(contests: Sequence[Contest]) -> Section:
    notes = [f"contenders: {installed.versions()}"]
    notes += [
        f"digest of the book of the contest, {contest.broker}: `{contest.digest}`"
        for contest in contests
    ]
    return Section(
        grids=[grid(one) for one in contests], notes=notes, charts=contest_charts(contests)
    )


def contest_charts(contests: Sequence[Contest]) -> list[Chart]:
    """Fills a second, medians, the highest first."""
    return [
        Chart(
            f"Fills a second, {contest.broker}",
            [
                Bar(name, rate, f"{rate:,.0f}", name in (OURS, OURS_PLAIN))
                for name, rate in sorted(medians(contest).items(), key=lambda one: -one[1])
            ],
        )
        for contest in contests
    ]


def _memory(found: list[Holding]) -> Section:
    notes = [f"digest of the book of {one.accounts:,} accounts: `{one.digest}`" for one in found]
    return Section(rows.memory_rows(found), notes=notes)


def _recovery(results: Sequence[RecoveryResult]) -> Section:
    return Section([row for one in results for row in rows.recovery_rows(one)])


SECTIONS: Mapping[str, Callable[[Any], Section]] = {
    "fills": _fills,
    "peers": _peers,
    "decisions": decision_section,
    "latency": lambda runs: Section(rows.latency_rows("price to liquidation", runs)),
    "cascade": lambda runs: Section(rows.cascade_rows(runs)),
    "memory": _memory,
    "kernels": lambda result: Section(kernel_rows(result)),
    "sink": lambda results: Section(rows.sink_rows(results)),
    "questions": lambda result: Section(question_rows(result)),
    "recovery": _recovery,
    "guarantee": lambda result: Section(rows.guarantee_rows(result)),
    "failover": lambda result: Section(rows.failover_rows(result)),
    "scaling": scaling_section,
}
