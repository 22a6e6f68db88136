"""The benchmarks of the history run at a tiny size, and check all that they write and ask."""

from pathlib import Path

import pytest

from docs.analysts import questions
from tests.benchmarks.tiny import page

pytestmark = pytest.mark.embedded


def test_the_sink(tmp_path: Path) -> None:
    text = page(tmp_path, "sink")
    for row in ("rows/s, sink, fills, chDB", "rows/s, bare insert, prices, HTTP",
                "sink over bare insert, margin_state, HTTP", "bytes a row, prices"):  # fmt: skip
        assert f"| {row}" in text


def test_all_questions_are_asked(tmp_path: Path) -> None:
    text = page(tmp_path, "questions")
    for number, one in enumerate(questions(), 1):
        assert f"| question {number}: {one.title} | " in text
