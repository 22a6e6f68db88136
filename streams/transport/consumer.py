"""A Faust consumer that delivers one event a fetched block instead of one a record."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP, ConsumerMessage

from schemas.block import Block
from streams.transport.acks import BlockAcks


class BlockScheduler:
    """Hands a fetch on as whole runs of records, one topic-partition after the other."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, list[Any]]]:
        for partition, run in records.items():
            if run:
                yield partition, run


class CommittedReader(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Reads only what was committed: what an aborted transaction wrote did not happen."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        client = super()._create_worker_consumer(transport)
        client._isolation_level = "read_committed"  # Faust sets it for its own exactly-once only
        return client


class BlockConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer with blocks for messages, and an acknowledgement a block.

    Faust's own acknowledgement counts single offsets and its compiled stream iterator does that
    inline. So agents iterate `stream.noack()`, and whoever finished a block calls `block_done`;
    the next commit takes that. Offsets are committed for lag monitors; a worker that is given a
    partition reads it from where its state ends (`read_from`), not from what was committed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scheduler = BlockScheduler()
        self.blocks = BlockAcks()

    def _new_consumer_thread(self) -> CommittedReader:
        return CommittedReader(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: list[Any]) -> ConsumerMessage:
        first = record[0]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record[-1].offset,
            first.timestamp / 1000.0,
            first.timestamp_type,
            [],
            b"",
            to_block(tp, record),
            None,
            0,
            0,
            tp,
            # without it the stream takes the block for one of an older generation and drops it
            generation_id=self.app.consumer_generation_id,
        )

    def block_done(self, block: Block) -> None:
        """The block's effects are durable: its end may be committed."""
        tp = TP(block.topic, block.partition)
        if tp in self.assignment():
            self.blocks.done((block.topic, block.partition), int(block.offsets[-1]))

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to where the state of each partition ends; to its start where there is none."""
        read_from = self.transport.read_from
        partitions = self.assignment()
        starts = dict(await self.earliest_offsets(*partitions))
        for tp in partitions:
            position = read_from(tp.topic, tp.partition)
            starts[tp] = max(starts.get(tp, 0), position or 0)
            await self._seek(tp, starts[tp])
        return starts

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.blocks.forget((tp.topic, tp.partition) for tp in revoked)
        await super().on_partitions_revoked(revoked)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            TP(*partition)
            for partition in self.blocks.partitions()
            if topics is None or partition in topics or partition[0] in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self.blocks.committable((tp.topic, tp.partition))

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps between blocks are transaction markers and compacted records: nothing to fill."""


def to_block(tp: TP, records: Iterable[Any]) -> Block:
    """The records of one fetch of one partition, as aiokafka gives them, as a block."""
    run = list(records)
    return Block(
        topic=tp.topic,
        partition=tp.partition,
        offsets=np.array([record.offset for record in run], np.int64),
        keys=[record.key for record in run],
        values=[record.value for record in run],
        timestamps_ms=np.array([record.timestamp for record in run], np.int64),
    )
