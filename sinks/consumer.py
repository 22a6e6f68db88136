"""A plain consumer loop that carries every topic of the catalogue into the store."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.topics import TOPICS
from sinks.broker import TIMEOUT_S, connection_of, end_offsets, settings_of, topic_ids
from sinks.buffers import Buffers
from sinks.clickhouse import REFUSED_TABLE, table_name
from sinks.patience import Patience, waits_s
from sinks.schema import create_tables
from sinks.store import Store, StoreBusyError
from sinks.watermarks import Resume, Watermarks
from sinks.writer import Stored, Writer
from streams.base.introduction import introduced

log = logging.getLogger(__name__)

BATCH_ROWS = 50_000
BATCH_BYTES = 16 * 2**20
BATCH_AGE_S = 1.0
DRAIN_S = 5.0
FETCH_ROWS = 10_000
POLL_S = 0.1
QUIET_S = 0.5
BREATH_S = 5.0
"""The group is heard at least that often while blocks are inserted, one insert excepted."""

Report = Callable[[str, int], None]


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
    keep_days: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Carry records from the topics into the store until `stop`, then drain and leave.

    Parameters
    ----------
    bootstrap : the brokers; `security` is librdkafka's settings of SASL and TLS.
    dsn, database : as `sinks.store.Store` takes them; missing tables are created.
    group : the consumer group. Its members share the partitions; its committed offsets show the
        lag to monitors, but where a partition goes on is read from the store.
    report : called as (table, rows) for each block stored.
    keep_days : as `sinks.schema.create_tables` takes it.
    drain_s : how long to go on, after `stop`, until what the topics held then is stored.

    Returns the rows written, by table. Raises StoreError where the store refuses, KafkaException
    where the broker does for good, IntentMismatchError as described there. Whenever it ends, each
    record is stored, or is read again by the next run; none is stored twice.
    """
    patience = Patience(stop, drain_s)
    store = _opened(dsn, database, keep_days, patience)
    if store is None:
        return {}
    with store:
        sink = _Sink(store, settings_of(bootstrap, group, security), patience)
        sink.report = report
        try:
            while not stop.is_set():
                sink.turn()
            sink.drain()
        finally:
            sink.close()
        return sink.rows


def _opened(
    dsn: str, database: str, keep_days: Mapping[str, int] | None, patience: Patience
) -> Store | None:
    """The store with all tables, as soon as it answers; None where the time to stop comes first."""
    for wait_s in waits_s():
        try:
            store = Store(dsn, database=database)
            create_tables(store, keep_days)
        except StoreBusyError as error:
            log.warning("no store yet, again in %.1f s: %s", wait_s, error)
        else:
            return store
        if patience.left_s < wait_s:
            return None
        patience.sleep(wait_s)
    raise AssertionError("the waits are endless")


