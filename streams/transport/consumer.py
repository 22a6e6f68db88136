"""A Faust consumer that delivers one event a fetched block instead of one a record."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer import fetcher
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP, ConsumerMessage

from schemas.block import Block
from streams.transport.acks import BlockAcks
from streams.transport.coordinator import Coordinator

COMMIT_S = 5.0
FETCH_WAIT_MS, FETCH_BYTES = 50, 64 * 1024
"""How long a fetch waits at the broker for so many bytes: a handful of records costs what many do.
What is asked meanwhile is answered after it: where a partition begins, or the records of one that
was just assigned."""


class BareRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of a fetch as they were parsed.

    aiokafka copies each into a frozen object of eleven fields, which costs more than all else that
    a fetch does. What is left out is the topic and the partition, which whoever reads them knows.
    """

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:
        return record


fetcher.PartitionRecords = BareRecords
aiokafka_consumer.GroupCoordinator = Coordinator
"""aiokafka makes both itself, by these names."""


class BlockScheduler:
    """Hands a fetch on as its blocks, one topic-partition after the other."""

    def iterate(self, records: Mapping[TP, Block]) -> Iterator[tuple[TP, Block]]:
        yield from records.items()


class CommittedReader(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Reads only what was committed: what an aborted transaction wrote did not happen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed: dict[tuple[str, int], int] = {}
        """Behind the last record handed out since the partition was sought; 0: none yet."""

    async def on_start(self) -> None:
        await super().on_start()
        self._ensure_consumer()._coordinator.on_failure = self._end_app

    def _create_worker_consumer(self, transport: Any) -> Any:
        client = super()._create_worker_consumer(transport)
        client._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust says 1.5 s
        client._fetch_min_bytes = FETCH_BYTES  # Faust says 1
        client._isolation_level = "read_committed"  # Faust sets it for its own exactly-once only
        # Faust takes its app's assignor for apps with tables only, and else one that gives the
        # topics of a partition to different workers
        client._partition_assignment_strategy = [self.app.assignor]
        return client

    def _end_app(self, error: BaseException) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.parent_loop)

    async def on_partitions_revoked(self, revoked: Iterable[TP]) -> None:
        self._handed.clear()
        await super().on_partitions_revoked(revoked)

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> dict[TP, Block]:
        found = await super()._fetch_records(*args, **kwargs)
        self._handed.update((tp, run[-1].offset + 1) for tp, run in found.items())
        return {tp: to_block(tp, run) for tp, run in found.items()}

    async def positions(self) -> dict[TP, tuple[int, int]]:
        """Where the client reads on, and behind which record: between are only transaction
        markers, which no block holds."""
        client = self._ensure_consumer()
        found = {}
        for tp in list(self._handed):
            with suppress(IllegalStateError, KeyError):  # taken away meanwhile
                found[TP(*tp)] = await client.position(TopicPartition(*tp)), self._handed[tp]
        return found

    async def seek_all(self, offsets: Mapping[TP, int]) -> None:
        """All at once: a call for each would cross the threads that often."""
        client = self._ensure_consumer()
        for tp, offset in offsets.items():
            with suppress(IllegalStateError):  # taken away meanwhile: a new generation seeks anew
                client.seek(TopicPartition(*tp), offset)
                self._handed[tp] = 0

    async def request_rejoin(self) -> None:
        self._ensure_consumer()._coordinator.request_rejoin()

    async def leave_group(self) -> None:
        coordinator = self._ensure_consumer()._coordinator
        coordinator._group_instance_id = None  # aiokafka keeps static members in the group
        await coordinator.close()


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

    def _to_message(self, tp: TP, block: Block) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            int(block.offsets[-1]),
            block.timestamps_ms[0] / 1000.0,
            0,  # as its producer told it
            [],
            b"",
            block,
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
            starts[tp] = max(starts.get(tp, 0), read_from(tp.topic, tp.partition) or 0)
        await self._thread.call_thread(self._thread.seek_all, starts)
        return starts

    async def positions(self) -> dict[TP, tuple[int, int]]:
        """Of each partition that is read: where the next record would be, and the offset behind
        the last one that was handed out, 0 where there was none."""
        found: dict[TP, tuple[int, int]] = await self._thread.call_thread(self._thread.positions)
        return found

    async def rejoin(self) -> None:
        """Ask the group for a new generation: everybody is told anew what is theirs."""
        await self._thread.call_thread(self._thread.request_rejoin)

    async def leave(self) -> None:
        """Commit what is done and leave the group at once: a static member otherwise holds its
        partitions until it expires.

        Sent before Faust stops, so that others go on while this worker still shuts down.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self.commit(), COMMIT_S)
        await self._thread.call_thread(self._thread.leave_group)

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


def to_block(tp: TP, run: list[Any]) -> Block:
    """The records of one fetch of one partition, as aiokafka parses them, as a block."""
    return Block(
        topic=tp.topic,
        partition=tp.partition,
        offsets=np.array([record.offset for record in run], np.int64),
        keys=[record.key for record in run],
        values=[record.value for record in run],
        timestamps_ms=np.array([record.timestamp for record in run], np.int64),
    )
