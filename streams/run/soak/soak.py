"""A soak: market, load and workers on a real Kafka, faults in seeded order, then the audit."""

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import OffsetSpec

from streams.base.topic_offsets import topic_offsets
from streams.market.contracts import seeded_catalogue
from streams.market.load import Load
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.run.children import Child
from streams.run.soak.faults import LOAD_FAULTS, Brokers, Injector, schedule
from streams.run.soak.fleet import Fleet
from streams.run.soak.verdict import sentences, verdict
from streams.run.topics import ensure_topics

READY_S = 180.0
DRAIN_S = 180.0
TURN_S = 0.2
DAMAGED_PPM = 200
REPEATED_PPM = 500


@dataclass(frozen=True, slots=True)
class Options:
    """What `plimsoll soak` was asked for; see its --help."""

    seed: int
    minutes: float
    faults: list[str]
    workers: int
    partitions: int
    rate: float
    accounts: int
    every_s: float
    session_timeout_s: int
    standbys: int
    cycle_ms: int
    summary: Path | None
    insurance_fund: int = 5_000_000


@dataclass(slots=True)
class Soak:
    """One run; `say` gets a line for everything that is done or found."""

    options: Options
    bootstrap: str
    brokers: Brokers | None = None
    say: Callable[[str], None] = print
    done: Counter[str] = field(default_factory=Counter)
    began_s: float = 0.0

    def run(self) -> int:
        """The exit status: 0 where the audit finds nothing."""
        options = self.options
        app = f"soak-{options.seed}"
        ensure_topics(
            self.bootstrap, options.partitions, min(self.brokers.brokers, 3) if self.brokers else 1,
            app=app,
        )  # fmt: skip
        folder = Path(tempfile.mkdtemp(prefix="plimsoll-soak-"))
        with ExitStack() as stack:
            fleet = Fleet(options.workers, self._worker_arguments(app), folder)
            stack.callback(fleet.stop)
            self._await(lambda: fleet.ready(options.partitions), fleet, READY_S, "workers ready")
            load = Load(
                list(seeded_catalogue().listings.values()),
                seed=options.seed,
                accounts=options.accounts,
                damaged_ppm=DAMAGED_PPM if "damage" in options.faults else 0,
                repeated_ppm=REPEATED_PPM if "duplicate" in options.faults else 0,
            )
            self._hurt(fleet, load, folder)
            unread = self._drain(fleet)
        findings = verdict(self.bootstrap, app, options.partitions)
        self.done.update(load.sent)
        found = {kind: len(said) for kind, said in findings.sentences().items()}
        return self._tell(
            found,
            {
                "seed": options.seed,
                "unread": unread,
                "skipped_replays": sum(fleet.skipped.values()),
                "recomputed": findings.recomputed,
                "faults": {k: n for k, n in self.done.items() if k in options.faults},
                "sent": dict(load.sent),
                "fills_per_s": round(load.sent["fills"] / (options.minutes * 60)),
                "restarts": fleet.restarts,
                "unexpected_ends": fleet.unexpected,
                "records": dict(findings.counts),
                "transfers": dict(findings.transfers),
            },
            sentences(findings),
        )

    def _worker_arguments(self, app: str) -> list[str]:
        options = self.options
        return [
            "worker", "--bootstrap", self.bootstrap, "--app", app,
            "--partitions", str(options.partitions), "--standbys", str(options.standbys),
            "--session-timeout-s", str(options.session_timeout_s),
            "--cycle-ms", str(options.cycle_ms),
        ]  # fmt: skip

    def _hurt(self, fleet: Fleet, load: Load, folder: Path) -> None:
        """Market, load and faults for the whole time; then everything is mended."""
        options, seconds = self.options, self.options.minutes * 60
        market = Child(
            "market",
            ["market", "--bootstrap", self.bootstrap, "--seed", str(options.seed),
             "--accounts", "300", "--fills-per-s", "100", "--child",
             "--insurance-fund", str(options.insurance_fund)],
            folder / "market.log",
        )  # fmt: skip
        stop = threading.Event()
        failed: list[BaseException] = []

        def send() -> None:
            try:
                load.run(self.bootstrap, options.rate, stop)
            except BaseException as error:
                failed.append(error)

        market.await_status("ready", READY_S)
        loader = threading.Thread(target=send, name="load")
        loader.start()
        injector = Injector(fleet, self.brokers)
        faults = schedule(
            [k for k in options.faults if self.brokers or not k.startswith("broker")],
            seed=options.seed, seconds=seconds, every_s=options.every_s,
            workers=options.workers, brokers=self.brokers.brokers if self.brokers else 1,
        )  # fmt: skip
        self.began_s = time.monotonic()
        while (now_s := time.monotonic() - self.began_s) < seconds and not failed:
            while faults and faults[0].at_s <= now_s:
                fault = faults.pop(0)
                self.say(f"{now_s:7.1f} s  {fault.kind} {fault.target}")
                self.done[fault.kind] += 1
                injector.do(fault, now_s)
            for fault in injector.undo(now_s):
                self.say(f"{now_s:7.1f} s  {fault.kind} {fault.target} is over")
            fleet.tend()
            market.check()
            time.sleep(TURN_S)
        injector.mend()
        stop.set()
        loader.join()
        market.terminate()
        market.wait(10.0)
        if failed:
            raise failed[0]
        for kind in LOAD_FAULTS:
            self.done[kind] = load.sent[{"damage": "damaged", "duplicate": "repeated"}[kind]]

    def _drain(self, fleet: Fleet) -> int:
        """Wait until every input is applied; what is left after the patience."""
        places = [
            (topic, number) for topic in ACCOUNT_TOPICS for number in range(self.options.partitions)
        ]
        deadline = time.monotonic() + DRAIN_S
        quiet = 0
        while True:
            fleet.tend()
            connection = {"bootstrap.servers": self.bootstrap, "log_level": "0"}
            (ends,) = topic_offsets(connection, places, OffsetSpec.latest())
            read = fleet.positions()
            left = sum(
                max(end - read.get(f"{topic}-{number}", 0), 0)
                for (topic, number), end in ends.items()
            )
            # what is applied last may cause transfers, which are inputs again
            quiet = quiet + 1 if not left and fleet.ready(self.options.partitions) else 0
            if quiet == 5 or time.monotonic() > deadline:
                self.say(f"{time.monotonic() - self.began_s:7.1f} s  drained, {left} unread")
                for one in fleet.told() if left else ():
                    self.say(one)
                return left
            time.sleep(0.5)

    def _await(self, holds: Callable[[], bool], fleet: Fleet, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                said = "\n".join([*fleet.told(), *fleet.unexpected])
                raise RuntimeError(f"not {what} within {seconds:.0f} s\n{said}")
            fleet.tend()
            time.sleep(TURN_S)

    def _tell(self, found: dict[str, int], run: dict[str, Any], said: list[str]) -> int:
        clean = not any(found.values()) and not run["unread"]
        summary = found | run | {"clean": clean}
        for one in (*said, *summary["unexpected_ends"]):
            self.say(one)
        if self.options.summary:
            self.options.summary.write_text(json.dumps(summary, indent=2) + "\n")
        counted = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in found.items())
        faults = ", ".join(f"{count} {kind}" for kind, count in summary["faults"].items())
        self.say(f"sent {summary['sent']['fills']} fills, {summary['fills_per_s']}/s; {faults}")
        self.say(f"{counted}; {summary['skipped_replays']} replays skipped")
        self.say("transfers: " + ", ".join(f"{n} {k}" for k, n in summary["transfers"].items()))
        self.say("clean" if clean else f"NOT CLEAN: seed {summary['seed']}")
        return 0 if clean else 1