class _Sink:
    """The consumer, its buffers and the writer; one thread runs it."""

    def __init__(
        self, store: Store, settings: dict[str, str | int | bool], patience: Patience
    ) -> None:
        self.rows: dict[str, int] = {}
        self.report: Report | None = None
        self._patience, self._connection = patience, connection_of(settings)
        self._admin = AdminClient(self._connection)
        self._watermarks, self._buffers = Watermarks(store), Buffers()
        self._writer = Writer(store, self._breathe)
        self._ids: dict[str, str] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._paused: frozenset[tuple[str, int]] = frozenset()
        self._unresolved: list[TopicPartition] = []
        self._resolve_at_s, self._waits = 0.0, waits_s()
        self._generation = 0
        self._heard_s = time.monotonic()
        self._consumer = Consumer(settings)
        self._consumer.subscribe(
            [topic.name for topic in TOPICS],
            on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked,
        )  # fmt: skip

    def turn(self) -> None:
        """Read once, and store what is due."""
        self._take(POLL_S)
        self._write(all_of_it=self._buffers.age_s >= BATCH_AGE_S)

    def drain(self) -> None:
        """Read on to the ends the topics have now and store that, while there is time left.

        A broker may understate an end (the embedded one does): the topics count as drained
        only when they have also been quiet for longer than a fetch takes.
        """
        ends: dict[tuple[str, int], int] = {}
        generation, quiet_since = 0, time.monotonic()
        while self._patience.left_s > 0:
            if self._generation != generation and not self._unresolved:
                ends = self._ends()
                if len(ends) == len(self._consumer.assignment()):  # else it is asked again
                    generation = self._generation
                quiet_since = time.monotonic()
            if self._take(POLL_S):
                quiet_since = time.monotonic()
            behind = any(self._reached.get(where, 0) < end for where, end in ends.items())
            quiet = time.monotonic() - quiet_since > QUIET_S
            drained = generation == self._generation > 0 and not behind and quiet
            self._write(all_of_it=drained)
            if drained and not self._buffers.rows and not self._writer.open:
                return
        self._write(all_of_it=True)
        if self._buffers.rows or self._writer.open:
            log.warning("stopped before all was stored; the rest is read again next time")

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _ends(self) -> dict[tuple[str, int], int]:
        timeout_s = min(max(self._patience.left_s, 0.1), TIMEOUT_S)
        # a client of its own each time: one keeps asking for a leader's epoch that is over
        asking = introduced(AdminClient(self._connection))
        return end_offsets(asking, self._consumer.assignment(), timeout_s)

    def _take(self, timeout_s: float) -> int:
        self._resolve()
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
        self._heard_s = time.monotonic()
        self._buffers.add(records)
        for message in records:
            self._reached[message.topic(), message.partition()] = message.offset() + 1
        return len(records)

    def _breathe(self) -> None:
        if time.monotonic() - self._heard_s > BREATH_S:
            self._take(0)

    def _write(self, *, all_of_it: bool) -> None:
        """Begin with the blocks that are full, or with all, and do what is due of those begun.

        Where a rebalance comes between, the blocks are given up: their intents stand in the
        store, and whoever has the partitions next repeats exactly them.
        """
        full = self._buffers.longest >= BATCH_ROWS or self._buffers.largest >= BATCH_BYTES
        if (all_of_it or full) and self._buffers.rows and self._same_topics():
            self._begin()
        stored = self._writer.advance()
        for one in stored:
            self._buffers.settled(one.delivery)
            refused = one.outcome.refused
            self._count(table_name(one.delivery.block.topic), len(one.delivery.block) - refused)
            self._count(REFUSED_TABLE, refused)
        if stored:
            self._commit(stored)
        self._pause(self._writer.busy)

    def _begin(self) -> None:
        for delivery in self._buffers.cut(self._ids, self._writer.open):
            intent = self._buffers.intent(delivery.where)
            if intent is not None:
                intent.check(delivery)
            self._writer.take(delivery)

    def _same_topics(self) -> bool:
        """Whether it is sure which topics the records held are of.

        A topic that is deleted and made again has another id, so an id that is the same after
        the records came as it was before them is theirs.
        """
        try:
            now = topic_ids(self._admin, sorted(self._buffers.topics))
        except KafkaException as error:
            log.warning("broker: %s", error)
            return False
        made_again = [name for name, one in now.items() if one != self._ids[name]]
        if made_again:
            log.warning("made again, so read from the start: %s", ", ".join(made_again))
            self._start_over(self._consumer.assignment())
        return not made_again

    def _pause(self, busy: frozenset[tuple[str, int]]) -> None:
        """Pause the partitions whose blocks wait for the store, and resume those that did."""
        resumed, paused = self._paused - busy, busy - self._paused
        if resumed:
            self._consumer.resume([TopicPartition(*where) for where in resumed])
        if paused:
            self._consumer.pause([TopicPartition(*where) for where in paused])
        self._paused = busy

    def _count(self, table: str, rows: int) -> None:
        if rows:
            self.rows[table] = self.rows.get(table, 0) + rows
            if self.report is not None:
                self.report(table, rows)

    def _commit(self, stored: list[Stored]) -> None:
        ends = {one.delivery.where: one.delivery.last + 1 for one in stored}
        offsets = [TopicPartition(*where, end) for where, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            log.warning("offsets not committed, but the store has them: %s", error)

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._start_over(partitions)

    def _revoked(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._start_over([])

    def _start_over(self, partitions: list[TopicPartition]) -> None:
        """Forget what was read, and read nothing until the store has said where to go on."""
        self._generation += 1
        self._buffers.drop()
        self._writer.drop()
        self._reached.clear()
        self._paused = frozenset()
        self._unresolved, self._resolve_at_s, self._waits = partitions, 0.0, waits_s()
        self._consumer.assign([])

    def _resolve(self) -> None:
        """Let the partitions go on where the store says, once it and the broker can be asked."""
        if not self._unresolved or time.monotonic() < self._resolve_at_s:
            return
        names = sorted({partition.topic for partition in self._unresolved})
        try:
            self._ids = topic_ids(self._admin, names)
            resume = {name: self._watermarks.resume(name, self._ids[name]) for name in names}
        except (StoreBusyError, KafkaException) as error:
            wait_s = next(self._waits)
            log.warning("not known where to go on, asking again in %.1f s: %s", wait_s, error)
            self._resolve_at_s = time.monotonic() + wait_s
            return
        for partition in self._unresolved:
            where = partition.topic, partition.partition
            at = resume[where[0]].get(where[1], Resume(OFFSET_BEGINNING))
            partition.offset = at.offset
            if at.intent is not None:
                self._buffers.expect(where, at.intent)
        self._consumer.assign(self._unresolved)
        self._consumer.resume(self._unresolved)  # those that were paused would stay so
        self._unresolved = []
