"""The worker as an operator runs it: a process of the command line, watched from outside."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contender import SESSION_TIMEOUT_S, ContenderFailedError
from streams.run.children import Child

READY_S = 300.0
"""Kernels that are not on disk yet are compiled first, and a large book is read back."""
APPLY_S = 180.0
END_S = 300.0
"""A worker that ends tells the digest of its whole book."""
LOOK_S = 0.05
WATCHED_PARTITIONS = 1
"""Of a worker whose latency is watched: each is a transaction in every turn."""


class LiveWorker:
    """A running worker and what it says of itself."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def status(self) -> dict[str, Any]:
        return self._child.status

    def await_ready(self) -> None:
        self._child.await_status("ready", READY_S)

    def await_fills(self, counts: Mapping[int, int]) -> None:
        """Return once it is ready and has applied `counts` fills by partition."""
        self.await_ready()
        deadline = time.monotonic() + APPLY_S
        while not self._has(counts):
            self._child.check()
            if time.monotonic() > deadline:
                raise ContenderFailedError(f"not all fills were applied in {APPLY_S:.0f} s")
            time.sleep(LOOK_S)

    def end(self) -> dict[str, Any]:
        """Stop it; its final report."""
        self._child.terminate()
        self._child.wait(END_S)
        self._child.check()
        final: dict[str, Any] = self.status["final"]
        return final

    def _has(self, counts: Mapping[int, int]) -> bool:
        reached = self.status.get("positions", {})
        return all(reached.get(f"fills-{number}", 0) >= n for number, n in counts.items())


@contextmanager
def live_worker(bootstrap: str, partitions: int, folder: Path, *more: str) -> Iterator[LiveWorker]:
    """Start a worker, with `more` arguments; it is ended on the way out, whatever happens."""
    arguments = ["worker", "--bootstrap", bootstrap, "--partitions", str(partitions)]
    arguments += ["--session-timeout-s", str(SESSION_TIMEOUT_S), *more, "--child"]
    child = Child("worker", arguments, folder / "worker.log")
    try:
        yield LiveWorker(child)
    finally:
        child.terminate()
        child.wait(END_S)
