"""Transactional producers of a partition: a turn's changelog and outputs, all of them or none."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.base.introduction import introduced
from streams.base.patience import PATIENCE_S, patiently
from streams.transport.publisher import (
    BY_KEY,
    Headers,
    Publisher,
    PublishFailedError,
    producer_settings,
)

log = logging.getLogger(__name__)
TRANSACTION_TIMEOUT_MS = 30_000
"""How long a worker that vanished may hold up readers of committed records, if none follows it."""
FENCED = frozenset({
    KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
})  # fmt: skip


class PartitionLostError(RuntimeError):
    """Another worker has taken the partition: nothing of this turn was published."""


class Record(NamedTuple):
    """One record to produce."""

    topic: str
    key: str | bytes | None
    value: bytes
    headers: Headers | None = None
    partition: int = BY_KEY


class Journal(Protocol):
    """Makes the turns of one partition durable."""

    def open(self) -> None:
        """Shut out whoever held the partition before."""

    def commit(self, records: Sequence[Record]) -> None:
        """Return when all records are durable; PartitionLostError where another has taken over.

        The last record is the one that ends the turn.
        """

    def close(self) -> None: ...


class TransactionJournal:
    """A transaction a turn. `transactional_id` is the partition's own, whoever holds it.

    Two producers take turns: a broker refuses a producer's next transaction until all logs have
    heard of its last one, and the client then waits for 20 ms (KAFKA-5477). A transaction begins
    when the one before is decided, so readers of committed records see them in order.
    """

    def __init__(
        self, bootstrap: str, transactional_id: str, security: dict[str, str] | None = None
    ) -> None:
        self._name = transactional_id
        self._producer, self._next = (
            Producer({
                **producer_settings(bootstrap, security),
                "transactional.id": name,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            })
            for name in (transactional_id, f"{transactional_id}-b")
        )  # fmt: skip

    def open(self) -> None:
        for producer in (self._producer, self._next):
            introduced(producer)
            patiently(partial(producer.init_transactions, 10.0), _retriable)

    def commit(self, records: Sequence[Record]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.begin_transaction()
                for record in records:
                    self._produce(record)
                patiently(lambda: self._producer.commit_transaction(10.0), _retriable)
            except KafkaException as error:
                self._abort(error, deadline)
            else:
                self._producer, self._next = self._next, self._producer
                return

    def close(self) -> None:
        """Leave; an open transaction is aborted by whoever comes next."""
        for producer in (self._producer, self._next):
            producer.purge()
            with suppress(KafkaException):  # a fenced one says again that it is
                producer.flush(1.0)

    def _produce(self, record: Record) -> None:
        topic, key, value, headers, partition = record
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                self._producer.poll(0.05)  # the queue is full: let deliveries drain it
            else:
                return

    def _why_fatal(self, told: KafkaError) -> KafkaError:
        """What lies behind "fatal": the next call of the transaction says it."""
        try:
            self._producer.abort_transaction(1.0)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            return reason
        return told

    def _abort(self, error: KafkaException, deadline: float) -> None:
        """Abort so that the same turn can be tried again, or say why it cannot."""
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError._FATAL:
            reason = self._why_fatal(reason)
        if reason.code() in FENCED:
            raise PartitionLostError(f"{self._name}: {reason.str()}") from error
        if not reason.txn_requires_abort() or time.monotonic() > deadline:
            raise PublishFailedError(f"{self._name}: {reason.str()}") from error
        log.warning("%s: the turn is tried again: %s", self._name, reason.str())
        try:
            patiently(lambda: self._producer.abort_transaction(10.0), _retriable)
        except KafkaException as abort:
            self._abort(abort, deadline)


def _retriable(error: Exception) -> bool:
    """Whether the client says that the same call may go through."""
    return bool(error.args[0].retriable())


class PlainJournal:
    """Without transactions: outputs first, then what ends the turn. Nothing is fenced.

    For brokers that have none. After a crash the outputs of one turn may be there twice, with the
    same ids; the state is exact, because a turn counts only once its last record is there.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def open(self) -> None: ...

    def commit(self, records: Sequence[Record]) -> None:
        for run in (records[:-1], records[-1:]):
            for record in run:
                self._publisher.publish(
                    record.topic, record.key, record.value, record.headers, record.partition
                )
            self._publisher.flush()

    def close(self) -> None: ...
