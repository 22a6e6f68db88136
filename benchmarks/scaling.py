"""How the worker scales: with workers, with accounts, with partitions, on Apache Kafka."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import fills, turning
from benchmarks.changelog_ear import ChangelogEar
from benchmarks.contender import ContenderFailedError, Timing, cpu_seconds
from benchmarks.fills import DEPOSIT_USD, PARTITIONS
from benchmarks.loader import Loader
from benchmarks.peers.changelogs import committed
from benchmarks.reference import ReferenceBook
from benchmarks.turning import Turns
from benchmarks.workload import deposits, opening, trades
from streams.market.events import Event
from streams.run.children import Child
from streams.run.topics import changelog_topic, ensure_topics
from streams.state.ledger import partition_of
from tests.kafka.broker import ApacheKafka

SESSION_S = 60
"""The workers are paused while the fills are produced, and must not be missed meanwhile."""
PATIENCE_S = 300.0
PACED_PER_S = 1_000.0
APP = "scaling"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is tried: fills of a burst and of the paced part, accounts, and how many of what."""

    fills: int
    accounts: int
    paced: int = 4_000
    workers: tuple[int, ...] = (1, 2)
    of_accounts: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    of_partitions: tuple[int, ...] = (1, 8, 64)


@dataclass(frozen=True, slots=True)
class Together:
    """Workers of one group: fills a second of a burst, and milliseconds until a fill is durable."""

    workers: int
    per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Alone:
    """One worker that reads all fills: its timing, its commits, what they cost its broker.

    Bytes are those of keys and values, of a fill and of what the changelog has for one.
    """

    timing: Timing
    commits: int
    broker_cpu_s: float
    fill_bytes: float
    changelog_bytes: float


@dataclass(frozen=True, slots=True)
class ScalingResult:
    """Runs by number of workers; those of one worker by accounts and by partitions."""

    sizes: Sizes
    workers: dict[int, list[Together]]
    accounts: dict[int, list[Alone]]
    partitions: dict[int, list[Alone]]
    turns: Turns


def measure(seed: int, sizes: Sizes, *, runs: int, say: Say) -> ScalingResult:
    """Every size on a broker of its own; ContenderFailedError where a final state is wrong."""
    result = ScalingResult(sizes, {}, {}, {}, turning.measure(seed, max(sizes.of_accounts)))
    for workers in sizes.workers:
        for _ in range(runs):
            one = _together(seed, sizes, workers)
            say(f"scaling: {workers} workers: {one.per_s:,.0f}/s, p99 {one.p99_ms:,.0f} ms")
            result.workers.setdefault(workers, []).append(one)
    for accounts in sizes.of_accounts:
        result.accounts[accounts] = _alone(seed, sizes.fills, accounts, PARTITIONS, runs)
        say(f"scaling: {accounts:,} accounts: {_cost(result.accounts[accounts])}")
    for partitions in sizes.of_partitions:
        timings = _alone(seed, sizes.fills, sizes.accounts, partitions, runs)
        result.partitions[partitions] = timings
        say(f"scaling: {partitions} partitions: {_cost(timings)}")
    return result


def _alone(seed: int, count: int, accounts: int, partitions: int, runs: int) -> list[Alone]:
    """One worker with a stopwatch inside."""
    with ApacheKafka() as kafka:
        load = fills.produce(
            kafka.bootstrap, seed, count, accounts, shares=(), partitions=partitions
        )
        fill_bytes = _bytes(kafka.bootstrap, "fills") / count
        found = []
        for number in range(runs):
            app, used_s = f"{APP}-{number}", cpu_seconds(kafka.pid())
            timing, commits = fills.work(load, app)
            broker_s = cpu_seconds(kafka.pid()) - used_s
            written = _bytes(kafka.bootstrap, changelog_topic(app)) / count
            during = sum(began >= timing.first_s for began, _ in commits)
            found.append(Alone(timing, during, broker_s, fill_bytes, written))
        return found


def _bytes(bootstrap: str, topic: str) -> int:
    """Of the keys and values that are committed."""
    return sum(
        len(one.key() or b"") + len(one.value() or b"") for one in committed(bootstrap, topic)
    )


def _cost(runs: Sequence[Alone]) -> str:
    return ", ".join(
        f"{one.timing.per_s:,.0f}/s {one.timing.cpu_s_a_million:.1f} CPU s" for one in runs
    )


