"""Exactly once, whatever crashes, is held up or is reassigned: many seeded worlds, and mutants."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from schemas.block import Block
from streams.processors.shards import Shards
from streams.state import changelog, partition_log
from streams.state.changelog import ChangelogError
from streams.state.partition_log import PartitionLog
from streams.transport.transaction import Journal, Record
from tests.simulation.faults import FakeJournal
from tests.simulation.log import CHANGELOG, Entry, FakeBroker, Log
from tests.simulation.seeds import survey
from tests.simulation.worker import SimulatedWorker
from tests.simulation.world import World

SEEDS = 400
SEEDS_A_MUTANT = 60
SCENARIOS = {
    "a zombie is fenced": 2,
    "crash before acknowledgement": 18,
    "crash taking over another of 2": 9,
    "crash between commits, the first with legs of a takeover": 45,
    "a record sent again across a restart": 2,
    "a contract is settled": 11,
}
"""What happened in a world -> a seed of it; another one is told by `--seeds`, see `seeds.py`."""
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Lost partitions are no news here."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def test_no_seed_breaks_a_promise() -> None:
    outcomes = list(survey(range(SEEDS), processes=2))
    failed = {one.seed: one.findings for one in outcomes if one.findings}
    assert not failed, f"seed {min(failed)}: {failed[min(failed)]}; all: {sorted(failed)}"
    assert sum(one.skipped for one in outcomes) > 0, "nothing came twice: nothing was tested"
    assert set().union(*(one.seen for one in outcomes)) >= SCENARIOS.keys()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str) -> None:
    world = World(SCENARIOS[scenario]).run()
    assert scenario in world.seen
    assert world.findings == []


def test_a_seed_is_one_world() -> None:
    """What failed once fails again: offsets, keys, values and markers are the same."""
    first, second = (World(7).run().broker.logs for _ in range(2))
    assert {place: log.end for place, log in first.items()} == {
        place: log.end for place, log in second.items()
    }
    for place, log in first.items():
        assert [contents(e) for e in log.entries] == [contents(e) for e in second[place].entries]


def contents(entry: Entry) -> tuple[Any, ...]:
    return entry.offset, entry.key, entry.value, entry.headers


def nobody_is_fenced(patch: Patch) -> None:
    patch.setattr(FakeBroker, "is_fenced", lambda *_: False)


def blocks_are_done_before_their_commit(patch: Patch) -> None:
    turn = Shards.turn

    def early(self: Shards, blocks: list[Block], *rest: Any, **more: Any) -> list[Block]:
        turn(self, blocks, *rest, **more)
        return [block for block in blocks if block.partition in self.held]

    patch.setattr(Shards, "turn", early)


def ends_of_the_changelog_are_ignored(patch: Patch) -> None:
    load = PartitionLog.load

    def from_the_start(
        self: PartitionLog,
        partition: int,
        image: Mapping[bytes, bytes],
        catch_up: Callable[[], None],
    ) -> None:
        load(self, partition, image, catch_up)
        self.held[partition].last.clear()

    patch.setattr(PartitionLog, "load", from_the_start)


def ids_are_not_brought_back(patch: Patch) -> None:
    patch.setattr(partition_log, "_ids", lambda image: ())


def open_orders_are_not_brought_back(patch: Patch) -> None:
    patch.setattr(changelog, "_load_orders", lambda *_: None)


def readers_see_what_is_not_committed(patch: Patch) -> None:
    def all_of_it(self: Log, first: int = 0, most: int | None = None) -> list[Entry]:
        return [entry for entry in self.entries if entry.offset >= first][:most]

    patch.setattr(Log, "committed", all_of_it)


def the_changelog_is_read_before_the_old_owner_is_shut_out(patch: Patch) -> None:
    take_over = Shards.take_over

    def late(self: Shards, partition: int, journal: Journal, image: Any) -> None:
        journal.open()
        take_over(self, partition, journal, image)

    def unopened(self: SimulatedWorker, partition: int) -> FakeJournal:
        return FakeJournal(self.world.broker, partition, self.at)

    patch.setattr(Shards, "take_over", late)
    patch.setattr(SimulatedWorker, "_opened", unopened)


def outputs_are_sent_outside_the_transaction(patch: Patch) -> None:
    produce = FakeBroker.produce

    def sent(self: FakeBroker, name: str, epoch: int, record: Record) -> None:
        if record.topic == CHANGELOG:
            produce(self, name, epoch, record)
        else:
            key = record.key.encode() if isinstance(record.key, str) else record.key
            partition = self._partition(record.topic, key)
            self.logs[record.topic, partition].append(key, record.value, record.headers)

    patch.setattr(FakeBroker, "produce", sent)


MUTANTS: dict[Callable[[Patch], None], str] = {
    nobody_is_fenced: "is there 2 times|ChangelogError",
    blocks_are_done_before_their_commit: "acknowledged up to",
    ends_of_the_changelog_are_ignored: "is there 2 times|positions",
    ids_are_not_brought_back: "not refused",
    open_orders_are_not_brought_back: "orders [01]: ",
    readers_see_what_is_not_committed: "is there 2 times|ChangelogError",
    the_changelog_is_read_before_the_old_owner_is_shut_out: "is there 2 times|ChangelogError",
    outputs_are_sent_outside_the_transaction: "is there 2 times",
}
"""A defect of ours -> what a world that has it is found to do."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_world_with_a_defect_is_found(
    mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    found = (findings_of(World(seed)) for seed in range(SEEDS_A_MUTANT))
    assert any(re.search(MUTANTS[mutant], one) for one in found)


def findings_of(world: World) -> str:
    try:
        return " ".join(world.run().findings)
    except ChangelogError as error:  # nobody can take over any more
        return f"ChangelogError: {error}"
