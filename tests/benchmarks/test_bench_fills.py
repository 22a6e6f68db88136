"""The benchmarks of fills and kernels run at a tiny size, and check every state that they time."""

from pathlib import Path

import pytest

from tests.benchmarks.tiny import page

pytestmark = pytest.mark.embedded


def test_fills_and_kernels(tmp_path: Path) -> None:
    text = page(tmp_path, "fills", "kernels")
    for row in ("fills/s, worker", "fills/s, plain Faust, table", "worker over plain Faust, dict",
                "implied volatility", "re-margin by tiers, all",
                "portfolio margin, worst losses"):  # fmt: skip
        assert f"| {row}" in text
    assert "digest of the book after all fills: `" in text
