"""Faust agents that hold blocks for the cycle, and nothing else."""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import faust

from schemas.block import Block
from streams.transport.driver import BlockSchema

log = logging.getLogger(__name__)
ROOM_RECORDS = 200_000
TURN_RECORDS = 40_000
EXIT_SOFTWARE = 70


class Inbox:
    """Blocks between the agents (event loop) and the cycle (its own thread); bounded in records."""

    def __init__(self, room: int = ROOM_RECORDS) -> None:
        self._room = room
        self._held = 0
        self._blocks: deque[Block] = deque()
        self._lock = threading.Lock()
        self.generation = 0
        """Counts the assignments: a block that was in hand across one is read again."""

    def full(self) -> bool:
        return self._held >= self._room

    def put(self, block: Block, generation: int) -> None:
        """Hold a block; one of an earlier generation is dropped."""
        with self._lock:
            if generation == self.generation:
                self._blocks.append(block)
                self._held += len(block)

    def take(self, most: int = TURN_RECORDS) -> list[Block]:
        """Blocks in the order in which they came, joined a partition; about `most` records.

        A fetch of a busy topic holds few records of each partition, and a block has a cost of its
        own: joined, a turn has one a partition; more only where Faust has begun to read again.
        """
        runs: dict[tuple[str, int], list[list[Block]]] = {}
        taken = 0
        with self._lock:
            while self._blocks and taken < most:
                block = self._blocks.popleft()
                found = runs.setdefault((block.topic, block.partition), [[]])
                if found[-1] and found[-1][-1].offsets[-1] >= block.offsets[0]:
                    found.append([])
                found[-1].append(block)
                taken += len(block)
            self._held -= taken
        return [Block.joined(run) for found in runs.values() for run in found]

    def discard(self, keep: Callable[[Block], bool]) -> None:
        """A new generation: drop the blocks of partitions that are not kept."""
        with self._lock:
            self.generation += 1
            self._blocks = deque(block for block in self._blocks if keep(block))
            self._held = sum(map(len, self._blocks))


def hold_blocks(app: faust.App, topics: list[str], inbox: Inbox) -> None:
    """Declare one agent a topic on `app` that puts its blocks into `inbox`."""
    for name in topics:
        topic = app.topic(name, schema=BlockSchema(), maxsize=8)
        app.agent(topic, name=f"hold-{name}", concurrency=1)(_holder(inbox))


def _holder(inbox: Inbox) -> Any:
    async def hold(stream: Any) -> None:
        try:
            async for block in stream.noack():
                generation = inbox.generation
                while inbox.full():
                    await asyncio.sleep(0.005)
                inbox.put(block, generation)
        except Exception:
            # Faust would acknowledge the event and go on: it would be lost for good
            log.critical("an agent failed: the worker ends before anything is lost", exc_info=True)
            os._exit(EXIT_SOFTWARE)

    return hold
