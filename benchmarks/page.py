"""The page of results: a section a part, each measured when it was, and a picture of them.

What was measured is kept as JSON beside the page, so that a part can be measured anew by itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.chart import Bar, Chart, drawn
from benchmarks.definitions import EVERYWHERE, HOW, TITLES
from benchmarks.machine import machine, versions

Row = tuple[str, str, str, str]
HEAD: Row = ("what", "median", "min to max", "of")
PICTURE, KEPT = "results.svg", "results.json"
"""Beside the page."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a head of its own: words in the first column, numbers in the others."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """What a part has to show: rows below HEAD, other tables, notes, charts."""

    rows: Sequence[Row] = ()
    grids: Sequence[Grid] = ()
    notes: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the model of a cluster goes by."""


def write(sections: Mapping[str, Section], path: Path, command: str, load: str) -> None:
    """Put these sections in the place of those of the same parts, and leave the others alone.

    `load` tells what else the machine was asked for meanwhile.
    """
    kept = path.with_name(KEPT)
    stored: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    about = {
        "command": command,
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{machine()}; {load}",
        "versions": versions(),
    }
    stored |= {part: {"about": about, **asdict(one)} for part, one in sections.items()}
    kept.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    path.write_text(page(stored), "utf-8")
    path.with_name(PICTURE).write_text(drawn(charts(stored)), "utf-8")


def page(stored: Mapping[str, Any]) -> str:
    """The text of the page; a part that was not measured has no section."""
    lines = ["# Results", "", f"![The results as bars]({PICTURE})", "", EVERYWHERE]
    for part in [part for part in TITLES if part in stored]:
        one = stored[part]
        about = one["about"]
        lines += [f"## {TITLES[part]}", "", f"`{about['command']}`, {about['time']}", ""]
        lines += _table(HEAD, one["rows"], words=(0, 3)) if one["rows"] else []
        for grid in one["grids"]:
            lines += [f"{grid['title']}:", "", *_table(grid["head"], grid["rows"], words=(0,))]
        notes = [*one["notes"], f"machine: {about['machine']}", about["versions"]]
        lines += [*(f"- {note}" for note in notes), "", HOW[part]]
    return "\n".join(lines)


def charts(stored: Mapping[str, Any]) -> list[Chart]:
    return [
        Chart(one["title"], [Bar(**bar) for bar in one["bars"]])
        for part in TITLES if part in stored
        for one in stored[part]["charts"]
    ]  # fmt: skip


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int]
) -> list[str]:
    """Lines of a table, and an empty one; `words` are the columns that are not numbers."""
    rules = ["---" if place in words else "---:" for place in range(len(head))]
    return [*("| " + " | ".join(row) + " |" for row in (head, rules, *rows)), ""]
