"""The benchmarks that need a real Kafka run at a tiny size, and check every state they time."""

from pathlib import Path

import pytest

from tests.benchmarks.tiny import page
from tests.kafka.conftest import need_brokers

pytestmark = pytest.mark.kafka


def test_recovery_and_guarantee(tmp_path: Path) -> None:
    need_brokers()
    text = page(tmp_path, "recovery", "guarantee")
    for row in ("records/s, plain read", "records/s, recovery", "recovery, warm",
                "durable fills/s, transactions on", "commit, transactions off, p99"):  # fmt: skip
        assert f"| {row}" in text
    assert "fills/s, worker" not in text, "what was not measured has no row"


def test_scaling_checks_the_books_of_one_and_of_two_workers(tmp_path: Path) -> None:
    need_brokers()
    text = page(tmp_path, "scaling")
    for row in ("fills/s, 1 worker", "fills/s, 2 workers", "fill to its commit, 2 workers, p99",
                "CPU time a fill, 200 accounts", "CPU time a fill, 2 partitions"):  # fmt: skip
        assert f"| {row} |" in text
