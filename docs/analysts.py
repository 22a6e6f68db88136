"""Writes the page for analysts: the tables, and twenty questions with their answers from a run."""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sinks.definitions import Definition, tables, views
from sinks.schema import create_tables
from sinks.store import Store

DOCS = Path(__file__).parent
PAGE, QUESTIONS = DOCS / "analysts.md", DOCS / "questions.sql"
RUN = ["--seed", "42", "--accounts", "2000", "--insurance-fund", "20000", "--duration", "130"]
"""The seeded crash begins a minute after the market: the fund is too small for it."""
MARKER = (
    "<!-- From here on written by `python -m docs.analysts`: change the .sql files, not this page. "
    "-->\n"
)
ACCOUNT_SQL = """SELECT account_id FROM liquidations WHERE NOT startsWith(account_id, '@')
GROUP BY account_id ORDER BY countIf(action = 'REDUCE') DESC, account_id LIMIT 1"""
AT_SQL = """SELECT quantileExact(0.5)(event_time) AS at FROM liquidations
WHERE action = 'REDUCE'"""


@dataclass(frozen=True, slots=True)
class Question:
    """A question in words, and the query that answers it."""

    title: str
    sql: str


def questions() -> list[Question]:
    """All questions of `questions.sql`, in its order."""
    found = re.findall(r"^-- (.+)\n((?:.+\n)+?.*);$", QUESTIONS.read_text("utf-8"), re.M)
    return [Question(title, sql) for title, sql in found]


def chosen(store: Store) -> dict[str, str]:
    """The parameters of the questions: the account with most orders, the middle of the crash."""
    account = store.query(ACCOUNT_SQL)[0]["account_id"]
    at = store.query(AT_SQL)[0]["at"]
    return {"account": account, "at": f"{at:%Y-%m-%d %H:%M:%S.%f}"}


def page(store: Store) -> str:
    """The page with what a history answers behind the marker; what is before it stays."""
    parameters = chosen(store)
    lines = [PAGE.read_text("utf-8").split(MARKER)[0] + MARKER + "\n"]
    lines += ["## Tables\n", *_tables(), "## Views\n", *_views()]
    lines += ["## Twenty questions\n", _said(parameters)]
    for number, question in enumerate(questions(), 1):
        lines += [f"### {number}. {question.title}\n", f"```sql\n{question.sql}\n```\n"]
        used = {k: v for k, v in parameters.items() if f"{{{k}:" in question.sql}
        lines.append(_answer(store.query(question.sql, used)))
    return "\n".join(lines).rstrip() + "\n"


def _said(parameters: Mapping[str, str]) -> str:
    return (
        f"Answers of `plimsoll up {' '.join(RUN)}`, with `account` = `{parameters['account']}` and "
        f"`at` = `{parameters['at']}`. Over HTTP they are given as `param_account` and `param_at`. "
        "Another run answers with other numbers: how records meet is not seeded.\n"
    )


def _tables() -> Iterator[str]:
    yield "| table | a row is | ordered by |"
    yield "| --- | --- | --- |"
    for one in tables():
        order = one.sorting_key.replace(", ", "`, `")
        yield f"| `{one.name}` | {_comment(one)} | `{order}` |"
    yield ""


def _views() -> Iterator[str]:
    yield "| view | what it says | parameters |"
    yield "| --- | --- | --- |"
    for one in sorted(views(), key=lambda view: view.name):
        taken = dict.fromkeys(re.findall(r"\{(\w+):", one.statement))
        yield f"| `{one.name}` | {_comment(one)} | {', '.join(f'`{name}`' for name in taken)} |"
    yield ""


def _comment(one: Definition) -> str:
    text = re.findall(r"^COMMENT '((?:[^'\\]|\\.)+)'", one.statement, re.M | re.S)[-1]
    return " ".join(text.replace("\\'", "'").split()).rstrip(".")


def _answer(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No rows.\n"
    names = list(rows[0])
    lines = [names, *[[_text(row[name]) for name in names] for row in rows]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    body = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return f"```text\n{body}\n```\n"


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"{value:%H:%M:%S.%f}"[:-3]
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return str(value)


def main() -> None:
    """Run the pipeline, unless a run's folder is given, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the folder of a run that has ended")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = given.data or Path(folder)
        if given.data is None:
            command = [sys.executable, "-m", "streams.run.cli", "up", *RUN, "--data", folder]
            subprocess.run(command, check=True)
        with Store(f"chdb://{(data / 'clickhouse').absolute()}") as store:
            create_tables(store)
            PAGE.write_text(page(store), "utf-8")


if __name__ == "__main__":
    main()
