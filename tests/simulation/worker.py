"""A worker of the simulation: the real cycle, shards and inbox, driven as `streams.run` does."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from risk.liquidation.stages import Ladder
from schemas.block import Block
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.intake import Inbox
from streams.processors.shards import Shards
from streams.state.partition_log import Image
from tests.simulation.driver import RULES, WRITTEN_MS
from tests.simulation.faults import Commit, FakeJournal, FaultyCycle
from tests.simulation.log import CHANGELOG, Entry, Place

if TYPE_CHECKING:
    from tests.simulation.world import World

LADDER = Ladder(
    warning_health_ppm=2_500_000, call_health_ppm=1_800_000, confirm_ticks=1,
    call_ms=2_000, step_ms=1_000, max_steps=2,
)  # fmt: skip
HEARD = (*RULES, "deleveraging", "prices")
ORDER = {topic: number for number, topic in enumerate(ACCOUNT_TOPICS)}


class SimulatedWorker:
    """What one process has in memory; a crash is to throw it away."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.busy = False
        """In the middle of something: held up, while others act."""
        self.doomed = False
        """A commit under way has crashed the process: it ends as soon as it goes on."""
        self.moved: set[str] = set()
        """Kinds of the transfers of which a commit of the last turn held legs and is done."""
        self.generation = -1
        self._submits = 0
        self.commits: list[Commit] = []
        self.cycle = FaultyCycle(
            world.broker.partitions,
            ladder=LADDER,
            catch_up=self._catch_up,
            fund_rules=world.fund_rules,
        )
        self.cycle.at = self.at
        self.shards = Shards(self.cycle, CHANGELOG, self._submit)
        self._inbox = Inbox()
        self._fetched = False
        self._ticks: list[Block] = []
        self._heard = dict.fromkeys(HEARD, 0)
        self._next: dict[Place, int] = {}
        self._followed: dict[int, tuple[Image, int]] = {}
        """Warm copies, and up to where each was read."""
        self._ends: dict[Place, int] | None = None
        """Where the inputs ended at the assignment: until they are applied nothing is decided."""
        self._catch_up()

    def at(self, point: str) -> None:
        self.world.at(self, point)

    def assign(self, partitions: set[int], generation: int) -> None:
        """Release what was given away, bring back what was given to us."""
        self.at("before assignment")
        shards, broker = self.shards, self.world.broker
        for partition in shards.held - partitions:
            shards.release(partition)
        shards.lost.intersection_update(partitions)
        new = sorted(partitions - shards.held)
        self._inbox.discard(lambda block: block.partition in shards.held)
        self.at("before journals")
        journals = {number: self._opened(number) for number in new}
        for number in new:
            self._follow(number)
        for number in new:
            self.at(f"taking over {'one' if number == new[0] else 'another'} of {len(new)}")
            image, _ = self._followed.pop(number)
            shards.take_over(number, journals[number], image.records)
        self._ends = {
            (topic, number): broker.logs[topic, number].committed_end()
            for topic in ACCOUNT_TOPICS
            for number in partitions
        }
        self.at("before seek")
        self._next = {place: self._seek(place) for place in self._ends}
        self.generation = generation

    def turn(self) -> None:
        """Turn the cycle, acknowledge what is durable."""
        self._fetched = False
        blocks = sorted(self._inbox.take(), key=lambda block: ORDER[block.topic])
        ticks, self._ticks = self._ticks, []
        self._submits = 0
        done = self.shards.turn(blocks, [*ticks, *self._broadcast()], decide=self._ready())
        self.at("before acknowledgement")
        self.world.acknowledged(done)
        for number in self._followed:
            self._follow(number)

    def settle(self) -> None:
        self.world.acknowledged(self.shards.settle())

    def follow(self, partition: int) -> None:
        """Keep a warm copy of a partition from now on."""
        if partition not in self.shards.held:
            self._follow(partition)

    def has_work(self) -> bool:
        """Whether a turn would find anything to take."""
        logs = self.world.broker.logs
        heard = all(logs[topic, 0].end == first for topic, first in self._heard.items())
        return bool(self._fetched or self._ticks or not heard or self._ends)

    def _submit(self, call: Callable[[], None]) -> Commit:
        self._submits += 1
        if self._submits == 1:
            self.moved.clear()
        else:
            self.at("before another submit")
        commit = Commit(call)
        if self.world.rng.random() < 0.5:
            commit.run()
        else:
            self.commits.append(commit)
        return commit

    def _opened(self, partition: int) -> FakeJournal:
        journal = FakeJournal(self.world.broker, partition, self.at)
        journal.open()
        return journal

    def _follow(self, partition: int) -> None:
        image, first = self._followed.get(partition, (Image(), 0))
        found = self.world.broker.logs[CHANGELOG, partition].committed(first)
        image.take((entry.key, entry.value) for entry in found)
        end = found[-1].offset + 1 if found else first
        self._followed[partition] = (image, end)

    def _seek(self, place: Place) -> int:
        """Where the state ends; a client may be behind that, and then records come again."""
        end, rng = self.cycle.read_from(*place) or 0, self.world.rng
        return max(end - rng.randint(1, 9), 0) if rng.random() < 0.2 else end

    def fetch(self) -> None:
        """Blocks of random sizes; those of a topic may be late, or come again after a rebalance."""
        rng, broker = self.world.rng, self.world.broker
        for place, first in self._next.items():
            if self.world.calm or rng.random() < 0.7:
                most = None if self.world.calm else rng.choice((2, 20, None))
                found = broker.logs[place].committed(first, most)
                if found:
                    self._next[place] = found[-1].offset + 1
                    self._fetched = True
                    self._inbox.put(block_of_entries(*place, found), self._inbox.generation)

    def _ready(self) -> bool:
        if self._ends:
            behind = [place for place, end in self._ends.items() if not self._reached(place, end)]
            self._ends = {place: self._ends[place] for place in behind}
        return self._ends == {}

    def _reached(self, place: Place, end: int) -> bool:
        topic, number = place
        return number not in self.shards.held or self.cycle.ends(number)[topic] >= end

    def _broadcast(self, *, whole: bool = False) -> list[Block]:
        """What has come on the broadcast topics, rules first."""
        rng, blocks = self.world.rng, []
        for topic, first in self._heard.items():
            most = None if whole or self.world.calm else rng.choice((0, 2, None, None))
            found = self.world.broker.logs[topic, 0].committed(first, most)
            if found:
                self._heard[topic] = found[-1].offset + 1
                blocks.append(block_of_entries(topic, 0, found))
        return blocks

    def _catch_up(self) -> None:
        """Take every rule that is there now; prices wait for their turn."""
        for block in self._broadcast(whole=True):
            if block.topic == "prices":
                self._ticks.append(block)
            else:
                self.cycle.take_broadcast(block)


def block_of_entries(topic: str, partition: int, entries: list[Entry]) -> Block:
    """Entries of one log as a block."""
    return Block(
        topic,
        partition,
        np.array([entry.offset for entry in entries], np.int64),
        [entry.key for entry in entries],
        [entry.value for entry in entries],
        np.full(len(entries), WRITTEN_MS),
    )
