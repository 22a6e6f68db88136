"""What is done to workers and brokers during a soak, when, in seeded order."""

import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from streams.run.soak.fleet import Fleet

PAUSE_S = 20.0
BROKER_DOWN_S = 3.0
SLOW_S = 5.0
STUTTER_S = 0.25
WORKER_FAULTS = ("kill", "pause", "term")
BROKER_FAULTS = ("broker-kill", "broker-pause", "broker-slow")
LOAD_FAULTS = ("damage", "duplicate")
FAULTS = (*WORKER_FAULTS, *BROKER_FAULTS, *LOAD_FAULTS)


class Brokers(Protocol):
    """Broker processes that a soak may hurt."""

    @property
    def brokers(self) -> int: ...
    def kill(self, n: int = 0) -> None: ...
    def start(self, n: int = 0) -> None: ...
    def pause(self, n: int = 0) -> None: ...
    def resume(self, n: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing done at a time (seconds after the beginning) to one target."""

    at_s: float
    kind: str
    target: int


def schedule(
    kinds: list[str], *, seed: int, seconds: float, every_s: float, workers: int, brokers: int
) -> list[Fault]:
    """A fault about every `every_s`, kinds and targets in rotation, times and first ones seeded."""
    draw = random.Random(seed)
    timed = [kind for kind in kinds if kind not in LOAD_FAULTS]
    draw.shuffle(timed)
    faults: list[Fault] = []
    turn = draw.randrange(workers)
    at_s = every_s / 2
    while timed and at_s < seconds:
        kind = timed[len(faults) % len(timed)]
        many = brokers if kind in BROKER_FAULTS else workers
        faults.append(Fault(at_s + draw.uniform(-0.3, 0.3) * every_s, kind, turn % many))
        turn += 1
        at_s += every_s
    return faults


class Injector:
    """Does what the schedule says; what must be undone is undone in its time, or by `mend`."""

    def __init__(self, fleet: Fleet, brokers: Brokers | None) -> None:
        self._fleet = fleet
        self._brokers = brokers
        self._pending: list[tuple[float, Fault]] = []
        self._threads: list[threading.Thread] = []

    def do(self, fault: Fault, now_s: float) -> None:
        fleet, target = self._fleet, fault.target
        if fault.kind == "kill":
            fleet.send(target, signal.SIGKILL)
        elif fault.kind == "term":
            fleet.send(target, signal.SIGTERM)
        elif fault.kind == "pause":
            fleet.send(target, signal.SIGSTOP)
            self._pending.append((now_s + PAUSE_S, fault))
        elif self._brokers is not None:
            self._hurt(self._brokers, fault)

    def undo(self, now_s: float) -> Iterator[Fault]:
        """End what has lasted long enough; the faults that ended."""
        for due in [one for one in self._pending if one[0] <= now_s]:
            self._pending.remove(due)
            self._fleet.send(due[1].target, signal.SIGCONT)
            yield due[1]

    def mend(self) -> None:
        """Everything runs again."""
        for _ in self.undo(float("inf")):
            pass
        for thread in self._threads:
            thread.join()

    def _hurt(self, brokers: Brokers, fault: Fault) -> None:
        """In a thread: a broker takes seconds to come back, and others suffer meanwhile."""
        wait = threading.Event().wait
        target = fault.target

        def kill() -> None:
            brokers.kill(target)
            wait(BROKER_DOWN_S)
            brokers.start(target)

        def stutter(stopped_s: float, running_s: float, seconds: float) -> None:
            for _ in range(round(seconds / (stopped_s + running_s))):
                brokers.pause(target)
                wait(stopped_s)
                brokers.resume(target)
                wait(running_s)

        acts = {
            "broker-kill": kill,
            "broker-pause": lambda: stutter(BROKER_DOWN_S, 0.0, BROKER_DOWN_S),
            "broker-slow": lambda: stutter(STUTTER_S, STUTTER_S, SLOW_S),
        }
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=acts[fault.kind], name=fault.kind))
        self._threads[-1].start()
