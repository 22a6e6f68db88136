"""How long accounts are without a worker when theirs is killed: cold, and with a standby."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contender import ContenderFailedError
from streams.run.children import Child
from streams.run.topics import ensure_topics
from tests.kafka.broker import ApacheKafka

SESSION_S = 10
PARTITIONS = 8
PATIENCE_S = 90.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FailoverResult:
    """Seconds from the kill until the other worker decides for all partitions, run by run."""

    session_s: int
    cold: list[float]
    warm: list[float]


def measure(*, runs: int, say: Say) -> FailoverResult:
    """Two workers on Apache Kafka, one of them killed, `runs` times without and with a standby."""
    found: dict[int, list[float]] = {0: [], 1: []}
    with ApacheKafka() as kafka, tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            for standbys, several in found.items():
                app = f"failover-{standbys}-{run}"
                several.append(_run(kafka.bootstrap, app, standbys, Path(folder)))
                kind = "with a standby" if standbys else "cold"
                say(f"failover: {kind} {several[-1]:.1f} s, session {SESSION_S} s")
    return FailoverResult(SESSION_S, found[0], found[1])


def _run(bootstrap: str, app: str, standbys: int, folder: Path) -> float:
    ensure_topics(bootstrap, PARTITIONS, app=app)
    workers = [_worker(bootstrap, app, standbys, number, folder) for number in range(2)]
    try:
        half = PARTITIONS // 2
        _await(lambda: [len(_held(w)) for w in workers] == [half, half], workers)
        _await(lambda: len(workers[1].status.get("warm", [])) == half * standbys, workers)
        time.sleep(1.0)  # in the middle of its life, not of its start
        os.kill(workers[0].pid, signal.SIGKILL)
        killed_s = time.monotonic()
        _await(lambda: len(_held(workers[1])) == PARTITIONS, workers[1:])
        return time.monotonic() - killed_s
    finally:
        for worker in workers:
            if worker.running:
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait(5.0)


def _held(worker: Child) -> Sequence[int]:
    """What a worker decides for."""
    held: Sequence[int] = worker.status.get("held", []) if worker.status.get("ready") else []
    return held


def _worker(bootstrap: str, app: str, standbys: int, number: int, folder: Path) -> Child:
    return Child(
        f"worker-{number}",
        ["worker", "--bootstrap", bootstrap, "--app", app, "--partitions", str(PARTITIONS),
         "--instance", f"worker-{number}", "--web-port", str(17_500 + number),
         "--session-timeout-s", str(SESSION_S), "--standbys", str(standbys), "--child"],
        folder / f"{app}-{number}.log",
    )  # fmt: skip


def _await(holds: Callable[[], bool], workers: Sequence[Child]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline:
            raise ContenderFailedError(f"not so within {PATIENCE_S:.0f} s: {workers[-1].status}")
        time.sleep(0.01)
