"""The benchmarks run at a tiny size, and check every state that they time."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.embedded


def test_tiny_run_measures_and_checks_everything(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", "--tiny", "--write", str(page)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text()
    for row in ("fills/s, worker", "fills/s, plain Faust, table", "worker over plain Faust, dict",
                "price to liquidation, p99", "memory of the worker, peak"):  # fmt: skip
        assert f"| {row}" in text
    assert "digest of the book after all fills: `" in text
