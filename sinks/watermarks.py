"""What of each partition is stored already, and which block was on its way: write or repeat?

A token makes a repeated insert harmless only when the repeat has exactly the same rows. So the
bounds of every block are recorded before it is inserted (PENDING) and after (STORED), in the
store itself: it outlives the broker's memory of a consumer group, and not every broker keeps
metadata beside committed offsets. On assignment a partition goes on behind its last STORED
block; a block that is PENDING there is read again with its bounds and inserted with its token.
Of several PENDING with the same beginning the shortest counts: a block is only ever cut shorter,
where the store refused it whole and kept nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from sinks.clickhouse import Delivery, Outcome
from sinks.native import NativeColumn, strings
from sinks.store import Store

PENDING, STORED = "PENDING", "STORED"

RESUME_SQL = """
SELECT partition, countIf(state = 'STORED') AS blocks,
    maxIf(last_offset + 1, state = 'STORED') AS next,
    argMaxIf((first_offset, last_offset, rows, crc),
        (first_offset, -toInt64(last_offset)), state = 'PENDING') AS last
FROM ingest_blocks WHERE topic = {topic:String} AND topic_id = {topic_id:String}
GROUP BY partition
"""


class IntentMismatchError(RuntimeError):
    """A block that was on its way into the store can no longer be read as it was."""


@dataclass(frozen=True, slots=True)
class Intent:
    """The bounds and the content of a block that was on its way: offsets, records, CRC-32."""

    first: int
    last: int
    rows: int
    crc: int

    def check(self, delivery: Delivery) -> None:
        """Raise IntentMismatchError unless the delivery is the block meant."""
        found = Intent(delivery.first, delivery.last, len(delivery.block), delivery.crc)
        if found != self:
            raise mismatch((delivery.block.topic, delivery.block.partition), self, str(found))


def mismatch(where: tuple[str, int], intent: Intent, found: str) -> IntentMismatchError:
    """The error of an intent whose records are not what they were.

    Part of the block may be stored: neither inserting what came instead nor skipping it is safe.
    """
    return IntentMismatchError(
        f"{where[0]}/{where[1]}: {intent} was on its way into the store, the topic now holds "
        f"{found}; `plimsoll sink --repair` sees what the table has of it, and closes it"
    )


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a partition goes on, and the block to repeat there first, if one is."""

    offset: int
    intent: Intent | None = None


class Watermarks:
    """The ingest_blocks table, as the sink reads and writes it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def resume(self, topic: str, topic_id: str) -> dict[int, Resume]:
        """Where each partition of a topic goes on; partitions that are not in it start anew."""
        result: dict[int, Resume] = {}
        for row in self._store.query(RESUME_SQL, {"topic": topic, "topic_id": topic_id}):
            intent, following = Intent(*map(int, row["last"])), int(row["next"])
            done = bool(row["blocks"]) and intent.first < following
            result[int(row["partition"])] = (
                Resume(following) if done else Resume(intent.first, intent)
            )
        return result

    def intend(self, deliveries: Sequence[Delivery]) -> None:
        """Record that these blocks are about to be inserted."""
        self._write(deliveries, PENDING, [Outcome(0)] * len(deliveries))

    def stored(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        """Record that every row of these blocks is durable, and what became of them."""
        self._write(deliveries, STORED, outcomes)

    def _write(
        self, deliveries: Sequence[Delivery], state: str, outcomes: Sequence[Outcome]
    ) -> None:
        def numbers(values: Sequence[int], dtype: str) -> bytes:
            return np.array(values, dtype).tobytes()

        blocks = [delivery.block for delivery in deliveries]
        columns = [
            NativeColumn("topic", "String", strings([b.topic for b in blocks])),
            NativeColumn("topic_id", "String", strings([d.topic_id for d in deliveries])),
            NativeColumn("partition", "UInt16", numbers([b.partition for b in blocks], "<u2")),
            NativeColumn("first_offset", "UInt64", numbers([d.first for d in deliveries], "<u8")),
            NativeColumn("last_offset", "UInt64", numbers([d.last for d in deliveries], "<u8")),
            NativeColumn("rows", "UInt32", numbers([len(b) for b in blocks], "<u4")),
            NativeColumn("refused", "UInt32", numbers([o.refused for o in outcomes], "<u4")),
            _times("oldest", [None if o.span_us is None else o.span_us[0] for o in outcomes]),
            _times("newest", [None if o.span_us is None else o.span_us[1] for o in outcomes]),
            NativeColumn("crc", "UInt32", numbers([d.crc for d in deliveries], "<u4")),
            NativeColumn("state", "String", strings([state] * len(blocks))),
        ]
        tokens = " ".join([delivery.token for delivery in deliveries])
        token = f"{state}:{sha256(tokens.encode()).hexdigest()}"
        self._store.insert("ingest_blocks", columns, rows=len(blocks), token=token)


def _times(name: str, times_us: Sequence[int | None]) -> NativeColumn:
    known = np.array([time_us or 0 for time_us in times_us], "<i8")
    mask = bytes([time_us is None for time_us in times_us])
    return NativeColumn(name, "Nullable(DateTime64(6, 'UTC'))", mask + known.tobytes())
