"""Worker processes that are put back when they end, as a supervisor does."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streams.run.children import Child

RESTART_S = 1.0


class Fleet:
    """`size` workers, each in its place with its own static name; whoever ends is started again."""

    def __init__(self, size: int, arguments: Sequence[str], folder: Path) -> None:
        self.restarts = 0
        self.unexpected: list[str] = []
        """Workers that ended although nobody had ended them, with the end of their logs."""
        self.skipped: Counter[str] = Counter()
        """Replayed records that workers skipped, of those that have ended."""
        self._arguments = list(arguments)
        self._folder = folder
        self._started = 0
        self._workers = [self._start(place) for place in range(size)]
        self._due_s: dict[int, float] = {}
        self._asked: set[int] = set()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [worker.status for worker in self._workers if worker.running]

    def send(self, place: int, number: signal.Signals) -> None:
        """A signal; one that ends the worker is expected to."""
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._asked.add(place)
        if self._workers[place].running:
            os.kill(self._workers[place].pid, number)

    def tend(self) -> None:
        """Start again whoever has ended, a second later."""
        for place, worker in enumerate(self._workers):
            if worker.running:
                continue
            if place not in self._due_s:
                self._note_end(place, worker)
                self._due_s[place] = time.monotonic() + RESTART_S
            elif time.monotonic() >= self._due_s[place]:
                del self._due_s[place]
                self._workers[place] = self._start(place)
                self.restarts += 1

    def ready(self, partitions: int) -> bool:
        """Whether the workers hold all partitions and have caught up."""
        held = [one.get("held", []) for one in self.statuses if one.get("ready")]
        return sorted(number for part in held for number in part) == list(range(partitions))

    def positions(self) -> dict[str, int]:
        """The furthest that any running worker is, by "topic-partition"."""
        furthest: dict[str, int] = {}
        for status in self.statuses:
            for place, end in status.get("positions", {}).items():
                furthest[place] = max(furthest.get(place, 0), end)
        return furthest

    def told(self) -> list[str]:
        """What each worker said of itself last."""
        return [
            f"{worker.name}: {'runs' if worker.running else 'has ended'}, "
            f"ready {worker.status.get('ready')}, holds {worker.status.get('held')}"
            for worker in self._workers
        ]

    def stop(self) -> None:
        """End all in good order."""
        for worker in self._workers:
            worker.terminate()
        for place, worker in enumerate(self._workers):
            worker.wait(30.0)
            self._asked.add(place)
            self._note_end(place, worker)
            if worker._process.returncode:
                self.unexpected.append(_ended(worker))

    def _start(self, place: int) -> Child:
        self._started += 1
        name = f"worker-{place}"
        return Child(
            name,
            [*self._arguments, "--instance", name, "--web-port", str(17_000 + place), "--child"],
            self._folder / f"{name}-{self._started}.log",
        )

    def _note_end(self, place: int, worker: Child) -> None:
        worker.wait(0.0)
        self.skipped.update(worker.status.get("skipped", {}))
        if place not in self._asked:
            self.unexpected.append(_ended(worker))
        self._asked.discard(place)


def _ended(worker: Child) -> str:
    lines = worker.log_path.read_text(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "no word"
    return f"{worker.name} ended with {worker._process.returncode}: {last} ({worker.log_path})"
