"""Everything in one command: broker, worker, market, sink and live view on this machine."""

import json
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from schemas.topics import BY_NAME, TOPICS
from streams.live.feed import Feed
from streams.live.terminal import Numbers, line, view
from streams.run.broker import EmbeddedBroker
from streams.run.children import Child, ChildFailedError
from streams.run.offsets import Offsets
from streams.run.summary import print_summary, summarise
from streams.run.topics import ensure_topics
from streams.run.waterfall_reader import read_waterfall

READY_S = 240.0
"""The first start on a machine may have to compile the kernels."""
DRAIN_S = 120.0
END_S = 20.0
"""The sink drains for 5 s; what is being asked of its history then has a second more."""
INTERRUPTED_S = 1.5
LINE_S, REFRESH_S = 3.0, 0.5
FIRST_PORT = 16066
WRITTEN_BY_WORKERS = {"transfers", "deleveraging"}
WRITTEN_BY_WORKERS |= {topic.name for topic in TOPICS if topic.sharing == "output"}
SESSION_S = 8
"""A joining worker is held as long; less, and a machine busy for a moment loses its workers."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `plimsoll up` was asked for; see its --help."""

    seed: int
    accounts: int
    options: bool
    fills_per_s: float
    replay: Path | None
    start: datetime | None
    end: datetime | None
    speed: float
    insurance_fund: int
    duration: float | None
    bootstrap: str | None
    partitions: int
    workers: int
    data: Path | None
    summary: Path | None
    svg: Path | None
    history_port: int = 0


