"""The partitions that a worker holds: taken over, worked on turn by turn, made durable, lost."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from schemas.block import Block
from streams.processors.cycle import Cycle
from streams.processors.written import written
from streams.state.partition_log import OPENING
from streams.transport.transaction import Journal, PartitionLostError, Record

log = logging.getLogger(__name__)


class Outcome(Protocol):
    """What `submit` gives back: a commit under way."""

    def result(self) -> Any: ...


Submit = Callable[[Callable[[], None]], Outcome]


class Shards:
    """Turns of a cycle, each durable a partition at a time: outputs and state, all or nothing.

    A turn ends by handing its commits to `submit`; the next turn is worked on meanwhile, and its
    end waits for them. Blocks are done when their partition's commit is. A partition whose journal
    says that another worker has taken it is dropped at once: what it would have published is not.
    """

    def __init__(self, cycle: Cycle, changelog: str, submit: Submit) -> None:
        self.cycle = cycle
        self._changelog = changelog
        self._submit = submit
        self._journals: dict[int, Journal] = {}
        self._under_way: list[tuple[int, Outcome, Counter[str]]] = []
        self._undone: list[Block] = []
        """Blocks whose commits are under way."""
        self.published: Counter[str] = Counter()
        """Outputs that are durable, by topic."""
        self.lost: set[int] = set()
        """Partitions that were taken from us and not given back since."""

    @property
    def held(self) -> frozenset[int]:
        return frozenset(self._journals)

    def take_over(self, partition: int, journal: Journal, image: Mapping[bytes, bytes]) -> None:
        """Hold a partition whose changelog, read after `journal` was opened, is `image`.

        It is lost at once where another worker has opened its journal since.
        """
        self.cycle.take_partition(partition, image)
        self._journals[partition] = journal
        self.lost.discard(partition)
        try:
            journal.commit([Record(self._changelog, *OPENING, partition=partition)])
        except PartitionLostError as error:
            self._lose(partition, error)

    def release(self, partition: int) -> None:
        """Forget a partition that was given to another worker."""
        self.settle()
        self._drop(partition)
        self.lost.discard(partition)

    def turn(
        self, blocks: Iterable[Block], broadcast: Iterable[Block], decide: bool
    ) -> list[Block]:
        """1 to 6 of the cycle; returns the blocks of the last turn, which are durable now.

        Blocks of partitions that are not held are dropped: whoever holds them reads them.
        """
        for block in broadcast:  # 3, so that records find the rules that they need
            self.cycle.take_broadcast(block)
        mine = [block for block in blocks if block.partition in self._journals]  # 1
        for block in mine:
            self.cycle.apply(block)  # 2
        if decide:
            self.cycle.decide()  # 4, 5
        records = self._records(mine)
        done = self.settle()
        self._commit(mine, records)  # 6
        return done

    def settle(self) -> list[Block]:
        """Wait for the commits under way; the blocks that they made durable."""
        for partition, outcome, topics in self._under_way:
            try:
                outcome.result()
                self.published += topics
            except PartitionLostError as error:
                self._lose(partition, error)
        self._under_way.clear()
        done = [block for block in self._undone if block.partition in self._journals]
        self._undone = []
        return done

    def _records(self, blocks: list[Block]) -> dict[int, tuple[list[Record], list[Record]]]:
        """By partition the outputs of a turn, and its state."""
        cycle = self.cycle
        outputs = cycle.take_outputs()
        touched = {block.partition for block in blocks} | outputs.partitions() | cycle.touched()
        ends = {number: cycle.ends(number) for number in sorted(touched & self.held)}
        found = written(outputs, {number: _applied(end) for number, end in ends.items()})
        return {
            number: (found[number], [Record(self._changelog, *p, None, number) for p in pairs])
            for number, pairs in cycle.log.records(ends).items()
        }

    def _commit(
        self, blocks: list[Block], records: Mapping[int, tuple[list[Record], list[Record]]]
    ) -> None:
        # settle may have dropped partitions just now: what was applied of theirs is not durable
        held = self._journals
        for partition, (outputs, state) in records.items():
            if partition in held:
                outcome = self._submit(_committing(held[partition], outputs + state))
                self._under_way.append((partition, outcome, Counter(one.topic for one in outputs)))
        self._undone = [block for block in blocks if block.partition in held]

    def _lose(self, partition: int, error: PartitionLostError) -> None:
        log.warning("partition %d is another worker's now: %s", partition, error)
        self._drop(partition)
        self.lost.add(partition)

    def _drop(self, partition: int) -> None:
        self.cycle.drop_partition(partition)
        journal = self._journals.pop(partition, None)
        if journal is not None:
            journal.close()


def _committing(journal: Journal, records: list[Record]) -> Callable[[], None]:
    return lambda: journal.commit(records)


def _applied(ends: Mapping[str, int]) -> bytes:
    return ",".join(f"{topic}={end}" for topic, end in ends.items()).encode()
