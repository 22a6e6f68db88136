"""Defects of ours, each with what a world that has it is found to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from risk.liquidation.deleveraging import concessions_e8
from schemas.block import Block, Int64s
from streams.processors import candidates, cycle, deleveraging, slices
from streams.processors.candidates import Winner, gains
from streams.processors.shards import Shards
from streams.state import apply_transfers, changelog, partition_log
from streams.state.partition_log import PartitionLog
from streams.transport.transaction import Journal, Record
from tests.simulation.faults import FakeJournal
from tests.simulation.log import CHANGELOG, Entry, FakeBroker, Log
from tests.simulation.worker import SimulatedWorker

Patch = pytest.MonkeyPatch


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


def nothing_is_returned(patch: Patch) -> None:
    patch.setattr(cycle, "return_leg", lambda *_: [])


def whoever_is_asked_takes_it(patch: Patch) -> None:
    patch.setattr(apply_transfers, "_turned_away", lambda *_: [])


def winners_give_a_unit_too_much(patch: Patch) -> None:
    def generous(taken_e8: Int64s, room_e8: Int64s, deficit_e8: int) -> Int64s:
        return concessions_e8(taken_e8, room_e8, deficit_e8 + 1)

    patch.setattr(deleveraging, "concessions_e8", generous)


def gains_are_taken_twice(patch: Patch) -> None:
    def doubled(*place: Any) -> list[Winner]:
        return [
            Winner(
                one.account_id,
                one.bucket,
                2 * one.gain_e8,
                {name: 2 * profit_e8 for name, profit_e8 in one.profits_e8.items()},
            )
            for one in gains(*place)
        ]

    patch.setattr(candidates, "gains", doubled)
    patch.setattr(slices, "gains", doubled)


MUTANTS: dict[Callable[[Patch], None], str] = {
    nobody_is_fenced: "is there 2 times|ChangelogError",
    blocks_are_done_before_their_commit: "acknowledged up to",
    ends_of_the_changelog_are_ignored: "is there 2 times|positions",
    ids_are_not_brought_back: "not refused",
    open_orders_are_not_brought_back: "orders [01]: ",
    readers_see_what_is_not_committed: "is there 2 times|ChangelogError",
    the_changelog_is_read_before_the_old_owner_is_shut_out: "is there 2 times|ChangelogError",
    outputs_are_sent_outside_the_transaction: "is there 2 times",
    nothing_is_returned: "positions|nobody has taken",
    whoever_is_asked_takes_it: "taken: ",
    winners_give_a_unit_too_much: "winners give",
    gains_are_taken_twice: "gained .* and gives",
}
"""A defect of ours -> what a world that has it is found to do."""
