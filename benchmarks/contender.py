"""Runs a contender in a process of its own: settings in as JSON, one line of JSON out."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

SESSION_TIMEOUT_S = 4
"""For all contenders: the embedded broker holds each join for half of it."""
TIMEOUT_S = 600.0


class ContenderFailedError(RuntimeError):
    """A contender ended with a failure, or did not end, or its final state is wrong."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a contender's first fill began and its last one was applied; monotonic seconds."""

    fills: int
    started_s: float
    first_s: float
    last_s: float

    @property
    def per_s(self) -> float:
        return self.fills / (self.last_s - self.first_s)

    @property
    def per_s_with_start(self) -> float:
        """Counted from before its process was started."""
        return self.fills / (self.last_s - self.started_s)


def run(module: str, settings: dict[str, Any]) -> tuple[Timing, dict[str, Any]]:
    """As `result_of`, of a contender that applies fills, and its timing."""
    started_s = time.monotonic()
    result = result_of(module, settings)
    return Timing(result["fills"], started_s, result["first_s"], result["last_s"]), result


def result_of(module: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Run `python -m module` to its end; ContenderFailedError with the end of what it said."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, json.dumps(settings)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = str(error.stderr or "")[-2000:]
        raise ContenderFailedError(f"{module} took over {TIMEOUT_S:.0f} s\n{said}") from error
    if done.returncode != 0:
        raise ContenderFailedError(f"{module} ended with {done.returncode}\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Stopwatch:
    """In a contender: when its first fill began and its last one was applied."""

    def __init__(self) -> None:
        self.first_s = 0.0
        self.last_s = 0.0

    def begin(self) -> None:
        """Only the first call counts."""
        self.first_s = self.first_s or time.monotonic()

    def applied(self) -> None:
        self.last_s = time.monotonic()


def settings_of_this_process() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    return settings


def tell(stopwatch: Stopwatch, fills: int, **more: Any) -> None:
    """In a contender: the result, its last line."""
    times = {"first_s": stopwatch.first_s, "last_s": stopwatch.last_s}
    print(json.dumps({"fills": fills, **times, **more}), flush=True)
