"""A plain consumer loop that carries every topic of the catalogue into the store."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from schemas.topics import TOPICS
from sinks.broker import TIMEOUT_S, admin_client, end_offsets, topic_ids
from sinks.buffers import Buffers
from sinks.clickhouse import REFUSED_TABLE, Delivery, create_tables, deliver, table_name
from sinks.patience import GaveUpError, Patience, waits_s
from sinks.store import Store, StoreBusyError
from sinks.watermarks import Resume, Watermarks

log = logging.getLogger(__name__)

BATCH_ROWS = 50_000
BATCH_AGE_S = 1.0
DRAIN_S = 5.0
FETCH_ROWS = 10_000
POLL_S = 0.1
QUIET_S = 0.5

Report = Callable[[str, int], None]
T = TypeVar("T")


def run(
    *,
    bootstrap: str,
    dsn: str,
    group: str,
    stop: threading.Event,
    report: Report | None = None,
    security: Mapping[str, str] | None = None,
    drain_s: float = DRAIN_S,
    database: str = "plimsoll",
) -> dict[str, int]:
    """Carry records from the topics into the store until `stop`, then drain and leave.

    Parameters
    ----------
    bootstrap : the brokers; `security` is librdkafka's settings of SASL and TLS.
    dsn, database : as `sinks.store.Store` takes them; missing tables are created.
    group : the consumer group. Its members share the partitions; its committed offsets show the
        lag to monitors, but where a partition goes on is read from the store.
    report : called as (table, rows) for each block stored.
    drain_s : how long to go on, after `stop`, until what the topics held then is stored.

    Returns the rows written, by table. Raises StoreError where the store refuses, KafkaException
    where the broker does for good, IntentMismatchError as described there. Whenever it ends, each
    record is stored, or is read again by the next run; none is stored twice.
    """
    with Store(dsn, database=database) as store:
        create_tables(store)
        sink = _Sink(store, _settings(bootstrap, group, security), Patience(stop, drain_s))
        sink.report = report
        try:
            while not stop.is_set():
                sink.turn()
            sink.drain()
        except GaveUpError:
            log.warning("stopped while the store was busy; the rest is read again next time")
        finally:
            sink.close()
        return sink.rows


def _settings(
    bootstrap: str, group: str, security: Mapping[str, str] | None
) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6_000,  # the embedded broker holds a joining group half of it
        "heartbeat.interval.ms": 1_500,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 65_536,
        "log_level": 0,
        **(security or {}),
    }


class _RevokedError(Exception):
    """The partitions were taken away while a call was being repeated."""


class _Sink:
    """The consumer, its buffers and the store; one thread runs it."""

    def __init__(
        self, store: Store, settings: dict[str, str | int | bool], patience: Patience
    ) -> None:
        self.rows: dict[str, int] = {}
        self.report: Report | None = None
        self._store, self._patience, self._admin = store, patience, admin_client(settings)
        self._watermarks, self._buffers = Watermarks(store), Buffers()
        self._ids: dict[str, str] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._generation = 0
        self._consumer = Consumer(settings)
        self._consumer.subscribe(
            [topic.name for topic in TOPICS],
            on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked,
        )  # fmt: skip

    def turn(self) -> None:
        """Read once, and store what is due."""
        self._take(POLL_S)
        if self._buffers.longest >= BATCH_ROWS or self._buffers.age_s >= BATCH_AGE_S:
            self._flush()

    def drain(self) -> None:
        """Read on to the ends the topics have now and store that, while there is time left.

        A broker may understate an end (the embedded one does): the topics count as drained
        only when they have also been quiet for longer than a fetch takes.
        """
        ends: dict[tuple[str, int], int] = {}
        generation, quiet_since = 0, time.monotonic()
        while self._patience.left_s > 0:
            if self._generation != generation:
                ends, generation = self._ends(), self._generation
                quiet_since = time.monotonic()
            if self._take(POLL_S):
                quiet_since = time.monotonic()
            if self._buffers.longest >= BATCH_ROWS:
                self._flush()
            behind = any(self._reached.get(where, 0) < end for where, end in ends.items())
            if generation and not behind and time.monotonic() - quiet_since > QUIET_S:
                break
        while self._flush():
            pass

    def _ends(self) -> dict[tuple[str, int], int]:
        timeout_s = min(max(self._patience.left_s, 0.1), TIMEOUT_S)
        return end_offsets(self._admin, self._consumer.assignment(), timeout_s)

    def close(self) -> None:
        """Leave the group."""
        self._buffers.drop()
        self._consumer.close()

    def _take(self, timeout_s: float) -> int:
        records = []
        for message in self._consumer.consume(FETCH_ROWS, timeout_s):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._reached[message.topic(), message.partition()] = message.offset()
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("broker: %s", error)
        self._buffers.add(records)
        for message in records:
            self._reached[message.topic(), message.partition()] = message.offset() + 1
        return len(records)

    def _flush(self) -> bool:
        """Store what is held: intent, rows, stored, commit, in this order; whether there was any.

        Where a rebalance or the stop comes between, the blocks are given up: their intents
        stand in the store, and whoever has the partitions next repeats exactly them.
        """
        deliveries = [Delivery(block, self._ids[block.topic]) for block in self._buffers.cut()]
        for delivery in deliveries:
            intent = self._buffers.intent(_where(delivery))
            if intent is not None:
                intent.check(delivery)
        if not deliveries:
            return False
        try:
            self._repeat(lambda: self._watermarks.intend(deliveries))
            refused = [self._deliver(delivery) for delivery in deliveries]
            self._repeat(lambda: self._watermarks.stored(deliveries, refused))
        except _RevokedError:
            return False
        for delivery, bad in zip(deliveries, refused, strict=True):
            self._buffers.settled(_where(delivery))
            self._count(table_name(delivery.block.topic), len(delivery.block) - bad)
            self._count(REFUSED_TABLE, bad)
        self._commit(deliveries)
        return True

    def _deliver(self, delivery: Delivery) -> int:
        return self._repeat(lambda: deliver(self._store, delivery))

    def _repeat(self, call: Callable[[], T]) -> T:
        """Call until the store is not busy, staying in the group meanwhile."""
        generation, paused = self._generation, False
        for wait_s in waits_s():
            try:
                result = call()
            except StoreBusyError as error:
                log.warning("the store is busy, again in %.1f s: %s", wait_s, error)
            else:
                if paused:
                    self._consumer.resume(self._consumer.assignment())
                return result
            self._consumer.pause(self._consumer.assignment())
            paused = True
            until = time.monotonic() + wait_s
            while time.monotonic() < until:
                if self._patience.left_s <= 0:
                    raise GaveUpError
                self._take(POLL_S)
                if self._generation != generation:
                    raise _RevokedError
        raise AssertionError("the waits are endless")

    def _count(self, table: str, rows: int) -> None:
        if rows:
            self.rows[table] = self.rows.get(table, 0) + rows
            if self.report is not None:
                self.report(table, rows)

    def _commit(self, deliveries: list[Delivery]) -> None:
        offsets = [TopicPartition(*_where(d), d.last + 1) for d in deliveries]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("offsets not committed, but the store has them: %s", error)

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._forget()
        names = sorted({partition.topic for partition in partitions})
        self._ids = topic_ids(self._admin, names)
        resume = {name: self._resume(name) for name in names}
        for partition in partitions:
            at = resume[partition.topic].get(partition.partition, Resume(OFFSET_BEGINNING))
            partition.offset = at.offset
            if at.intent is not None:
                self._buffers.expect((partition.topic, partition.partition), at.intent)
        consumer.assign(partitions)

    def _resume(self, topic: str) -> dict[int, Resume]:
        for wait_s in waits_s():
            try:
                return self._watermarks.resume(topic, self._ids[topic])
            except StoreBusyError as error:
                if self._patience.left_s <= 0:
                    raise GaveUpError from error
                log.warning("the store is busy, again in %.1f s: %s", wait_s, error)
                time.sleep(wait_s)
        raise AssertionError("the waits are endless")

    def _revoked(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._forget()

    def _forget(self) -> None:
        self._generation += 1
        self._buffers.drop()
        self._reached.clear()


def _where(delivery: Delivery) -> tuple[str, int]:
    return delivery.block.topic, delivery.block.partition
