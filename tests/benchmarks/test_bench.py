"""The benchmarks run at a tiny size, and check every state that they time."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.contenders import PEERS
from benchmarks.peers.contest import FAUST, OURS, OURS_PLAIN
from docs.analysts import questions
from tests.kafka.conftest import need_brokers


@pytest.mark.embedded
def test_tiny_run_on_the_embedded_broker_measures_and_checks(tmp_path: Path) -> None:
    text = _page(tmp_path, "fills", "latency", "memory", "kernels")
    for row in ("fills/s, worker", "fills/s, plain Faust, table", "worker over plain Faust, dict",
                "price to liquidation, p99", "memory of the worker, peak", "memory an account",
                "start to ready", "implied volatility",
                "re-margin by tiers, all", "portfolio margin, worst losses"):  # fmt: skip
        assert f"| {row}" in text
    assert "digest of the book after all fills: `" in text


@pytest.mark.embedded
def test_tiny_run_of_the_sink_measures_and_checks(tmp_path: Path) -> None:
    text = _page(tmp_path, "sink")
    for row in ("rows/s, sink, fills, chDB", "rows/s, bare insert, prices, HTTP",
                "sink over bare insert, margin_state, HTTP", "bytes a row, prices"):  # fmt: skip
        assert f"| {row}" in text


@pytest.mark.embedded
def test_tiny_run_of_the_questions_asks_and_checks_all_of_them(tmp_path: Path) -> None:
    text = _page(tmp_path, "questions")
    for number, one in enumerate(questions(), 1):
        assert f"| question {number}: {one.title} | " in text


@pytest.mark.kafka
def test_tiny_run_on_kafka_measures_and_checks(tmp_path: Path) -> None:
    need_brokers()
    text = _page(tmp_path, "recovery", "guarantee")
    for row in ("records/s, plain read", "records/s, recovery", "recovery, warm",
                "durable fills/s, transactions on", "commit, transactions off, p99"):  # fmt: skip
        assert f"| {row}" in text
    assert "fills/s, worker" not in text, "what was not measured has no row"


@pytest.mark.embedded
def test_tiny_contest_checks_every_contender_that_is_here(tmp_path: Path) -> None:
    text = _page(tmp_path, "peers")
    for name in (OURS, OURS_PLAIN, FAUST, *(peer.name for peer in PEERS)):
        assert f"| {name} | " in text
    assert "| confluent-kafka loop, exactly once | -" not in text, "it needs nothing of its own"
    assert (tmp_path / "results.svg").read_text().startswith("<svg ")


@pytest.mark.embedded
def test_tiny_decisions_are_those_of_the_crowd_for_the_worker_and_for_the_loop(
    tmp_path: Path,
) -> None:
    text = _page(tmp_path, "decisions", "cascade")
    for row in ("Plimsoll | 300 |", "plain loop | 300 |", "cascade, price to liquidation, p99 |",
                "cascade, windows beyond their cap | 0"):  # fmt: skip
        assert f"| {row}" in text


@pytest.mark.kafka
def test_tiny_scaling_checks_the_books_of_one_and_of_two_workers(tmp_path: Path) -> None:
    need_brokers()
    text = _page(tmp_path, "scaling")
    for row in ("fills/s, 1 worker", "fills/s, 2 workers", "fill to its commit, 2 workers, p99",
                "CPU time a fill, 200 accounts", "CPU time a fill, 2 partitions"):  # fmt: skip
        assert f"| {row} |" in text


def _page(folder: Path, *parts: str) -> str:
    """The page that a tiny run of these parts writes."""
    page = folder / "RESULTS.md"
    chosen = [word for part in parts for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", "--tiny", "--as-is", *chosen,
         "--write", str(page)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return page.read_text()
