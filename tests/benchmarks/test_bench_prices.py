"""The benchmarks of price to decision run at a tiny size; everyone who breaks is liquidated."""

from pathlib import Path

import pytest

from tests.benchmarks.tiny import page

pytestmark = pytest.mark.embedded


def test_latency_and_memory(tmp_path: Path) -> None:
    text = page(tmp_path, "latency", "memory")
    for row in ("price to liquidation, p99", "memory of the worker, peak", "memory an account",
                "start to ready"):  # fmt: skip
        assert f"| {row}" in text
    assert "fills/s, worker" not in text, "what was not measured has no row"


def test_decisions_are_those_of_the_crowd_for_the_worker_and_for_the_loop(tmp_path: Path) -> None:
    text = page(tmp_path, "decisions", "cascade")
    for row in ("Plimsoll | 300 |", "Plimsoll, 4 partitions | 300 |", "plain loop | 300 |",
                "cascade, price to liquidation, p99 |",
                "cascade, windows beyond their cap | 0"):  # fmt: skip
        assert f"| {row}" in text
