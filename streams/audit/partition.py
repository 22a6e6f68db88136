"""Folds the inputs of one partition into a book, and tells the history of single accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from schemas.dead_letter import DeadLetterReason as Reason
from schemas.record_codec import decode
from schemas.topics import BY_NAME
from schemas.units import LIMIT_E8
from streams.audit.account import CROSS, Book, value_e8
from streams.audit.findings import Findings
from streams.audit.judging import Judge, record_id
from streams.audit.letters import Letters
from streams.audit.reading import Entry, Log
from streams.audit.rulebook import Record, Rulebook

BEFORE_ALL = -1
LATE_US = 10_000_000
"""A payment may be due while its record is still on its way to the worker."""
MOST_ORDERS = 50_000
"""Open at once: of one account no more are kept."""
Orders = Mapping[int, Sequence[Mapping[str, Any]]]
"""By partition, what the engine says of its own decisions: {"payment": [partition, offset] of its
record, "ends": topic -> the offset behind what was applied when it was paid}, and {"legs": [first,
end] of offsets on `transfers`, "ends"}."""


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

    def has_slice(self, account: str) -> bool:
        """Whether this is the partition's slice of a system account."""
        return account.startswith("@") and account.endswith(f"#{self.number}")

    def histories(self, log: Log, accounts: Collection[str]) -> dict[str, list[Step]]:
        """The steps of each of these accounts, which are of this partition."""
        found: dict[str, list[Step]] = {account: [] for account in accounts}
        keys = {account.encode(): account for account in accounts}
        for topic in ("collateral", "fills"):
            for entry in log.get((topic, self.number), ()):
                account = keys.get(entry.key or b"")
                if account and entry.offset not in self.refused[topic]:
                    found[account].append(_step(topic, entry))
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


class _Waiting(NamedTuple):
    """A step that falls before some fill: one at or after the offset, later than the time."""

    step: Step
    behind: int
    later_than_us: int | None

    def is_due(self, offset: int, time_us: int) -> bool:
        later = self.later_than_us is None or self.later_than_us < time_us
        return later and offset >= self.behind


