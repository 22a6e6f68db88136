"""Payments and settlements, each applied to a partition between the fills before and after it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.block import Block, Columns, Int64s
from streams.state.admission import not_ahead
from streams.state.apply_entries import apply_funding
from streams.state.ledger import Ledger
from streams.state.name_table import given
from streams.state.settlement import apply_settlement


@dataclass(frozen=True, slots=True, order=True)
class Payment:
    """What is due on every position of an instrument (its number) at a time.

    In the order in which they fall; what is paid at the moment of a settlement is paid before it.
    """

    time_us: int
    settles: bool
    """It ends the positions at the mark."""
    instrument: int
    rate: float
    mark_e8: int
    source: tuple[int, int] = (0, 0)
    """Partition and offset of its record on `funding`: what tells that it was paid."""


class Funding:
    """All payments, and those that a partition has still to come.

    A payment falls before the first fill of a partition that is later than it, or at the first
    decision at or after its time. So a partition that is rebuilt from its fills pays it on the
    same positions, although payments are read long before the fills.
    """

    def __init__(self, ledger: Ledger, ends: Callable[[int], dict[str, int]]) -> None:
        """`ends(partition)`: by account topic, the offset behind what is applied."""
        self._ledger = ledger
        self._ends = ends
        self._payments: list[Payment] = []
        self._read_to: dict[int, int] = {}
        self._pending: dict[int, list[Payment]] = {}
        """What a partition has not had yet, in the order of time."""

    def take(self, payment: Payment) -> None:
        partition, offset = payment.source
        self._read_to[partition] = offset + 1
        for payments in (self._payments, *self._pending.values()):
            payments.append(payment)
            payments.sort()

    def between(self, block: Block, columns: Columns) -> Iterator[Columns]:
        """The rows of a block in runs; what is due before a run is paid before it is yielded."""
        if block.topic == "fills":
            for payment in list(self._of(block.partition)):
                later = np.flatnonzero(
                    (columns.data["event_time"] > payment.time_us) & not_ahead(block, columns)
                )
                if not len(later):
                    break
                if later[0]:
                    yield columns.chosen(np.arange(later[0]))
                    columns = columns.chosen(np.arange(later[0], len(columns)))
                here = int(block.offsets[columns.rows[0]])
                self._pay(block.partition, payment, {"fills": here})
        if self._settled(block.partition, columns):
            # one by one: each ends for itself, however the rows fell into blocks
            yield from (columns.chosen(np.array([row])) for row in range(len(columns)))
        else:
            yield columns

    def due(self, clock_us: int) -> list[Int64s]:
        """Pay what is due by the clock in every partition of the book; the buckets touched."""
        late = [
            partition
            for partition in range(self._ledger.partitions)
            if (pending := self._pending.get(partition, self._payments))
            and pending[0].time_us <= clock_us
        ]
        accounts, touched = self._ledger.book.accounts, list[Int64s]()
        for partition in late:
            if not (accounts.live & (accounts["partition"] == partition)).any():
                continue
            for payment in list(self._of(partition)):
                if payment.time_us > clock_us:
                    break
                touched.append(self._pay(partition, payment, {}))
        return touched

    def state(self, partition: int) -> dict[str, Any]:
        """What a partition has had, in JSON: all that was read up to an offset but what pends."""
        return {
            "read_to": {str(number): end for number, end in self._read_to.items()},
            "pending": [list(payment.source) for payment in self._of(partition)],
        }

    def is_behind(self, state: Mapping[str, Any]) -> bool:
        """Whether payments were read there that were not read here."""
        read_to: Mapping[str, int] = state["read_to"]
        return any(self._read_to.get(int(place), 0) < end for place, end in read_to.items())

    def restore(self, partition: int, state: Mapping[str, Any]) -> None:
        """What pends is what pended at `state`, and what was read since."""
        pending = {tuple(source) for source in state["pending"]}
        read_to = state["read_to"]
        self._pending[partition] = [
            payment
            for payment in self._payments
            if payment.source in pending
            or payment.source[1] >= read_to.get(str(payment.source[0]), 0)
        ]
        for payment in set(self._payments) - set(self._pending[partition]):
            if payment.settles:
                self._note(partition, payment)

    def forget(self, partition: int) -> None:
        self._pending.pop(partition, None)

    def settle_late(self, partition: int, columns: Columns) -> list[Int64s]:
        """Close at once what came after its instrument was settled: these were just posted to."""
        settled = self._ledger.settled
        return [
            apply_settlement(self._ledger, partition, number, settled[partition, number][1])
            for number in self._settled(partition, columns)
        ]

    def _settled(self, partition: int, columns: Columns) -> list[int]:
        """The instruments named that were settled in the partition, ascending."""
        names, settled = columns.data.get("instrument_id"), self._ledger.settled
        if names is None or not settled:
            return []
        found = np.unique(self._ledger.rules.instrument_table.found(given(names)))
        return [number for number in found.tolist() if (partition, number) in settled]

    def _note(self, partition: int, payment: Payment) -> None:
        how = (payment.time_us, payment.mark_e8)
        self._ledger.settled[partition, payment.instrument] = how

    def _of(self, partition: int) -> list[Payment]:
        return self._pending.setdefault(partition, list(self._payments))

    def _pay(self, partition: int, payment: Payment, ends: dict[str, int]) -> Int64s:
        self._of(partition).remove(payment)
        ends = self._ends(partition) | ends
        self._ledger.tell_order(partition, {"payment": list(payment.source), "ends": ends})
        if payment.settles:
            self._note(partition, payment)
            return apply_settlement(self._ledger, partition, payment.instrument, payment.mark_e8)
        return apply_funding(
            self._ledger, partition, payment.instrument, (payment.rate, payment.mark_e8)
        )
