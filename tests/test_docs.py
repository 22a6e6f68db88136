"""The documentation is true: pages are fresh, commands and links exist, queries run."""

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from docs.generate import DOCS, PICTURE, pages
from schemas.units import E8, text
from sinks.clickhouse import create_tables
from sinks.store import Store
from streams.run.cli import main
from tests.streams.state.exchange import Bench, deposit, fill, mark

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LADDER = ROOT / "risk/liquidation/stages.py"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Page and words of every call of plimsoll or make in a shell block or a code span."""
    for page in PAGES:
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        for line in [*lines, *re.findall(r"`([^`\n]+)`", prose(page))]:
            words = line.removeprefix(".venv/bin/").split()
            if words and words[0] in ("plimsoll", "make"):
                yield name(page), shlex.split(line)[1:]


def test_generated_pages_are_fresh() -> None:
    for file, expected in pages().items():
        assert (DOCS / file).read_text("utf-8") == expected, f"{file} is stale: run `make docs`"


def test_the_readme_is_a_doorway() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 120


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    seen = 0
    for page, words in commands():
        seen += 1
        if words and words[0] in targets:
            continue
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in main.commands, f"{page}: no command {words}"
        known = {o for p in main.commands[words[0]].params for o in p.opts} | {"--help"}
        options = [word.split("=")[0] for word in words[1:] if word.startswith("--")]
        assert set(options) <= known, f"{page}: {words}"
    assert seen > 10


def test_shell_examples_of_plimsoll_are_complete() -> None:
    """What the README tells to type is accepted as it stands, but for files that only you have."""
    for block in blocks(README, "sh"):
        for line in block.splitlines():
            words = shlex.split(line)
            if not words or not words[0].endswith("plimsoll"):
                continue
            arguments = [str(ROOT) if word == "bars/" else word for word in words[2:]]
            command = main.commands[words[1]]
            assert isinstance(command.make_context(words[1], arguments), click.Context)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            assert "://" not in link, f"{name(page)}: {link} leads out of the project"
            target, _, anchor = link.partition("#")
            file = (page.parent / target).resolve() if target else page
            assert file.exists(), f"{name(page)}: {link}"
            if anchor:
                assert anchor in anchors(file), f"{name(page)}: {link}"


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    drawn = PICTURE.read_text("utf-8")
    assert drawn.startswith("<svg")
    assert "url(http" not in drawn.replace('"', "")


def test_the_ladder_on_the_page_is_the_one_in_the_code() -> None:
    docstring = ast.get_docstring(ast.parse(LADDER.read_text("utf-8"))) or ""
    table = "\n".join(line for line in docstring.splitlines() if line.startswith("|"))
    assert table
    assert table in (DOCS / "liquidation.md").read_text("utf-8")


def test_the_example_of_a_liquidation_is_what_happens() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1, amount_e8=2_000 * E8))
    bench.send("fills", fill(1))
    said = []
    for tick, price in enumerate([50_000, 48_200, 48_200, 48_200]):
        bench.send("prices", mark(10 + tick * 1_000_000, "BTC-PERP", price))
        bench.cycle.decide()
        for one in bench.cycle.take_outputs():
            if one.topic == "margin-calls":
                top_up = text(one.values["top_up_e8"])
                said.append(f"| {one.values['level']}, top up {top_up} | {one.output_id} |")
            elif one.topic == "liquidations":
                said.append(f"| {order(one.values)} | {one.output_id} |")
    page = (DOCS / "liquidation.md").read_text("utf-8")
    assert len(said) == 4
    assert [line for line in said if line not in page] == []


def order(record: Mapping[str, object]) -> str:
    if record["action"] != "REDUCE":
        return str(record["action"])
    numbers = ("quantity_e8", "limit_price_e8", "bankruptcy_price_e8")
    quantity, limit, bankruptcy = (text(int(str(record[field]))) for field in numbers)
    words = f"REDUCE: {record['side']} {quantity} at {limit} or better"
    return f"{words}, bankruptcy {bankruptcy}"


@pytest.mark.embedded
def test_queries_run(tmp_path: Path) -> None:
    queries = blocks(DOCS / "history.md", "sql")
    assert len(queries) >= 6
    with Store(f"chdb://{tmp_path / 'history'}") as store:
        create_tables(store)
        for query in queries:
            store.query(query)
