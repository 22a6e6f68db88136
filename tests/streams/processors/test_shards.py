"""A worker's partitions: nothing is done before it is durable, nothing is published by two."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from schemas.block import Block
from streams.processors.cycle import ACCOUNT_TOPICS, Cycle
from streams.processors.shards import Shards
from streams.state.partition_log import OPENING, Image
from streams.transport.transaction import PartitionLostError, Record
from tests.streams.state.exchange import Bench, deposit, fill, mark

CHANGELOG = "book"


class Ledger:
    """What is durable of one partition, and who may write there."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.owner: object = None


class MemoryJournal:
    """A journal in memory; `fail` is called with the step that is about to happen."""

    def __init__(self, ledger: Ledger, fail: Callable[[str], None] = lambda step: None) -> None:
        self.ledger = ledger
        self.fail = fail

    def open(self) -> None:
        self.ledger.owner = self

    def commit(self, records: Sequence[Record]) -> None:
        self.fail("before commit")
        if self.ledger.owner is not self:
            raise PartitionLostError("fenced")
        self.ledger.records += records
        self.fail("after commit")

    def close(self) -> None: ...


class Later:
    """A commit that happens when somebody waits for it."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def result(self) -> None:
        self._call()


class Desk(Bench):
    """A bench whose blocks go through shards, one partition."""

    def __init__(self, ledger: Ledger, fail: Callable[[str], None] = lambda step: None) -> None:
        super().__init__()
        self.ledger = ledger
        self.shards = Shards(self.cycle, CHANGELOG, Later)
        self.cycle.drop_partition(0)
        journal = MemoryJournal(ledger, fail)
        journal.open()
        image = Image()
        image.take((r.key, r.value) for r in ledger.records if r.topic == CHANGELOG)
        self.shards.take_over(0, journal, image.records)

    def blocks(self, topic: str, *records: dict[str, Any]) -> list[Block]:
        """Blocks as they would be delivered, not applied."""
        caught: list[Block] = []
        apply, self.cycle.apply = self.cycle.apply, caught.append  # type: ignore[method-assign]
        self.send(topic, *records)
        self.cycle.apply = apply  # type: ignore[method-assign]
        return caught


def outputs(ledger: Ledger) -> list[str]:
    return [r.topic for r in ledger.records if r.topic != CHANGELOG]


def test_a_block_is_done_only_when_its_turn_is_durable() -> None:
    desk = Desk(Ledger())
    blocks = desk.blocks("collateral", deposit(1))
    assert desk.shards.turn(blocks, [], decide=True) == []
    assert [r.key for r in desk.ledger.records] == [OPENING[0]]
    assert desk.shards.settle() == blocks
    assert b"alice" in {r.key for r in desk.ledger.records}


def test_the_last_record_of_a_turn_ends_it() -> None:
    desk = Desk(Ledger())
    desk.shards.turn(desk.blocks("collateral", deposit(1)), [], decide=True)
    desk.shards.settle()
    assert desk.ledger.records[-1].key == b"\0partition"
    assert {r.partition for r in desk.ledger.records if r.topic == CHANGELOG} == {0}


def test_a_worker_that_was_replaced_publishes_nothing_and_drops_its_state() -> None:
    ledger = Ledger()
    old = Desk(ledger)
    old.shards.turn(old.blocks("collateral", deposit(1)), [], decide=True)
    new = Desk(ledger)
    assert old.shards.settle() == []
    assert old.shards.lost == {0}
    assert not old.shards.held
    assert not len(old.cycle.ledger.book.accounts)
    assert old.shards.turn(old.blocks("collateral", deposit(2)), [], decide=True) == []
    assert new.balances() == {}
    assert outputs(ledger) == []


def test_what_was_applied_of_a_partition_just_lost_is_not_done() -> None:
    ledger = Ledger()
    old = Desk(ledger)
    old.shards.turn(old.blocks("collateral", deposit(1)), [], decide=True)
    new = Desk(ledger)  # it takes the partition before the turn is durable
    old.shards.turn(old.blocks("collateral", deposit(2)), [], decide=True)
    journal = MemoryJournal(ledger)
    journal.open()
    old.shards.take_over(0, journal, {})
    assert old.shards.settle() == []
    assert new.balances() == {}


def test_it_goes_on_from_what_the_other_left() -> None:
    ledger = Ledger()
    old = Desk(ledger)
    both = old.blocks("collateral", deposit(1), deposit(2, "bob"))
    old.shards.turn(both, [], decide=True)
    old.shards.settle()
    new = Desk(ledger)
    assert new.cycle.read_from("collateral", 0) == 2
    assert new.balances() == old.balances() != {}
    new.shards.turn(both, [], decide=True)
    assert new.cycle.skipped["collateral"] == 2
    assert new.balances() == old.balances()


STEPS = ("before apply", "after apply", "before decide", "after decide", "before commit",
         "after commit")  # fmt: skip


class BrokenError(Exception):
    """The fault of a test."""


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_acknowledges_nothing_that_is_not_durable(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever follows has every record exactly once."""
    armed = False

    def fail(here: str) -> None:
        if armed and here == step:
            raise BrokenError(step)

    ledger = Ledger()
    desk = Desk(ledger, fail)
    blocks = [
        *desk.blocks("collateral", deposit(1), deposit(2, "bob")),
        *desk.blocks("fills", fill(1), fill(2, "bob", side="SELL")),
    ]
    desk.send("prices", mark(1))
    _around(monkeypatch, desk.cycle, "apply", fail)
    _around(monkeypatch, desk.cycle, "decide", fail)
    armed = True
    done: list[Block] = []

    def turn_and_settle() -> None:
        done.extend(desk.shards.turn(blocks, [], decide=True))
        done.extend(desk.shards.settle())

    with pytest.raises(BrokenError):
        turn_and_settle()
    assert done == []
    armed = False
    after = Desk(ledger)
    ends = after.cycle.ends(0)
    durable = ends == {**dict.fromkeys(ACCOUNT_TOPICS, 0), "collateral": 2, "fills": 2}
    assert durable == (step == "after commit")
    after.shards.turn(blocks, [], decide=True)
    after.shards.settle()
    after.send("prices", mark(2))
    whole = Bench()
    whole.send("collateral", deposit(1), deposit(2, "bob"))
    whole.send("fills", fill(1), fill(2, "bob", side="SELL"))
    assert after.balances() == whole.balances()
    assert after.positions() == whole.positions()
    assert dict(+after.cycle.skipped) == ({"collateral": 2, "fills": 2} if durable else {})


def _around(
    monkeypatch: pytest.MonkeyPatch, cycle: Cycle, name: str, fail: Callable[[str], None]
) -> None:
    genuine = getattr(cycle, name)

    def wrapped(*given: Any) -> None:
        fail(f"before {name}")
        genuine(*given)
        fail(f"after {name}")

    monkeypatch.setattr(cycle, name, wrapped)
