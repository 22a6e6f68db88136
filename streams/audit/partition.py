"""Folds the inputs of one partition into a book, each record judged, then booked or refused."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from schemas.dead_letter import DeadLetterReason as Reason
from schemas.units import LIMIT_E8
from streams.audit.account import Book, value_e8
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step, step_of
from streams.audit.judging import Judge, record_id
from streams.audit.letters import Letters
from streams.audit.penalties import OpenOrders, penalty_e8
from streams.audit.reading import Log
from streams.audit.returns import Clerk
from streams.audit.rulebook import Record, Rulebook
from streams.audit.written import written

LATE_US = 10_000_000
"""A payment may be due while its record is still on its way to the worker."""
MOST_ORDERS = 50_000
"""Open at once: of one account no more are kept."""
Orders = Mapping[int, Sequence[Mapping[str, Any]]] | None
"""By partition, what the engine says of its own decisions: {"payment": [partition, offset] of its
record, "ends": topic -> the offset behind what was applied when it was paid}, and {"legs": [first,
end] of offsets on `transfers`, "ends"}. None: nothing is known, all falls by event time."""
Fees = tuple[OpenOrders, int]
"""The liquidation orders, and the largest penalty on a fill of theirs in ppm of its notional."""


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
        fees: Fees,
        running: bool = False,
    ) -> None:
        """`running`: what the engine has not read yet is on its way, not lost."""
        self._orders = orders
        self._fees = fees
        self._running = running
        self._written = written(log)
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
        legs = list(self._good(part, "transfers", ends))
        waiting = self._waiting(part, legs)
        clerk = Clerk(
            part.book,
            self._findings,
            self._rules,
            self._written,
            self._fees[0].stopped,
            ordered=self._orders is not None,
        )
        at, book = 0, part.book
        for step in self._good(part, "fills", ends):
            time_us = step.record["event_time"]
            part.latest_us = max(part.latest_us, time_us)
            while at < len(waiting) and waiting[at].is_due(step.offset, time_us):
                self._book_free(part, waiting[at], step.offset, clerk)
                at += 1
            book.fill(self._with_penalty(part, step))
        for one in waiting[at:]:
            self._book_free(part, one, inf, clerk)
        for step in self._good(part, "orders", ends):
            of_account = part.ordered_e8.setdefault(step.record["account_id"], {})
            of_account.pop(step.record["order_id"], None)
            if step.record["remaining_e8"]:
                of_account[step.record["order_id"]] = step.record["remaining_e8"]
        for _ in self._good(part, "auction-bids", ends):
            pass  # they move nothing: that they are right, or have their letters
        self._say_unpaid(part)
        return part

    def _with_penalty(self, part: Partition, step: Step) -> Record:
        record, (orders, fee_ppm) = step.record, self._fees
        order = orders.order_of(record, step.offset) if record["liquidation_id"] else None
        if order is None or not fee_ppm:
            return record
        contract = self._rules.contracts[record["instrument_id"]]
        part.penalties_e8[step.offset] = penalty_e8(contract, record, order, fee_ppm)
        return part.told(step).record

    def _book_free(self, part: Partition, one: _Waiting, before: float, clerk: Clerk) -> None:
        step = one.step
        if step.topic == "transfers":
            step = step._replace(record=clerk.book(step.record, step.offset))
        else:
            part.book.book(step.topic, step.record)
        part.free.append(step._replace(before=before, order=len(part.free)))

    def _waiting(self, part: Partition, legs: list[Step]) -> "list[_Waiting]":
        """Payments and legs in the order in which they fall.

        A payment falls behind the fills and legs that were applied when it was made; so does a leg
        of which that is told, another one before the first fill that is later than it.
        """
        waiting, latest_us, behind = [], 0, 0
        payments = sorted(self._payments(part, legs), key=lambda one: one[0])
        for leg in [*legs, None]:
            while payments and (leg is None or payments[0][0][0] <= leg.offset):
                payment = payments.pop(0)[1]
                behind = max(behind, payment.behind)
                waiting.append(payment)
            if leg is not None:
                told = self._told(part.number, leg.offset)
                latest_us = max(latest_us, leg.record["event_time"])
                behind = max(behind, told or 0)
                waiting.append(_Waiting(leg, behind, None if told is not None else latest_us))
        return waiting

    def _told(self, number: int, offset: int) -> int | None:
        """Behind which fills the engine says that it has booked a leg; None where it does not."""
        for one in (self._orders or {}).get(number, ()):
            if "legs" in one and one["legs"][0] <= offset < one["legs"][1]:
                end: int = one["ends"]["fills"]
                return end
        return None

    def _payments(
        self, part: Partition, legs: Sequence[Step]
    ) -> Iterator[tuple[tuple[float, int], _Waiting]]:
        """The payments made, once each: behind which legs and fills; what is amiss is a finding."""
        if self._orders is None:
            for (_, offset), payment in self._rules.payments.items():
                due_us = payment["event_time"]
                later = (leg.offset for leg in legs if leg.record["event_time"] > due_us)
                step = Step(inf, False, 0, "funding", offset, payment)
                yield (next(later, inf), due_us), _Waiting(step, 0, due_us)
            return
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
                step = Step(inf, False, 0, "funding", source[1], {**record, "behind": ends})
                yield (ends["transfers"], ends["fills"]), _Waiting(step, ends["fills"], None)
        part.unpaid = self._rules.payments.keys() - made if self._orders else set()

    def _say_unpaid(self, part: Partition) -> None:
        """Payments that were due long before the last that was applied, and were not made."""
        clock_us = part.latest_us if self._running else self._rules.clock_us
        for source in part.unpaid:
            record = self._rules.payments[source]
            if record["event_time"] < clock_us - LATE_US and self._has_accounts(part.number):
                self._findings.lost.append(
                    f"partition {part.number}: funding {record['funding_id']} was never paid"
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
                if topic == "transfers":
                    leg = judge.judge(topic, entry).record
                    part.outstanding += [leg] if leg else []
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
            yield step_of(topic, entry, record)
        if self._running:
            self._findings.unread[topic] += unread
        elif unread:
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
