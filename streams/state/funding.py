"""Funding payments, each applied to a partition between the fills before and after its time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from schemas.block import Columns, Int64s
from streams.state.apply_entries import apply_funding
from streams.state.ledger import Ledger


@dataclass(frozen=True, slots=True, order=True)
class Payment:
    """A payment due on every position of an instrument (its number) at a time."""

    time_us: int
    instrument: int
    rate: float
    mark_e8: int


class Funding:
    """All payments, and those that a partition has still to come.

    A payment falls before the first fill of a partition that is later than it, or at the first
    decision at or after its time. So a partition that is rebuilt from its fills pays it on the
    same positions, although payments are read long before the fills.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._payments: list[Payment] = []
        self._pending: dict[int, list[Payment]] = {}
        """What a partition has not had yet, in the order of time."""

    def take(self, time_us: int, instrument: int, rate: float, mark_e8: int) -> None:
        payment = Payment(time_us, instrument, rate, mark_e8)
        for payments in (self._payments, *self._pending.values()):
            payments.append(payment)
            payments.sort()

    def between(self, partition: int, topic: str, columns: Columns) -> Iterator[Columns]:
        """The rows of a block in runs; what is due before a run is paid before it is yielded."""
        if topic == "fills":
            for payment in list(self._of(partition)):
                later = np.flatnonzero(columns.data["event_time"] > payment.time_us)
                if not len(later):
                    break
                if later[0]:
                    yield columns.chosen(np.arange(later[0]))
                    columns = columns.chosen(np.arange(later[0], len(columns)))
                self._pay(partition, payment)
        yield columns

    def due(self, clock_us: int) -> list[Int64s]:
        """Pay what is due by the clock in every partition of the book; the buckets touched."""
        accounts = self._ledger.book.accounts
        touched = []
        for partition in np.unique(accounts["partition"][accounts.live]).tolist():
            for payment in list(self._of(partition)):
                if payment.time_us > clock_us:
                    break
                touched.append(self._pay(partition, payment))
        return touched

    def forget(self, partition: int) -> None:
        self._pending.pop(partition, None)

    def _of(self, partition: int) -> list[Payment]:
        return self._pending.setdefault(partition, list(self._payments))

    def _pay(self, partition: int, payment: Payment) -> Int64s:
        self._of(partition).remove(payment)
        return apply_funding(
            self._ledger, partition, payment.instrument, (payment.rate, payment.mark_e8)
        )
