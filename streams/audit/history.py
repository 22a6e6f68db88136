"""The applied inputs of one partition, and the history of each of its accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.record_codec import decode
from schemas.topics import BY_NAME
from streams.audit.account import CROSS, Book
from streams.audit.judging import record_id
from streams.audit.reading import Entry, Log
from streams.audit.rulebook import Record, Rulebook

BEFORE_ALL = -1


class Step(NamedTuple):
    """A record in the history of an account; steps are booked in ascending order.

    `before` is the fill's own offset, or that of the fill which it falls before: collateral before
    all of them (balances only add up), a leg before the first fill that is later, or after all, a
    payment behind what the engine had applied when it paid it.
    """

    before: float
    is_fill: bool
    order: int
    topic: str
    offset: int
    record: Record

    def label(self, partition: int) -> str:
        """How sentences name it; `partition` is that of its account."""
        if self.topic == "funding":
            return f"funding {self.record['funding_id']}"
        place = f"{self.topic}-{partition} offset {self.offset}"
        return f"{place} ({record_id(self.topic, self.record)})"

    def quantities(self, rules: Rulebook) -> dict[tuple[str, str], int]:
        """(bucket, instrument) -> what it adds to the quantity of a position."""
        record, name = self.record, str(self.record.get("instrument_id"))
        if self.topic == "transfers" and record["quantity_e8"]:
            return {(record["bucket"], name): record["quantity_e8"]}
        if self.is_fill and not rules.contracts[name].spot:
            bucket = name if record["margin_mode"] == "ISOLATED" else CROSS
            sign = 1 if record["side"] == "BUY" else -1
            return {(bucket, name): sign * record["quantity_e8"]}
        return {}


@dataclass(slots=True)
class Partition:
    """A partition's inputs, folded."""

    number: int
    book: Book
    refused: dict[str, set[int]] = field(default_factory=dict)
    """topic -> offsets that were not to be applied."""
    free: list[Step] = field(default_factory=list)
    """Legs and payments in the order in which they were booked."""
    flows_e8: dict[str, int] = field(default_factory=dict)
    """asset -> deposits less withdrawals, adjustments included."""
    ordered_e8: dict[str, dict[str, int]] = field(default_factory=dict)
    """account -> order -> what remains of it, as far as it is told."""
    penalties_e8: dict[int, int] = field(default_factory=dict)
    """Offset of a fill -> what it paid to the insurance fund."""
    outstanding: list[Record] = field(default_factory=list)
    """Legs that were written and not yet read back."""
    unpaid: set[tuple[int, int]] = field(default_factory=set)
    """Payments, by partition and offset, that the engine does not say it made."""
    latest_us: int = 0
    """Largest event time of a fill that was applied."""

    def has_slice(self, account: str) -> bool:
        """Whether this is the partition's slice of a system account."""
        return account.startswith("@") and account.endswith(f"#{self.number}")

    def told(self, step: Step) -> Step:
        """The step with what was found out about it: the penalty that a fill paid."""
        penalty_e8 = self.penalties_e8.get(step.offset) if step.is_fill else None
        if penalty_e8 is None:
            return step
        return step._replace(record={**step.record, "penalty_e8": penalty_e8})

    def applied(self, log: Log) -> Iterator[Step]:
        """All that was applied, topic by topic, with the legs that are still to be read."""
        for topic in ("collateral", "fills"):
            for entry in log.get((topic, self.number), ()):
                if entry.offset not in self.refused[topic]:
                    yield self.told(step_of(topic, entry))
        yield from self.free
        for leg in self.outstanding:
            yield Step(0, False, 0, "transfers", 0, leg)

    def histories(self, log: Log, accounts: Collection[str]) -> dict[str, list[Step]]:
        """The steps of each of these accounts, which are of this partition."""
        found: dict[str, list[Step]] = {account: [] for account in accounts}
        keys = {account.encode(): account for account in accounts}
        for topic in ("collateral", "fills"):
            for entry in log.get((topic, self.number), ()):
                account = keys.get(entry.key or b"")
                if account and entry.offset not in self.refused[topic]:
                    found[account].append(self.told(step_of(topic, entry)))
        legs = [step for step in self.free if step.topic == "transfers"]
        for step in legs:
            if step.record["account_id"] in found:
                found[step.record["account_id"]].append(step)
        traders: dict[str | None, set[str]] = defaultdict(set)
        for account, steps in found.items():
            for step in steps:
                traders[step.record.get("instrument_id")].add(account)
        for step in self.free:
            if step.topic == "funding":
                for account in traders[step.record["instrument_id"]]:
                    found[account].append(step)
        for steps in found.values():
            steps.sort(key=lambda step: step[:3])
        return found


def step_of(topic: str, entry: Entry, record: Record | None = None) -> Step:
    record = record or decode(entry.value, BY_NAME[topic].record)[1]
    before = entry.offset if topic == "fills" else BEFORE_ALL
    return Step(before, topic == "fills", entry.offset, topic, entry.offset, record)
