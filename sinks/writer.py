"""Blocks on their way into the store: intent, rows, record of it, each step again until it is done.

The steps of a block, between any two of which the process may die:

1. it is cut from what was read;
2. its bounds and CRC are recorded as PENDING;
3. its rows are inserted under its token;
4. what is no row of its table is set aside in `sink_refused`, under a token of its own;
5. its bounds are recorded as STORED;
6. the group's offset is committed, for lag monitors.

Whoever has the partition next goes on behind 5, or repeats 2 to 5 with exactly the same bounds.
A block that the store refuses for some value in it is cut in two, which start again at 2: nothing
of it was kept, so its bounds are free. A record that is refused alone is set aside.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from sinks.clickhouse import (
    REFUSED_BY_STORE,
    Delivery,
    Outcome,
    TopicPartition,
    deliver,
    set_aside,
    table_name,
)
from sinks.patience import waits_s
from sinks.store import RowsRefusedError, Store, StoreBusyError, StoreError
from sinks.watermarks import Watermarks

log = logging.getLogger(__name__)

REFUSED_IN_A_ROW = 10
"""Records refused by the store with none accepted between: then it is the table, not a record."""


class Step(Enum):
    """What is to be done next for a block."""

    INTEND = 2
    INSERT = 3
    RECORD = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """A block of which every record is durable, those refused in `sink_refused`."""

    delivery: Delivery
    outcome: Outcome


@dataclass(slots=True)
class _Job:
    """A partition's block: its parts in offset order, the first of which is in hand."""

    parts: list[Delivery]
    step: Step = Step.INTEND
    outcome: Outcome = field(default_factory=lambda: Outcome(0))
    due_s: float = 0.0
    waits: Iterator[float] = field(default_factory=waits_s)
    busy: bool = False

    @property
    def delivery(self) -> Delivery:
        return self.parts[0]

    def done(self, step: Step) -> None:
        self.step, self.busy, self.waits = step, False, waits_s()

    def postpone(self) -> float:
        wait_s = next(self.waits)
        self.busy, self.due_s = True, time.monotonic() + wait_s
        return wait_s


class Writer:
    """Takes blocks, at most one a partition, and carries each through its steps.

    `breathe` is called before every insert; it may `drop` blocks.
    """

    def __init__(self, store: Store, breathe: Callable[[], object] = lambda: None) -> None:
        self._store, self._watermarks, self._breathe = store, Watermarks(store), breathe
        self._jobs: dict[TopicPartition, _Job] = {}
        self._refused_in_a_row: dict[TopicPartition, int] = {}

    @property
    def open(self) -> frozenset[TopicPartition]:
        """Partitions with a block on its way."""
        return frozenset(self._jobs)

    @property
    def busy(self) -> frozenset[TopicPartition]:
        """Those of them that wait because the store was busy."""
        return frozenset(where for where, job in self._jobs.items() if job.busy)

    def take(self, delivery: Delivery) -> None:
        """Begin with a block."""
        assert delivery.where not in self._jobs, f"{delivery.where} has a block on its way"
        self._jobs[delivery.where] = _Job([delivery])

    def drop(self, topic: str | None = None) -> None:
        """Forget all blocks, or those of a topic; their intents stand in the store."""
        for where in list(self._jobs):
            if topic in (None, where[0]):
                del self._jobs[where]

    def advance(self) -> list[Stored]:
        """Do all that is due, and return what has been stored by it.

        Raises StoreError where the store refuses for good.
        """
        stored: list[Stored] = []
        while due := self._due():
            self._intend([job for job in due if job.step is Step.INTEND])
            for job in due:
                if job.step is Step.INSERT:
                    self._insert(job)
            stored += self._record([job for job in due if job.step is Step.RECORD])
        return stored

    def _due(self) -> list[_Job]:
        now_s = time.monotonic()
        due = [job for job in self._jobs.values() if job.due_s <= now_s]
        for job in due:
            job.busy = False
        return due

    def _intend(self, jobs: list[_Job]) -> None:
        if jobs and self._tried(
            jobs, lambda: self._watermarks.intend([job.delivery for job in jobs])
        ):
            for job in jobs:
                job.done(Step.INSERT)

    def _insert(self, job: _Job) -> None:
        self._breathe()
        if self._jobs.get(job.delivery.where) is not job:
            return  # it was dropped meanwhile
        where = job.delivery.where

        def insert() -> None:
            job.outcome = deliver(self._store, job.delivery)
            if job.outcome.refused < len(job.delivery.block):
                self._refused_in_a_row.pop(where, None)

        try:
            if self._tried([job], insert):
                job.done(Step.RECORD)
        except RowsRefusedError as error:
            self._divide(job, error)

    def _divide(self, job: _Job, error: RowsRefusedError) -> None:
        delivery = job.delivery
        if len(delivery.block) > 1:
            log.warning("%s is cut in two: %s", _named(delivery), error)
            job.parts[:1] = delivery.halves()
            job.done(Step.INTEND)
            return
        count = self._refused_in_a_row.get(delivery.where, 0) + 1
        if count > REFUSED_IN_A_ROW:
            raise StoreError(
                f"{_named(delivery)}: {REFUSED_IN_A_ROW} records in a row were refused "
                f"before it, so the table must be wrong: {error}"
            ) from error
        log.warning("%s is set aside: %s", _named(delivery), error)
        letter = [(0, REFUSED_BY_STORE, str(error))]
        if self._tried([job], lambda: set_aside(self._store, delivery, letter)):
            self._refused_in_a_row[delivery.where] = count
            job.outcome = Outcome(1)
            job.done(Step.RECORD)

    def _record(self, jobs: list[_Job]) -> list[Stored]:
        jobs = [job for job in jobs if self._jobs.get(job.delivery.where) is job]
        stored = [Stored(job.delivery, job.outcome) for job in jobs]
        deliveries, outcomes = [s.delivery for s in stored], [s.outcome for s in stored]
        if not jobs or not self._tried(jobs, lambda: self._watermarks.stored(deliveries, outcomes)):
            return []
        for job in jobs:
            where = job.parts.pop(0).where
            job.done(Step.INTEND)
            if not job.parts:
                del self._jobs[where]
        return stored

    def _tried(self, jobs: list[_Job], call: Callable[[], object]) -> bool:
        """Whether the call was done; where the store is busy the jobs wait."""
        try:
            call()
        except StoreBusyError as error:
            wait_s = max(job.postpone() for job in jobs)
            named = f"{_named(jobs[0].delivery)} and {len(jobs) - 1} more"
            log.warning("the store is busy for %s, again in %.1f s: %s", named, wait_s, error)
            return False
        except RowsRefusedError:
            raise
        except StoreError as error:
            raise StoreError(f"{_named(jobs[0].delivery)}: {error}") from error
        return True


def _named(delivery: Delivery) -> str:
    topic, partition = delivery.where
    return f"{table_name(topic)}, {topic}/{partition} {delivery.first}-{delivery.last}"
