"""What `plimsoll verify` prints."""

import json
from collections import Counter
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from streams.audit.minutes import clock
from streams.run.verify.differences import Finding
from streams.run.verify.partition import Report

SHOWN = 20
DIFFERENCES = 6


def view(report: Report) -> Iterator[Table | Text | str]:
    """For people: what was computed anew, and the first of what differs."""
    for block in report.changed:
        yield f"{block}"
    if not report.records:
        yield "nothing was decided in that period"
        return
    yield f"{clock(report.first_us)} to {clock(report.last_us)} UTC, {report.decisions:,} decisions"
    yield _counts(report)
    yield from _ticks(report)
    for finding in report.findings[:SHOWN]:
        yield Text(_title(finding), style="bold")
        for one in finding.differences[:DIFFERENCES]:
            yield f"  {one}"
        if len(finding.differences) > DIFFERENCES:
            yield f"  and {len(finding.differences) - DIFFERENCES} more"
    if len(report.findings) > SHOWN:
        yield f"and {len(report.findings) - SHOWN:,} more records that differ"
    yield f"{len(report.findings) + len(report.changed):,} differences"


def document(report: Report) -> str:
    """For programs."""
    return json.dumps({
        "from": clock(report.first_us) if report.records else None,
        "to": clock(report.last_us) if report.records else None,
        "decisions": report.decisions,
        "records": dict(report.records),
        "changed": [
            {"topic": one.topic, "partition": one.partition, "first": one.first, "last": one.last}
            for one in report.changed
        ],
        "findings": [
            {**finding._asdict(), "ticks": [
                {"instrument_id": name, "partition": partition, "offset": offset}
                for name, partition, offset in finding.ticks
            ]}
            for finding in report.findings
        ],
    }, indent=2)  # fmt: skip


def _counts(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("records", "computed anew", "differ"):
        table.add_column(title, justify="left" if title == "records" else "right")
    wrong = Counter(finding.topic for finding in report.findings)
    for topic, count in sorted(report.records.items()):
        table.add_row(topic, f"{count:,}", f"{wrong[topic]:,}")
    return table


def _ticks(report: Report) -> Iterator[str]:
    """The ticks from which marks differ: where one is wrong, all that rests on it differs."""
    ticks = Counter(tick for finding in report.findings for tick in finding.ticks)
    for (name, partition, offset), count in ticks.most_common(SHOWN):
        yield f"{name}: {count:,} records tell another mark than prices/{partition} {offset}"


def _title(finding: Finding) -> str:
    place = f"{finding.topic}/{finding.partition} {finding.offset}"
    return f"{place}, {finding.account} at {clock(finding.time_us)}"
