"""How long the twenty questions of analysts take on a history of millions of margin states."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contender import ContenderFailedError
from benchmarks.multiplied import multiply
from docs.analysts import RUN, Question, chosen, questions
from sinks.schema import create_tables
from sinks.store import Store

TINY_RUN = [
    "--seed", "42", "--accounts", "200", "--insurance-fund", "2000", "--speed", "5",
    "--duration", "22",
]  # fmt: skip
OF_RUN, REPEATED = "plimsoll", "repeated"
"""Databases of every history, so of the run, and of the one that is asked."""
COUNT_SQL = "SELECT sum(rows) AS n FROM system.parts WHERE active AND database = currentDatabase()"

Say = Callable[[str], None]


@dataclass(slots=True)
class Asked:
    """One question: milliseconds of the first time and of those after it, and what it answered."""

    title: str
    rows: int
    cold_ms: float
    warm_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class QuestionsResult:
    """Rows of margin_state and of all tables, and the questions in their order."""

    states: int
    all_rows: int
    asked: list[Asked]


def measure(
    rows: int, *, runs: int, say: Say, tiny: bool = False, history: Path | None = None
) -> QuestionsResult:
    """Ask all questions of a history of `rows` margin states.

    `history` is the folder of a run that has ended (`plimsoll up --data`); it is copied. Raises
    ContenderFailedError where an answer is empty that must not be.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        if history is None:
            say("questions: a run of the pipeline")
            _run(TINY_RUN if tiny else RUN, run)
            history = run
        copy = Path(folder) / "history"
        shutil.copytree(history / "clickhouse", copy, symlinks=True)
        dsn = f"chdb://{copy}"
        with Store(dsn) as of_run, Store(dsn, database=REPEATED) as store:
            create_tables(of_run)
            must_answer = _answered(of_run)
            say(f"questions: {rows:,} margin states of it")
            multiply(store, OF_RUN, rows)
            return _measured(store, must_answer, runs=runs, say=say)


def _run(arguments: list[str], folder: Path) -> None:
    command = [sys.executable, "-m", "streams.run.cli", "up", *arguments, "--data", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ContenderFailedError(f"the run failed: {ended.stderr[-500:]}")


def _answered(store: Store) -> set[str]:
    """Titles of the questions that the run itself has an answer to."""
    try:
        parameters = chosen(store)
    except IndexError as error:
        raise ContenderFailedError("nobody was liquidated in the run") from error
    return {one.title for one in questions() if store.query(one.sql, _used(one, parameters))}


def _used(question: Question, parameters: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in parameters.items() if f"{{{name}:" in question.sql}


def _measured(store: Store, must_answer: set[str], *, runs: int, say: Say) -> QuestionsResult:
    parameters, asked = chosen(store), []
    for cache in ("MARK", "UNCOMPRESSED", "QUERY"):
        store.create(f"SYSTEM DROP {cache} CACHE")
    for question in questions():
        one = _asked(store, question, parameters, runs)
        if not one.rows and question.title in must_answer:
            raise ContenderFailedError(f"no answer to {question.title!r}")
        say(f"questions: {one.title} {statistics.median(one.warm_ms):,.0f} ms")
        asked.append(one)
    states = store.query("SELECT count() AS n FROM margin_state")[0]["n"]
    return QuestionsResult(states, store.query(COUNT_SQL)[0]["n"], asked)


def _asked(store: Store, question: Question, parameters: dict[str, str], runs: int) -> Asked:
    used = _used(question, parameters)
    cold_ms, _, rows = _once(store, question.sql, used)
    result = Asked(question.title, rows, cold_ms)
    for _ in range(runs):
        wall_ms, cpu_ms, _ = _once(store, question.sql, used)
        result.warm_ms.append(wall_ms)
        result.cpu_ms.append(cpu_ms)
    return result


def _once(store: Store, sql: str, parameters: dict[str, str]) -> tuple[float, float, int]:
    """Milliseconds of wall and of this process's CPU, and rows of the answer."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    rows = len(store.query(sql, parameters))
    return 1e3 * (time.perf_counter() - wall_s), 1e3 * (time.process_time() - cpu_s), rows


def question_rows(result: QuestionsResult) -> list[tuple[str, str, str, str]]:
    """What, median, cold, of: a row a question."""
    table = [
        (
            f"question {number}: {one.title}",
            f"{statistics.median(one.warm_ms):,.0f} ms",
            f"cold {one.cold_ms:,.0f} ms",
            f"CPU {statistics.median(one.cpu_ms):,.0f} ms, {one.rows} rows",
        )
        for number, one in enumerate(result.asked, 1)
    ]
    slowest = max(statistics.median(one.warm_ms) for one in result.asked)
    of = f"{result.states:,} margin states, {result.all_rows:,} rows in all"
    return [*table, ("questions, the slowest", f"{slowest:,.0f} ms", "", of)]
