"""An audit as JSON, and for people."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.units import text
from streams.audit.auditor import Report
from streams.audit.minutes import clock

SHOWN = 20
"""Findings of a kind that are told to people; JSON has all."""


def document(report: Report) -> dict[str, Any]:
    """All of it as values that are JSON: money is decimal text."""
    sums, on_the_way = report.sums, report.on_the_way
    assets = sorted(sums.balances_e8.keys() | sums.external_e8.keys())
    instruments = sorted(sums.held_e8)
    return {
        **report.findings.summary(),
        "until": clock(report.until_us),
        "assets": {
            name: {
                "balances": text(sums.balances_e8.get(name, 0)),
                "deposits_less_withdrawals": text(sums.external_e8.get(name, 0)),
                "on_the_way": text(on_the_way.get(name, 0)),
            }
            for name in assets
        },
        "instruments": {
            name: {
                "quantity": text(sums.held_e8[name][0]),
                "cost": text(sums.held_e8[name][1]),
                "one_sided_quantity": text(sums.one_sided_e8.get(name, (0, 0))[0]),
                "one_sided_cost": text(sums.one_sided_e8.get(name, (0, 0))[1]),
                "on_the_way": text(on_the_way.get(f"quantity of {name}", 0)),
            }
            for name in instruments
        },
        "findings": report.findings.sentences(),
    }


def view(report: Report) -> RenderableType:
    """Tables, then the findings."""
    made = document(report)
    return Group(*_parts(report, made))


def _parts(report: Report, made: dict[str, Any]) -> Iterator[RenderableType]:
    findings = report.findings
    read = sum(findings.counts.values())
    yield Text(f"{read:,} records up to {made['until']} UTC of event time", style="dim")
    yield ""
    yield _table(
        ("asset", "all balances", "deposits less withdrawals", "of it on the way"), made["assets"]
    )
    yield ""
    yield _table(
        ("instrument", "quantities", "costs", "by one-sided fills", "at a cost of", "on the way"),
        made["instruments"],
    )
    yield ""
    yield Text(f"moments of event time at which all was added up: {findings.moments:,}")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(findings.transfers.items()))
    yield Text(f"transfers: {kinds or 'none'}")
    yield Text(f"liquidations computed again: {findings.recomputed:,}")
    if unread := {topic: count for topic, count in findings.unread.items() if count}:
        told = ", ".join(f"{count:,} on {topic}" for topic, count in sorted(unread.items()))
        yield Text(f"written after the engine's accounts were read, so not compared: {told}")
    if findings.unjudged:
        yield Text(f"decided after that, so not computed again: {findings.unjudged:,}")
    if findings.clean:
        yield Text("nothing found: all is conserved, to the last unit", style="green")
    for kind, sentences in findings.sentences().items():
        for sentence in sentences[:SHOWN]:
            yield Text(f"{kind.replace('_', ' ')}: {sentence}", style="red")
        if len(sentences) > SHOWN:
            yield Text(f"{kind.replace('_', ' ')}: {len(sentences) - SHOWN:,} more", style="red")


def _table(heads: tuple[str, ...], rows: dict[str, dict[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left")
    for name, cells in rows.items():
        table.add_row(name, *cells.values())
    return table