class Folder:
    """Folds partitions, one after the other; each record is judged, then booked or refused."""

    def __init__(
        self,
        log: Log,
        rules: Rulebook,
        *,
        letters: Letters,
        findings: Findings,
        orders: Orders,
    ) -> None:
        self._orders = orders
        self._log = log
        self._rules = rules
        self._letters = letters
        self._findings = findings

    def fold(self, number: int, ends: Mapping[str, int]) -> Partition:
        """Fold all that the engine claims to have read: `ends` is topic -> its next offset."""
        part = Partition(number, Book(self._rules, number))
        for step in self._good(part, "collateral", ends):
            part.book.book("collateral", step.record)
            if step.record["kind"] != "TRANSFER":
                asset = step.record["asset"]
                part.flows_e8[asset] = part.flows_e8.get(asset, 0) + step.record["amount_e8"]
        waiting = self._waiting(part, list(self._good(part, "transfers", ends)))
        at, book = 0, part.book
        for step in self._good(part, "fills", ends):
            time_us = step.record["event_time"]
            while at < len(waiting) and waiting[at].is_due(step.offset, time_us):
                self._book_free(part, waiting[at], step.offset)
                at += 1
            book.fill(step.record)
        for one in waiting[at:]:
            self._book_free(part, one, inf)
        for step in self._good(part, "orders", ends):
            of_account = part.ordered_e8.setdefault(step.record["account_id"], {})
            of_account.pop(step.record["order_id"], None)
            if step.record["remaining_e8"]:
                of_account[step.record["order_id"]] = step.record["remaining_e8"]
        return part

    def _book_free(self, part: Partition, one: _Waiting, before: float) -> None:
        step = one.step
        part.book.book(step.topic, step.record)
        before = one.behind if step.topic == "funding" else before
        part.free.append(step._replace(before=before, order=len(part.free)))

    def _waiting(self, part: Partition, legs: list[Step]) -> "list[_Waiting]":
        """Payments and legs in the order in which they fall.

        A payment falls behind the fills and legs that were applied when it was made; so does a leg
        of which that is told, another one before the first fill that is later than it.
        """
        waiting, latest_us, behind = [], 0, 0
        payments = sorted(self._payments(part), key=lambda one: (one[0], one[1]))
        for leg in [*legs, None]:
            while payments and (leg is None or payments[0][0] <= leg.offset):
                _, behind, step = payments.pop(0)
                waiting.append(_Waiting(step, behind, None))
            if leg is not None:
                told = self._told(part.number, leg.offset)
                latest_us = max(latest_us, leg.record["event_time"])
                behind = max(behind, told or 0)
                waiting.append(_Waiting(leg, behind, None if told is not None else latest_us))
        return waiting

    def _told(self, number: int, offset: int) -> int | None:
        """Behind which fills the engine says that it has booked a leg; None where it does not."""
        for one in self._orders.get(number, ()):
            if "legs" in one and one["legs"][0] <= offset < one["legs"][1]:
                end: int = one["ends"]["fills"]
                return end
        return None

    def _payments(self, part: Partition) -> Iterator[tuple[int, int, Step]]:
        """The payments made, once each: behind which legs and fills; what is amiss is a finding."""
        findings, number = self._findings, part.number
        made: set[tuple[int, int]] = set()
        for one in self._orders.get(number, ()):
            if "payment" not in one:
                continue
            source, ends = (one["payment"][0], one["payment"][1]), one["ends"]
            record = self._rules.payments.get(source)
            name = f"partition {number}: funding {record['funding_id'] if record else source}"
            if record is None:
                findings.wrong.append(f"{name} was paid, and is no payment")
            elif source in made:
                findings.twice.append(f"{name} was paid again")
            else:
                made.add(source)
                step = Step(inf, False, 0, "funding", source[1], record)
                yield ends["transfers"], ends["fills"], step
        for source in self._rules.payments.keys() - made if self._orders else ():
            record = self._rules.payments[source]
            if record["event_time"] < self._rules.clock_us - LATE_US and self._has_accounts(number):
                findings.lost.append(
                    f"partition {number}: funding {record['funding_id']} was never paid"
                )

    def _has_accounts(self, number: int) -> bool:
        return bool(self._log.get(("collateral", number)) or self._log.get(("fills", number)))

    def _good(self, part: Partition, topic: str, ends: Mapping[str, int]) -> Iterator[Step]:
        """The records of a topic that must be applied, in their order."""
        place = (topic, part.number)
        partitions = sum(1 for name, _ in self._log if name == topic)
        judge = Judge(self._rules, part.number, partitions)
        refused = part.refused.setdefault(topic, set())
        seen: set[str] = set()
        unread = 0
        for entry in self._log.get(place, ()):
            if entry.offset >= ends.get(topic, inf) and not self._letters.has(place, entry.offset):
                unread += 1
                refused.add(entry.offset)
                continue
            verdict = judge.judge(topic, entry)
            record = verdict.record
            identity = record_id(topic, record) if record else None
            also = [Reason.DUPLICATE_ID] if identity in seen else []
            if record and self._letters.has(place, entry.offset) and self._full(part, record):
                also.append(Reason.AMOUNT_OUT_OF_RANGE)
            if not self._letters.applied(place, entry, verdict, also):
                refused.add(entry.offset)
                continue
            assert record is not None
            if identity is not None:
                seen.add(identity)
            yield _step(topic, entry, record)
        if unread:
            self._findings.lost.append(
                f"{topic}-{part.number}: the last {unread} records, from offset "
                f"{ends[topic]} on, were never applied"
            )

    def _full(self, part: Partition, record: Record) -> bool:
        """Whether booking this could take an amount of the account beyond 18 digits.

        Or its open orders beyond their number.
        """
        if "order_id" in record:
            ordered_e8 = part.ordered_e8.get(record["account_id"], {})
            total_e8 = sum(ordered_e8.values()) + record["remaining_e8"]
            return len(ordered_e8) >= MOST_ORDERS or total_e8 > LIMIT_E8
        moves = [abs(record[name]) for name in record if name.endswith("_e8")]
        contract = self._rules.contracts.get(record.get("instrument_id") or "")
        if contract and record.get("price_e8", 0) > 0:
            moves.append(abs(value_e8(contract, record["quantity_e8"], record["price_e8"])))
        account, book = record["account_id"], part.book
        held = [abs(e8) for (owner, *_), e8 in book.balances.items() if owner == account]
        for holders in book.positions.values():
            for (owner, _), amounts in holders.items():
                held.extend(map(abs, amounts if owner == account else ()))
        return max(moves, default=0) + max(held, default=0) > LIMIT_E8


def _step(topic: str, entry: Entry, record: Record | None = None) -> Step:
    record = record or decode(entry.value, BY_NAME[topic].record)[1]
    before = entry.offset if topic == "fills" else BEFORE_ALL
    return Step(before, topic == "fills", entry.offset, topic, entry.offset, record)
