"""Runs a contender in a process of its own: settings in as JSON, one line of JSON out."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SESSION_TIMEOUT_S = 4
"""For all contenders: the embedded broker holds each join for half of it."""
TIMEOUT_S = 600.0
ROOT = Path(__file__).parents[1]
"""Where a contender runs, so that its Python finds this package and the schemas."""


class ContenderFailedError(RuntimeError):
    """A contender ended with a failure, or did not end, or its final state is wrong."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a contender's first fill began and its last one was committed; monotonic seconds.

    `cpu_s` is what its process used between the two, all threads of it, in user and system mode;
    `peak_bytes` is the peak of its resident set, 0 where there is no /proc.
    """

    fills: int
    started_s: float
    first_s: float
    last_s: float
    cpu_s: float
    peak_bytes: int

    @property
    def per_s(self) -> float:
        return self.fills / (self.last_s - self.first_s)

    @property
    def cpu_s_a_million(self) -> float:
        """CPU seconds per million fills."""
        return self.cpu_s / self.fills * 1e6

    @property
    def per_s_with_start(self) -> float:
        """Counted from before its process was started."""
        return self.fills / (self.last_s - self.started_s)


def run(module: str, settings: dict[str, Any]) -> tuple[Timing, dict[str, Any]]:
    """As `result_of`, of a contender that applies fills, and its timing."""
    return timed([sys.executable, "-m", module], settings)


def timed(command: list[str], settings: dict[str, Any]) -> tuple[Timing, dict[str, Any]]:
    """As `told_by`, of a contender that applies fills, and its timing."""
    started_s = time.monotonic()
    told = told_by(command, settings)
    seconds = (told["first_s"], told["last_s"], told["cpu_s"])
    return Timing(told["fills"], started_s, *seconds, told["peak_bytes"]), told


def result_of(module: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Run `python -m module` to its end; ContenderFailedError with the end of what it said."""
    return told_by([sys.executable, "-m", module], settings)


def told_by(command: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Run a command, its last argument the settings, to its end; what its last line told."""
    name = Path(command[0]).name + " " + command[-1]
    try:
        done = subprocess.run(
            [*command, json.dumps(settings)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired as error:
        said = str(error.stderr or "")[-2000:]
        raise ContenderFailedError(f"{name} took over {TIMEOUT_S:.0f} s\n{said}") from error
    if done.returncode != 0:
        raise ContenderFailedError(f"{name} ended with {done.returncode}\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


class Stopwatch:
    """In a contender: when its first fill began and its last one was applied, and the CPU time."""

    def __init__(self) -> None:
        self.first_s = 0.0
        self.last_s = 0.0
        self._first_cpu_s = 0.0
        self._last_cpu_s = 0.0

    def begin(self) -> None:
        """Only the first call counts."""
        if not self.first_s:
            self.first_s, self._first_cpu_s = time.monotonic(), time.process_time()

    def applied(self) -> None:
        """The last call counts: after the last fill, or after its commit where that is known."""
        self.last_s, self._last_cpu_s = time.monotonic(), time.process_time()

    @property
    def cpu_s(self) -> float:
        return self._last_cpu_s - self._first_cpu_s


def settings_of_this_process() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    return settings


def tell(stopwatch: Stopwatch, fills: int, **more: Any) -> None:
    """In a contender: the result, its last line."""
    times = {"first_s": stopwatch.first_s, "last_s": stopwatch.last_s, "cpu_s": stopwatch.cpu_s}
    told = {"fills": fills, **times, "peak_bytes": resident("self")[0], **more}
    print(json.dumps(told), flush=True)


def resident(process: int | str) -> tuple[int, int]:
    """Peak and present resident set of a process, bytes; (0, 0) where there is no /proc."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return kib["VmHWM"] * 1024, kib["VmRSS"] * 1024


def cpu_seconds(process: int) -> float:
    """What a process has used so far, in user and system mode; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
