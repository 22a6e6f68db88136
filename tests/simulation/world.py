"""Workers, their market and their broker under one seeded scheduler; run it for many seeds."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from schemas.block import Block
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.state.apply_transfers import RETURNS, SOCIALISED
from streams.state.changelog import ChangelogError
from streams.state.partition_log import OPENING, PARTITION
from streams.transport.transaction import PartitionLostError
from tests.simulation.faults import CrashError
from tests.simulation.log import CHANGELOG, FakeBroker
from tests.simulation.mood import CALM, fund_rules, tense
from tests.simulation.oracle import Oracle
from tests.simulation.story import Story
from tests.simulation.worker import SimulatedWorker

STEPS = 30
TENSE_STEPS = 45
DRAIN = 100
RESTS = 20
"""Seconds in which nothing happens at the end: until then all that can end must have ended."""
QUIET = 3
"""As many of them with nothing under way are enough."""
DEPTH = 2
"""While one worker is held up, another may be, and no third one."""
CRASHES = 3
OFTEN = frozenset({
    "before apply", "after apply", "before decide", "after decide", "produced", "before commit",
    "committed", "before another submit", "before acknowledgement",
})  # fmt: skip
"""Points of every turn; those of a take-over are rarer, so that more happens at each."""
WITH_LEGS = "committed with legs of "
BETWEEN = frozenset({"before another submit", "produced", "before commit"})


class World:
    """One run of one seed: `findings` is empty where the pipeline kept its promises."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.broker = FakeBroker(rng.choice((2, 2, 3)))
        self._tense = rng.random() < 0.5
        self.fund_rules = fund_rules(rng)
        self.story = Story(self.broker, rng, tense(rng) if self._tense else CALM)
        self.calm = False
        self.findings: list[str] = []
        self.seen: set[str] = set()
        """What happened in this run: the points of crashes and pauses."""
        self.skipped: Counter[str] = Counter()
        """Records that came again after they were applied, of all lives of all workers."""
        self._crash_rate = rng.choice((0.0, 0.004, 0.01))
        self._pause_rate = rng.choice((0.0, 0.01, 0.03))
        self._crashes = 0
        self._depth = 0
        self._generation = 0
        workers = rng.choice((2, 2, 3))
        self.workers: list[SimulatedWorker | None] = [None] * workers
        self._owner = {number: number % workers for number in range(self.broker.partitions)}

    def run(self) -> "World":
        self.story.open()
        for number in range(len(self.workers)):
            self._start(number)
        for _ in range(TENSE_STEPS if self._tense else STEPS):
            self.step()
        self.calm = True
        self._drain()
        self._note_repeats()
        if self.story.settled:
            self.seen.add("a contract is settled")
        oracle = Oracle(self.broker, self.story, self.fund_rules)
        self.findings += oracle.judge()
        self.seen |= oracle.seen
        return self

    def step(self) -> None:
        """One thing that happens: on the exchange, at the broker, to a worker."""
        roll = self.rng.random()
        if roll < (0.35 if self._tense else 0.22):
            self.story.step()
        elif roll < 0.3:
            self.broker.tell(self.rng.randint(1, 3))
        elif roll < 0.34:
            self._rebalance()
        elif roll < 0.4:
            self._run_a_commit()
        else:
            self._work()

    def at(self, worker: SimulatedWorker, point: str) -> None:
        """A worker passes a point: it may crash there, or be held up while others act."""
        if point == "fenced":
            self.seen.add("a zombie is fenced")
        if self.calm:
            return
        often = 1 if point in OFTEN else 5
        if worker.moved and point in BETWEEN:
            often = 20
        roll = self.rng.random()
        if roll < self._crash_rate * often and self._crashes < CRASHES:
            self._crashes += 1
            self.seen.add(f"crash {point}")
            if point in BETWEEN:
                self.seen |= {f"crash between commits, the first with legs of {kind}"
                              for kind in worker.moved}  # fmt: skip
            raise CrashError(point)
        if roll > 1 - self._pause_rate * often and self._depth < DEPTH:
            self.seen.add(f"pause {point}")
            self._pause(worker)
        if worker.doomed:
            raise CrashError(point)
        if point.startswith(WITH_LEGS):
            worker.moved |= set(point.removeprefix(WITH_LEGS).split(" and "))

    def acknowledged(self, blocks: Iterable[Block]) -> None:
        """What a worker calls done must be durable now."""
        for block in blocks:
            durable = self.durable(block.partition).get(block.topic, 0)
            if int(block.offsets[-1]) >= durable:
                self.findings.append(
                    f"{block.topic}-{block.partition}: acknowledged up to "
                    f"{int(block.offsets[-1])}, durable up to {durable}"
                )

    def _restless(self) -> bool:
        """Whether a fund has something under way that only time brings to an end."""
        states = [self._state(number) for number in range(self.broker.partitions)]
        return any(
            fund["requests"] or fund["auctions"]
            for state in states if state
            for fund in state["funds"].values()
        )  # fmt: skip

    def _passing_on(self) -> bool:
        """Whether a slice has what is not its own, or legs of a system account are on the way."""
        states = [self._state(number) for number in range(self.broker.partitions)]
        ledgers = [worker.cycle.ledger for worker in self.workers if worker]
        return any(state and state["awaited"] for state in states) or any(
            ledger.fund_balance_e8(f"@{name}:USDT#{number}", ledger.rules.asset_number["USDT"])
            for ledger in ledgers
            for name in (SOCIALISED, RETURNS)
            for number in range(self.broker.partitions)
        )

    def durable(self, partition: int) -> dict[str, int]:
        """By topic: up to where the decided turns of a partition have applied its inputs."""
        ends: dict[str, int] = self._state(partition).get("ends", {})
        return ends

    def _state(self, partition: int) -> dict[str, Any]:
        """Of a partition after its last durable turn."""
        for entry in reversed(self.broker.logs[CHANGELOG, partition].entries):
            if entry.key == PARTITION and entry.transaction and entry.transaction.committed:
                state: dict[str, Any] = json.loads((entry.value or b"")[1:])
                return state
        return {}

    def _work(self) -> None:
        number = self.rng.randrange(len(self.workers))
        worker = self.workers[number]
        if worker is None:
            self._start(number)
        elif not worker.busy:
            late = worker.generation != self._generation
            if late and (self.calm or self.rng.random() < 0.6):
                mine = {p for p, owner in self._owner.items() if owner == number}
                self._do(worker, lambda: worker.assign(mine, self._generation))
            else:
                worker.fetch()
                if self.rng.random() < 0.8:
                    self._do(worker, worker.turn)

    def _start(self, number: int) -> None:
        worker = self.workers[number] = SimulatedWorker(self, number)
        if self.rng.random() < 0.5:
            worker.follow(self.rng.randrange(self.broker.partitions))

    def _do(self, worker: SimulatedWorker, action: Callable[[], None]) -> None:
        """Let a worker act, and end it where it fails; only some failures are to be expected."""
        was_busy, worker.busy = worker.busy, True
        try:
            action()
        except CrashError:
            self._end(worker, was_busy)
        except PartitionLostError:
            self.seen.add("fenced in a take-over")
            self._end(worker, was_busy)
        except (AssertionError, ChangelogError) as error:
            self.findings.append(f"{type(error).__name__}: {error}")
            self._end(worker, was_busy)
        finally:
            worker.busy = was_busy

    def _end(self, worker: SimulatedWorker, was_busy: bool) -> None:
        worker.doomed = True
        if was_busy:
            return
        self.skipped.update(worker.cycle.skipped)
        self.workers[worker.number] = None
        if self.rng.random() < 0.6:
            self._give_away(worker.number)

    def _pause(self, worker: SimulatedWorker) -> None:
        self._depth += 1
        if self.rng.random() < 0.5:
            self._give_away(worker.number)
        for _ in range(self.rng.randint(1, 8)):
            self.step()
        self._depth -= 1

    def _run_a_commit(self) -> None:
        """The threads that commit go on, whatever their worker does."""
        waiting = [w for w in self.workers if w and any(not c.begun for c in w.commits)]
        if waiting:
            worker = self.rng.choice(waiting)
            commit = self.rng.choice([c for c in worker.commits if not c.begun])
            self._do(worker, commit.run)
            worker.commits = [c for c in worker.commits if not c.begun]

    def _rebalance(self) -> None:
        self._generation += 1
        for partition in self._owner:
            if self.rng.random() < 0.5:
                self._owner[partition] = self.rng.randrange(len(self.workers))

    def _give_away(self, number: int) -> None:
        """The group takes a worker for dead."""
        self._generation += 1
        others = [one for one in range(len(self.workers)) if one != number]
        for partition, owner in self._owner.items():
            if owner == number:
                self._owner[partition] = self.rng.choice(others)

    def _drain(self) -> None:
        """No faults any more: everyone lives, and everything is delivered and settled."""
        self.story.step()
        rests, quiet = RESTS, 0
        for _ in range(DRAIN):
            self.broker.tell()
            for number in range(len(self.workers)):
                self._settle_down(number)
            self.broker.tell()
            if self._done():
                passing_on = self._passing_on()
                quiet = 0 if passing_on or self._restless() else quiet + 1
                if quiet == QUIET or not (rests or passing_on):
                    break
                rests = max(rests - 1, 0)
                self.story.rest()
        else:
            self.findings.append("what there is to do is not done in the end")
        for worker in self.workers:
            self.skipped.update(worker.cycle.skipped if worker else {})

    def _settle_down(self, number: int) -> None:
        worker = self.workers[number]
        if worker is None:
            self._start(number)
            worker = self.workers[number]
        assert worker is not None
        mine = {p for p, owner in self._owner.items() if owner == number}
        if worker.generation != self._generation or worker.shards.held != mine:
            self._do(worker, lambda: worker.assign(mine, self._generation))
        worker.fetch()
        if not worker.doomed and worker.has_work():
            self._do(worker, worker.turn)
        if not worker.doomed:
            self._do(worker, worker.settle)

    def _note_repeats(self) -> None:
        """Records sent again after a new owner had taken over from where the first was applied."""
        for place, original in self.story.bad.items():
            topic, number, offset = place.rsplit("-", 2)
            first = int(original.rsplit("-", 1)[1]) if original else int(offset)
            ends: dict[str, int] = {}
            for entry in self.broker.logs[CHANGELOG, int(number)].committed():
                if entry.key == PARTITION:
                    ends = json.loads((entry.value or b"")[1:])["ends"]
                elif entry.key == OPENING[0] and first < ends.get(topic, 0) <= int(offset):
                    self.seen.add("a record sent again across a restart")

    def _done(self) -> bool:
        held = sorted(number for worker in self.workers if worker for number in worker.shards.held)
        return held == sorted(self._owner) and all(
            self.durable(number).get(topic, 0) >= self.broker.logs[topic, number].committed_end()
            for number in held
            for topic in ACCOUNT_TOPICS
        )


if __name__ == "__main__":
    from tests.simulation.seeds import main

    main()
