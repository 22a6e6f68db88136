"""The page of results: a part that is measured anew takes the place of its own section only."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import bench, definitions, machine
from benchmarks.chart import Bar, Chart
from benchmarks.page import Grid, Section, write
from benchmarks.results import SECTIONS


def test_a_part_measured_anew_replaces_its_own_section_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    write({"sink": _section("old"), "fills": _section("kept")}, page, "first command", "idle")
    write({"sink": _section("new")}, page, "second command", "load average 3.0")
    text = page.read_text()
    fills, sink = text.split("## Fills a second")[1].split("## Sink")
    assert "| kept | 1 | 1 to 2 | of |" in fills
    assert "`first command`" in fills
    assert "| new | 1 | 1 to 2 | of |" in sink
    assert "`second command`" in sink
    assert "; load average 3.0\n" in sink
    assert "old" not in text
    drawn = ElementTree.parse(tmp_path / "results.svg").getroot()
    told = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert told == ["kept", "kept bar", "2", "new", "new bar", "2"], "in the order of the page"


def test_what_the_host_kept_for_others_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cpu_times", lambda: (1_400, 130))
    assert machine.withheld((1_000, 30)) == "25% of the CPU time withheld by its host"
    assert machine.withheld_share((1_000, 30)) == 0.25
    assert machine.withheld((1_400, 130)) == "", "nothing was asked for"


def test_every_part_has_a_title_and_says_how_it_was_measured() -> None:
    assert set(bench.PARTS) == set(SECTIONS) == set(definitions.TITLES) == set(definitions.HOW)


def _section(name: str) -> Section:
    bars = [Bar(f"{name} bar", 2.0, "2", ours=True)]
    grid = Grid(name, ("a", "b"), [("c", "1")])
    return Section([(name, "1", "1 to 2", "of")], [grid], ["note"], [Chart(name, bars)], {"f": 1.0})
