"""From a price to the margin call or liquidation that it causes, at rising rates of prices."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contender, crowd_book
from benchmarks.calm import calmest
from benchmarks.contender import ContenderFailedError
from benchmarks.crowd import Crowd, crowd, listed
from benchmarks.decision_loop import DECISIONS
from benchmarks.desk import Desk
from benchmarks.ears import Ears
from benchmarks.live_worker import WATCHED_PARTITIONS, live_worker
from benchmarks.machine import cpu_times, withheld_share
from benchmarks.ticker import Ticker
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from tests.kafka.broker import ApacheKafka, why_not

OURS, OURS_OF_MORE, LOOP = "Plimsoll", "Plimsoll, 4 partitions", "plain loop"
PARTITIONS = {OURS: WATCHED_PARTITIONS, OURS_OF_MORE: 4, LOOP: WATCHED_PARTITIONS}
"""Of the topics of accounts, by contender."""
UP_TO = {OURS_OF_MORE: 100_000, LOOP: 100_000}
"""Accounts, by contender: what a partition costs in every turn is told by no more of them, and with
more the loop does not catch up with its first ticks within PATIENCE_S."""
ACTIONS = ("CALL", "CANCEL_ORDERS")
"""What is timed: a margin call, and the first order of a liquidation."""
BROKEN_A_SECOND = 80.0
"""So that an exchange's book of a bad day, not the writing of orders, is what is timed."""
KEPT_UP_MS = 500.0
"""A rate is kept up with where p99 is below this ..."""
KEPT_UP_SHARE = 0.95
"""... and the ticks came at this part of the rate at least."""
PATIENCE_S = 120.0
TARGETS = {1_000: 5_000.0, 10_000: 5_000.0, 100_000: 5_000.0, 1_000_000: 2_000.0}
"""Accounts -> ticks a second of the first step of ours, the one whose quantiles are told."""
FIRST_S, MORE_S = 20.0, 5.0
WARM = 0.5
"""Of the first step: it is gone through for so long before it counts, as everybody is cold."""
LOOP_RATES = (10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
ROUND_S, ROUNDS = 1.0, 2
"""After a step, all prices are told again every so often, and so many times at least: a decision
may wait to be confirmed, and who fell behind conflates what it has not read."""
SWITCH_S = 0.0005
"""Who looks at the clock must not wait for who makes ticks: both are threads of one process."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """So many ticks a second for so long."""

    ticks_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """What became of a step: decisions that its ticks caused, and their milliseconds."""

    asked_per_s: float
    ticks_per_s: float
    decisions: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    cpu: float
    """Cores that the contender used."""
    withheld: float
    """The part of the CPU time wanted on this machine that its host kept."""

    @property
    def kept_up(self) -> bool:
        return self.p99_ms < KEPT_UP_MS and self.ticks_per_s > KEPT_UP_SHARE * self.asked_per_s


@dataclass(frozen=True, slots=True)
class DecisionRun:
    """One run: the steps until one was not kept up with."""

    who: str
    accounts: int
    positions: int
    steps: tuple[Stepped, ...]

    @property
    def most_per_s(self) -> float:
        """The highest rate of a step that was kept up with; 0: none."""
        return max((one.ticks_per_s for one in self.steps if one.kept_up), default=0.0)


def measure_all(
    seed: int, crowds: Sequence[int], *, runs: int, tiny: bool, say: Say
) -> list[list[DecisionRun]]:
    """The calmest runs of each number of accounts, of all where none is given, and contender; tiny:
    two short steps on tansu."""
    results = []
    for accounts in (300,) if tiny else crowds or TARGETS:
        for who in PARTITIONS:
            if accounts > UP_TO.get(who, accounts):
                continue
            steps = [Step(50.0, 2.0)] if tiny else _steps(who, accounts)
            say(f"decisions: {who}, {accounts:,} accounts")
            run = partial(measure, seed, accounts, steps, who=who, say=say, embedded=tiny)
            results.append(
                [run() for _ in range(runs)]
                if tiny
                else calmest(run, lambda one: one.steps[0].withheld, runs)
            )
    return results


def _steps(who: str, accounts: int) -> list[Step]:
    """Ours begins at its target and doubles; the loop begins far below what it can do."""
    if who == LOOP:
        return [Step(rate, MORE_S) for rate in LOOP_RATES]
    target = TARGETS[accounts]
    return [Step(target, FIRST_S), *(Step(target * 2**n, MORE_S) for n in (1, 2, 3))]


def measure(
    seed: int, accounts: int, steps: Sequence[Step], *, who: str, say: Say, embedded: bool = False
) -> DecisionRun:
    """One run on a broker of its own, which is Apache Kafka where there is one.

    After each step all prices stand still until everyone who broke has been liquidated.
    Raises ContenderFailedError where they are not exactly those that break.
    """
    steps = [replace(steps[0], seconds=WARM * steps[0].seconds), *steps]
    seconds = sum(step.seconds for step in steps)
    breaking = max(min(round(seconds * BROKEN_A_SECOND), accounts // 2), 2 * len(steps) + 2)
    people = crowd(seed, accounts, breaking)
    broker = EmbeddedBroker() if embedded or why_not() else ApacheKafka()
    given = {"seed": seed, "accounts": accounts, "breaking": breaking}
    given["partitions"] = PARTITIONS[who]
    with broker as running, tempfile.TemporaryDirectory() as folder:
        ensure_topics(running.bootstrap, given["partitions"])
        start = _loop if who == LOOP else _worker
        with start(running.bootstrap, people, given, Path(folder)) as probe:
            done = tuple(probe.go(steps, breaking, say))
    return DecisionRun(who, accounts, people.cash_e8.size * people.cost_e8.shape[1], done)


class Probe:
    """The market and the ears of a run."""

    def __init__(self, bootstrap: str, people: Crowd, ears: Ears, pid: int) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._people = people
        self._ticker = Ticker(bootstrap, listings=listed())
        self._ears = ears
        self._pid = pid

    def go(self, steps: Sequence[Step], breaking: int, say: Say) -> Iterator[Stepped]:
        """Each step but the first, which is there so that all is warm."""
        share, seconds = breaking // (len(steps) + 1), sum(step.seconds for step in steps)
        drop, began_s = self._people.drop_of(share), 0.0
        self._settle(drop)
        for number, step in enumerate(steps):
            began_s += step.seconds
            to = self._people.drop_of(share + round((breaking - share) * began_s / seconds) - 1)
            done, drop = self._step(step, drop, to), to
            say(
                f"decisions: {done.ticks_per_s:,.0f} ticks/s: p50 {done.p50_ms:,.0f} ms, p99 "
                f"{done.p99_ms:,.0f} ms of {done.decisions:,}, {done.cpu:.2f} cores, "
                f"{done.withheld:.1%} withheld"
            )
            if number:
                yield done
                if not done.kept_up:
                    return

    def _step(self, step: Step, drop: float, to: float) -> Stepped:
        ticker, began_s = self._ticker, time.time()
        used_s, since = contender.cpu_seconds(self._pid), cpu_times()
        with ThreadPoolExecutor(1, "ticker") as pool:
            ticking = pool.submit(
                ticker.pace,
                step.seconds,
                step.ticks_per_s,
                lambda second: drop + (to - drop) * min(second / step.seconds, 1.0),
            )
            while not ticking.done():
                self._ears.listen(0.02)
            ticking.result()
        ended_s = time.time()
        cpu = (contender.cpu_seconds(self._pid) - used_s) / (ended_s - began_s)
        per_s, kept = ticker.per_s, withheld_share(since) or 0.0
        self._settle(to)
        late_ms = self._late_ms(began_s, ended_s)
        quantiles = np.quantile(late_ms, (0.5, 0.99, 0.999, 1.0), method="higher")
        p50, p99, p999, most = quantiles.tolist()
        return Stepped(
            step.ticks_per_s, per_s, len(late_ms), p50, p99, p999, most, cpu=cpu, withheld=kept
        )

    def _settle(self, drop: float) -> None:
        """All prices at this drop, until all that break at it are liquidated, and nobody else."""
        expected, began_s, told = self._people.broken(drop), time.monotonic(), 0
        while not expected <= self._ears.accounts("CANCEL_ORDERS") or told < ROUNDS:
            waited_s = time.monotonic() - began_s
            if waited_s >= told * ROUND_S:
                self._ticker.all_at(drop)
                told += 1
            if waited_s > PATIENCE_S:
                break
            self._ears.listen(0.02)
        found = self._ears.accounts("CANCEL_ORDERS")
        if found != expected:
            raise ContenderFailedError(
                f"liquidated: {len(found - expected)} accounts that did not break, "
                f"{len(expected - found)} of {len(expected)} missing"
            )

    def _late_ms(self, began_s: float, ended_s: float) -> list[float]:
        """Of the decisions that ticks of the step caused."""
        firsts = [(one, self._ticker.sent_s(one.source)) for one in self._ears.firsts.values()]
        late = [
            (one.received_s - at_s) * 1_000 for one, at_s in firsts if began_s <= at_s <= ended_s
        ]
        if not late:
            raise ContenderFailedError("no tick of the step caused a decision")
        return late


@contextmanager
def _worker(bootstrap: str, people: Crowd, given: dict[str, Any], folder: Path) -> Iterator[Probe]:
    """A worker that has read the crowd back from its changelog, and an exchange that fills."""
    partitions = given["partitions"]
    crowd_book.write(bootstrap, people, partitions)
    with live_worker(bootstrap, partitions, folder, "--app", crowd_book.APP) as worker:
        worker.await_ready()
        desk = Desk(bootstrap)
        topics = ("margin-calls", "liquidations")
        ears = Ears(bootstrap, desk.fill, topics=topics, actions=ACTIONS)
        yield Probe(bootstrap, people, ears, worker.pid)
        ears.close()
        desk.flush()
        final = worker.end()
        if final["dead_letters"]:
            raise ContenderFailedError(f"dead letters: {final['dead_letters']}")


@contextmanager
def _loop(bootstrap: str, people: Crowd, given: dict[str, Any], folder: Path) -> Iterator[Probe]:
    crowd_book.open_market(bootstrap, DECISIONS)
    command = [sys.executable, "-m", "benchmarks.decision_loop"]
    settings = json.dumps(given | {"bootstrap": bootstrap})
    with (folder / "loop.log").open("w+") as log:
        process = subprocess.Popen(
            [*command, settings], stdout=subprocess.PIPE, stderr=log, cwd=contender.ROOT
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                log.seek(0)
                raise ContenderFailedError(f"the loop did not start: {log.read()[-2000:]}")
            ears = Ears(bootstrap, lambda _: None, topics=(DECISIONS,), actions=ACTIONS,
                        read=lambda _, values: list(map(json.loads, values)))  # fmt: skip
            yield Probe(bootstrap, people, ears, process.pid)
            ears.close()
        finally:
            process.kill()
            process.wait()
