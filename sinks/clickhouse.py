"""A block of records as rows of its topic's table, in one insert with a token of its own."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schemas.block import Block
from schemas.topics import BY_NAME
from sinks.native import NativeColumn, strings
from sinks.rows import decoded
from sinks.schema import create_tables as create_tables  # noqa: PLC0414 - asked for here too
from sinks.store import Store

REFUSED_TABLE = "sink_refused"
EVENT_TIME = "event_time"
"""The column of every table by whose age rows may go; microseconds."""
REFUSED_BY_STORE = "REFUSED_BY_STORE"
"""The reason of a record that the store itself would not take; the others are dead letters'."""

APPLIED = "plimsoll-applied"
"""The header of an output that says how far the topics of accounts were applied."""
DECIDED = frozenset({"margin-state", "margin-calls", "liquidations"})
"""Topics whose tables keep it: what they say follows from that."""

TopicPartition = tuple[str, int]


def table_name(topic: str) -> str:
    """The table of a topic of the catalogue."""
    return topic.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a block: records that were refused, and when the others happened.

    `span_us` is the event time of the oldest and of the newest row, None where there is no row.
    """

    refused: int
    span_us: tuple[int, int] | None = None


@dataclass(frozen=True)
class Delivery:
    """A block on its way into the store, and what identifies it.

    `topic_id` tells this topic from one of the same name that was deleted before: offsets
    start again at 0 there, and a token that named only them would swallow the new rows.
    `applied` is the header APPLIED of each record of a topic of DECIDED; none: not known.
    """

    block: Block
    topic_id: str
    applied: Sequence[bytes] = ()

    @property
    def first(self) -> int:
        return int(self.block.offsets[0])

    @property
    def last(self) -> int:
        return int(self.block.offsets[-1])

    @cached_property
    def crc(self) -> int:
        """CRC-32 of the offsets, the lengths and the bytes of keys and values."""
        crc = zlib.crc32(self.block.offsets.astype("<i8").tobytes())
        for column in (self.block.keys, self.block.values):
            sizes = [-1 if item is None else len(item) for item in column]
            crc = zlib.crc32(np.asarray(sizes, "<i8").tobytes(), crc)
            crc = zlib.crc32(b"".join([item or b"" for item in column]), crc)
        return crc

    @property
    def token(self) -> str:
        """The insert's token: the same rows have it again, and no other rows ever do."""
        return f"{self.topic_id}:{self.block.partition}:{self.first}-{self.last}:{self.crc:08x}"

    @property
    def where(self) -> TopicPartition:
        """Its topic and partition."""
        return self.block.topic, self.block.partition

    def halves(self) -> tuple["Delivery", "Delivery"]:
        """The block as two, the earlier records first; it has at least two records."""
        middle = len(self.block) // 2
        return self._part(slice(middle)), self._part(slice(middle, None))

    def _part(self, rows: slice) -> "Delivery":
        block = self.block
        part = Block(
            block.topic,
            block.partition,
            block.offsets[rows],
            block.keys[rows],
            block.values[rows],
            block.timestamps_ms[rows],
        )
        return Delivery(part, self.topic_id, self.applied[rows])


def deliver(store: Store, delivery: Delivery) -> Outcome:
    """Insert a block's records.

    Records go to the topic's table, what is no record of the topic goes to `sink_refused`
    byte for byte: every offset of the block is then in exactly one of the two. A repeat of the
    same delivery changes nothing. Raises as `Store.insert` does: repeat it where it says busy;
    where it says that rows were refused nothing of the block is stored.
    """
    block = delivery.block
    rows, columns, refused = decoded(block, BY_NAME[block.topic].record)
    span_us = None
    if len(rows):
        times_us = np.frombuffer(next(c.data for c in columns if c.name == EVENT_TIME), "<i8")
        span_us = int(times_us.min()), int(times_us.max())
        places = [
            NativeColumn("_partition", "UInt16", _repeated(block.partition, "<u2", len(rows))),
            NativeColumn("_offset", "UInt64", block.offsets[rows].astype("<u8").tobytes()),
        ]
        if delivery.applied:
            told = [delivery.applied[row] for row in rows.tolist()]
            places.append(NativeColumn("_applied", "String", strings(told)))
        store.insert(
            table_name(block.topic), [*columns, *places], rows=len(rows), token=delivery.token
        )
    if refused:
        set_aside(store, delivery, [(r.row, str(r.reason.value), r.message) for r in refused])
    return Outcome(len(refused), span_us)


def set_aside(store: Store, delivery: Delivery, refused: Sequence[tuple[int, str, str]]) -> None:
    """Insert records of a block, as (place in it, reason, sentence), into `sink_refused`."""
    store.insert(
        REFUSED_TABLE, _refused_columns(delivery.block, refused), rows=len(refused),
        token=f"{delivery.token}:refused",
    )  # fmt: skip


def _refused_columns(block: Block, refused: Sequence[tuple[int, str, str]]) -> list[NativeColumn]:
    places = np.array([row for row, _, _ in refused], np.int64)
    keys = [block.keys[row] for row in places]
    values = [block.values[row] for row in places]
    n = len(refused)
    return [
        NativeColumn("topic", "String", strings([block.topic] * n)),
        NativeColumn("partition", "UInt16", _repeated(block.partition, "<u2", n)),
        NativeColumn("offset", "UInt64", block.offsets[places].astype("<u8").tobytes()),
        NativeColumn("reason", "String", strings([reason for _, reason, _ in refused])),
        NativeColumn("message", "String", strings([message for _, _, message in refused])),
        NativeColumn("key", "Nullable(String)", _nullable(keys)),
        NativeColumn("value", "Nullable(String)", _nullable(values)),
        NativeColumn(
            "timestamp", "DateTime64(3, 'UTC')",
            block.timestamps_ms[places].astype("<i8").tobytes(),
        ),
    ]  # fmt: skip


def _nullable(values: Sequence[bytes | None]) -> bytes:
    return bytes([value is None for value in values]) + strings(values)


def _repeated(value: int, dtype: str, n: int) -> bytes:
    return np.full(n, value, dtype).tobytes()
