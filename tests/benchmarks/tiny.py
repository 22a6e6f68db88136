"""The page of results that a benchmark at its tiny size writes, as a user runs it."""

import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 600
"""Only a run that hangs needs as long."""


def page(folder: Path, *parts: str) -> str:
    """What a tiny run of these parts writes; what it checks is right, or it fails."""
    page = folder / "RESULTS.md"
    chosen = [word for part in parts for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", "--tiny", "--as-is", *chosen,
         "--write", str(page)],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return page.read_text()