def run(options: Options) -> int:
    """Run until the market ends, the duration is over, or Ctrl-C; returns the exit status."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        return _Run(options, stop, stack).go()


class _Run:
    def __init__(self, options: Options, stop: threading.Event, stack: ExitStack) -> None:
        self.options = options
        self.stop = stop
        self.stack = stack
        self.console = Console()
        self.data = options.data or Path(tempfile.mkdtemp(prefix="plimsoll-"))
        if options.data is None:
            stack.callback(shutil.rmtree, self.data, ignore_errors=True)
        self.logs = self.data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.numbers = Numbers()
        self.began = time.monotonic()

    def go(self) -> int:
        options = self.options
        self.bootstrap = bootstrap = options.bootstrap or self._broker()
        ensure_topics(bootstrap, options.partitions)
        self.offsets = Offsets(bootstrap)
        self.sink = self._child(
            "sink", "sink", "--bootstrap", bootstrap,
            "--dsn", f"chdb://{(self.data / 'clickhouse').absolute()}",
            "--history-port", str(options.history_port),
        )  # fmt: skip
        self.workers = [self._worker(bootstrap, number) for number in range(options.workers)]
        self.console.print(
            f"broker {bootstrap}, history in {self.data}, {options.workers} worker(s) starting",
            style="dim",
        )
        self.feed = Feed(bootstrap)
        self.stack.callback(self.feed.close)
        if not self._await_workers():
            return 0
        door = self.sink.await_status("history", READY_S)
        self.console.print(f"history answers at {door}, database plimsoll", style="dim")
        self.market = self._market(bootstrap)
        self.market_began = time.monotonic()
        self._show()
        return self._end()

    def _broker(self) -> str:
        broker = EmbeddedBroker(self.logs / "broker.log")
        self.stack.enter_context(broker)
        return broker.bootstrap

    def _child(self, name: str, *arguments: str) -> Child:
        child = Child(name, [*arguments, "--child"], self.logs / f"{name}.log")
        self.stack.callback(child.wait, 3.0)
        self.stack.callback(child.terminate)
        return child

    def _worker(self, bootstrap: str, number: int) -> Child:
        return self._child(
            f"worker-{number}", "worker", "--bootstrap", bootstrap,
            "--partitions", str(self.options.partitions), "--instance", f"worker-{number}",
            "--session-timeout-s", str(SESSION_S), "--web-port", str(FIRST_PORT + number),
        )  # fmt: skip

    def _market(self, bootstrap: str) -> Child:
        options = self.options
        arguments = [
            "--bootstrap", bootstrap, "--seed", str(options.seed),
            "--accounts", str(options.accounts), "--speed", str(options.speed),
            "--fills-per-s", str(options.fills_per_s / (options.speed or 1)),
            "--insurance-fund", str(options.insurance_fund),
            "--options" if options.options else "--no-options",
        ]  # fmt: skip
        for name, value in (
            ("--replay", options.replay),
            ("--from", options.start),
            ("--to", options.end),
        ):
            if value is not None:
                text = value.isoformat() if isinstance(value, datetime) else str(value)
                arguments += [name, text]
        return self._child("market", "market", *arguments)

    def _await_workers(self) -> bool:
        """Wait until all partitions are owned and read; False where we are asked to stop."""
        deadline, told = time.monotonic() + READY_S, 0
        while not self.stop.is_set():
            self._check()
            read = sum(worker.status.get("recovered", 0) for worker in self.workers)
            if read != told:
                self.console.print(f"recovering: {read:,} records of the changelog", style="dim")
                told = read
            if all(worker.status.get("ready") for worker in self.workers):
                return True
            if time.monotonic() > deadline:
                raise ChildFailedError(f"the workers were not ready within {READY_S:.0f} s")
            time.sleep(0.05)
        return False

    def _check(self) -> None:
        for child in (*self.workers, self.sink):
            child.check()
            if not child.running:
                raise ChildFailedError(f"{child.name} has ended")

    def _show(self) -> None:
        """The live view, or a line every few seconds, until there is a reason to end."""
        duration = float("inf") if self.options.duration is None else self.options.duration

        def over() -> bool:
            if not self.market.status.get("ready"):
                self.market_began = time.monotonic()  # the duration is that of an open market
            late = time.monotonic() >= self.market_began + duration
            return late or self.stop.is_set() or not self.market.running

        if not self.console.is_terminal:
            said = time.monotonic()
            while not over():
                self._refresh()
                if time.monotonic() - said >= LINE_S:
                    said = time.monotonic()
                    print(line(self.feed.picture, self.numbers), flush=True)
            return
        with Live(console=self.console, screen=True, auto_refresh=False) as live:
            while not over():
                self._refresh()
                live.update(view(self.feed.picture, self.numbers), refresh=True)

    def _refresh(self) -> None:
        deadline = time.monotonic() + REFRESH_S
        while (left := deadline - time.monotonic()) > 0 and not self.stop.is_set():
            self.feed.poll(min(left, 0.1))
        self._check()
        self.market.check()
        counts = self._counts(ends := self.offsets.ends())
        now = time.monotonic() - self.began
        before, passed = self.numbers, max(now - self.numbers.up_s, 1e-3)
        self.numbers = Numbers(
            counts=counts,
            up_s=now,
            lag=self._lag(self._positions(), ends),
            prices_per_s=_rate("prices", counts, before, passed),
            fills_per_s=_rate("fills", counts, before, passed),
        )

    def _counts(self, ends: dict[str, int]) -> dict[str, int]:
        """Records a topic: of what workers write in transactions they tell, markers are none."""
        told: Counter[str] = Counter()
        for worker in self.workers:
            told.update(worker.status.get("published", {}))
        return {
            name: told[name] if name in WRITTEN_BY_WORKERS else count
            for name, count in self.offsets.records(ends).items()
        }

    def _positions(self) -> dict[str, int]:
        """Where the workers have read to: the owner's word, or of all of them the last one's."""
        read: dict[str, int] = {}
        told = [worker.status.get("positions", {}) for worker in self.workers]
        for place in {place for one in told for place in one}:
            ends = [one.get(place, 0) for one in told]
            everyone = BY_NAME[place.rsplit("-", 1)[0]].sharing == "broadcast"
            read[place] = min(ends) if everyone else max(ends)
        return read

    @staticmethod
    def _lag(read: dict[str, int], ends: dict[str, int]) -> int:
        return sum(
            max(end - read.get(place, 0), 0)
            for place, end in ends.items()
            if BY_NAME[place.rsplit("-", 1)[0]].sharing != "output"
            and not place.startswith(("auction-bids", "deleveraging"))
        )

    def _unread(self) -> int:
        """Input records that no worker has applied. 0 means that nothing moves any more: what a
        turn publishes is on its topics before the turn's positions are told."""
        read = self._positions()
        return self._lag(read, self.offsets.exact_ends())

    def _end(self) -> int:
        """Stop the market, let the pipeline run dry, stop the rest in order, tell what was."""
        interrupted = self.stop.is_set()
        patience_s = INTERRUPTED_S if interrupted else DRAIN_S
        seconds = time.monotonic() - self.market_began
        self.market.terminate()
        self.market.wait(END_S)
        self.market.check()
        unread = self._await_zero(self._unread, patience_s)
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(END_S if interrupted else READY_S)
            worker.check()
        counts = self._counts(self.offsets.exact_ends())
        self._await_zero(
            lambda: sum(counts.values()) - sum(self.sink.status.get("rows", {}).values()),
            patience_s,
        )
        self.sink.terminate()
        while self.feed.poll(0.05):
            pass
        self.sink.wait(END_S)
        self.sink.check()
        finals = [worker.status.get("final", {}) for worker in self.workers]
        rows = self.sink.status.get("final", {})
        summary = summarise(self.feed.picture, counts, rows, finals, seconds)
        summary |= {"unread": unread, "waterfall": read_waterfall(self.bootstrap).told()}
        if self.options.summary:
            self.options.summary.write_text(json.dumps(summary, indent=2) + "\n")
        if self.options.svg:
            self._picture(self.options.svg)
        print_summary(summary, self.console)
        return 0 if interrupted or summary["conservation"]["exact"] else 1

    def _await_zero(self, left: Callable[[], int], patience_s: float) -> int:
        """Wait until nothing is left, or the patience is; returns what is left."""
        deadline = time.monotonic() + patience_s
        while (number := left()) and time.monotonic() < deadline:
            self.feed.poll(0.05)
            if self.stop.is_set():
                deadline = min(deadline, time.monotonic() + INTERRUPTED_S)
        return number

    def _picture(self, path: Path) -> None:
        recorder = Console(record=True, width=110, file=(self.logs / "view.txt").open("w"))
        recorder.print(view(self.feed.picture, self.numbers))
        recorder.save_svg(str(path), title="plimsoll up")


def _rate(topic: str, counts: dict[str, int], before: Numbers, passed: float) -> float:
    return max(counts.get(topic, 0) - before.counts.get(topic, 0), 0) / passed