def _together(seed: int, sizes: Sizes, workers: int) -> Together:
    """Workers that have joined are paused, a burst is produced, they go on; then paced fills."""
    stream, book = trades(seed, sizes.accounts, sizes.fills + 50 * sizes.paced), ReferenceBook()
    with ApacheKafka() as kafka, tempfile.TemporaryDirectory() as folder:
        ensure_topics(kafka.bootstrap, PARTITIONS, app=APP)
        loader = Loader(kafka.bootstrap, linger_ms=2)
        loader.send(opening())
        for event in deposits(sizes.accounts, DEPOSIT_USD):
            book.deposit(event.record)
            loader.send([event])
        loader.flush()
        with _group(kafka.bootstrap, workers, Path(folder)) as group:
            _signal(group, signal.SIGSTOP)
            for event in islice(stream, sizes.fills):
                book.fill(event.record)
                loader.send([event])
            loader.flush()
            began_s = time.time()
            _signal(group, signal.SIGCONT)
            _await(lambda: _applied(group, loader.of("fills")), group)
            per_s = sizes.fills / (max(one.status["busy_s"][1] for one in group) - began_s)
            late_ms = _paced(kafka.bootstrap, loader, _of_distinct(stream, sizes.paced, book))
            _await(lambda: _applied(group, loader.of("fills")), group)
            _check(group, loader.of("fills"), book)
    p50, p99 = np.percentile(late_ms, (50, 99)).tolist()
    return Together(workers, per_s, p50, p99)


def _paced(bootstrap: str, loader: Loader, events: Sequence[Event]) -> list[float]:
    """Milliseconds from handing each fill to its producer until its account's commit is seen."""
    with ChangelogEar(bootstrap, changelog_topic(APP)) as ear:
        sent_s, began_s = dict[bytes, float](), time.monotonic()
        for number, event in enumerate(events):
            while (left_s := began_s + number / PACED_PER_S - time.monotonic()) > 0:
                time.sleep(left_s)
            sent_s[event.key.encode()] = time.monotonic()
            loader.send([event])
        heard_s = ear.all_of(sent_s.keys())
    return [(heard_s[key] - sent) * 1_000 for key, sent in sent_s.items()]


def _of_distinct(stream: Iterator[Event], count: int, book: ReferenceBook) -> list[Event]:
    """Fills of so many accounts, one each: a commit of the account is then that of its fill."""
    chosen: dict[str, Event] = {}
    for event in stream:
        if event.key not in chosen:
            chosen[event.key] = event
            book.fill(event.record)
        if len(chosen) == count:
            return list(chosen.values())
    raise ValueError(f"the fills have {len(chosen)} accounts, fewer than the {count} to pace")


@contextmanager
def _group(bootstrap: str, workers: int, folder: Path) -> Iterator[list[Child]]:
    """Workers that hold their part each and have read the deposits."""
    group = [_worker(bootstrap, number, folder) for number in range(workers)]
    try:
        share = PARTITIONS // workers
        _await(lambda: all(len(_held(one)) == share for one in group), group)
        yield group
    finally:
        for worker in group:
            if worker.running:
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait(5.0)


def _worker(bootstrap: str, number: int, folder: Path) -> Child:
    arguments = ["worker", "--bootstrap", bootstrap, "--app", APP]
    arguments += ["--partitions", str(PARTITIONS), "--instance", f"worker-{number}"]
    arguments += ["--web-port", str(17_600 + number), "--session-timeout-s", str(SESSION_S)]
    return Child(f"worker-{number}", [*arguments, "--child"], folder / f"worker-{number}.log")


def _held(worker: Child) -> Sequence[int]:
    held: Sequence[int] = worker.status.get("held", []) if worker.status.get("ready") else []
    return held


def _applied(group: Sequence[Child], counts: dict[int, int]) -> bool:
    """Whether the fills are applied to their ends, by whom ever."""
    reached = [one.status.get("positions", {}) for one in group]
    return all(
        max(places.get(f"fills-{number}", 0) for places in reached) >= count
        for number, count in counts.items()
    )


def _check(group: Sequence[Child], counts: dict[int, int], book: ReferenceBook) -> None:
    """The last worker takes everything over from the changelog, and must have the whole book."""
    *others, last = group
    for worker in others:
        worker.terminate()
        worker.wait(PATIENCE_S)
    _await(lambda: len(_held(last)) == PARTITIONS and _applied([last], counts), [last])
    last.terminate()
    last.wait(PATIENCE_S)
    last.check()
    digest = last.status["final"]["digest"]
    expected = book.digest(lambda account: partition_of(account, PARTITIONS))
    if digest != expected:
        raise ContenderFailedError(f"the book of {len(group)} workers is {digest}, not {expected}")


def _signal(group: Sequence[Child], number: int) -> None:
    for worker in group:
        os.kill(worker.pid, number)


def _await(holds: Callable[[], bool], workers: Sequence[Child]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline:
            raise ContenderFailedError(f"not so within {PATIENCE_S:.0f} s: {workers[-1].status}")
        time.sleep(0.01)
