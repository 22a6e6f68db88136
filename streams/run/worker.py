"""One worker: settings to a Faust app, and the loop that turns the cycle."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from faust.types import TP

from risk.liquidation.stages import Ladder
from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME, TOPICS
from streams.base.settings import Settings
from streams.processors.cycle import ACCOUNT_TOPICS, Cycle
from streams.processors.dead_letters import DeadLetters
from streams.processors.intake import Inbox, hold_blocks
from streams.processors.report import report
from streams.state.mark_board import Limits
from streams.transport.broadcast import BroadcastReader
from streams.transport.driver import block_app, block_consumer, use_blocks
from streams.transport.publisher import Publisher

log = logging.getLogger(__name__)
PRICES = "prices"
BROADCAST = sorted(
    (topic.name for topic in TOPICS if topic.sharing == "broadcast"), key=PRICES.__eq__
)
"""Prices last: they name what the others list."""
STATUS_S = 0.5
QUIET_S = 0.5
ORDER = {topic: number for number, topic in enumerate(ACCOUNT_TOPICS)}
"""Within a turn collateral goes first: it pays for the positions that come with it."""
VERSION = b"1"


class Worker:
    """Faust delivers blocks, the cycle decides, the publisher makes it durable; one thread turns.

    A failure of any part ends the worker before the blocks in hand are acknowledged.
    """

    def __init__(self, settings: Settings, on_status: Callable[[dict[str, Any]], None]) -> None:
        self.settings = settings
        self._on_status = on_status
        self._inbox = Inbox()
        self._held: list[Block] = []
        self._undone: list[Block] = []
        """Blocks whose outputs are on their way to the broker."""
        self._reader = BroadcastReader(settings.bootstrap, BROADCAST)
        self._publisher = Publisher(settings.bootstrap)
        self.cycle = Cycle(
            settings.partitions,
            ladder=Ladder(
                warning_health_ppm=settings.warning_health_ppm,
                call_health_ppm=settings.call_health_ppm,
                end_health_ppm=settings.end_health_ppm,
                confirm_ticks=settings.confirm_ticks,
                call_ms=settings.call_ms,
                step_ms=settings.step_ms,
                max_steps=settings.max_steps,
            ),
            limits=Limits(settings.stale_ms, settings.deviation_ppm),
            letters=DeadLetters(settings.dead_letter_limit),
            catch_up=self._read_broadcast_to_end,
        )
        self._turning = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "cycle")
        self._ends: dict[TP, int] | None = None
        """Where the owned partitions ended when they were assigned; None: nothing assigned yet."""
        self._ready = False
        self._first_block_s = 0.0
        self._last_block_s = 0.0
        """Wall-clock seconds at which the first block was taken and the last one was done."""
        self._app = self._faust_app()

    async def run(self, stop: asyncio.Event) -> dict[str, Any]:
        """Turn until `stop` is set or something fails; returns the final report."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._read_broadcast_to_end)
        use_blocks(self._app, self.cycle.read_from)
        await self._app.start()
        told = 0.0
        try:
            while not stop.is_set():
                began = time.monotonic()
                async with self._turning:
                    blocks = await loop.run_in_executor(self._thread, self._turn)
                    for block in blocks:
                        block_consumer(self._app).block_done(block)
                if not self._ready:
                    await self._become_ready(loop)
                if began - told >= STATUS_S:
                    told = began
                    self._on_status(self.status())
                if self._app.should_stop:
                    raise RuntimeError(f"Faust ended: {self._app.crash_reason!r}")
                rest = self.settings.cycle_ms / 1000 - (time.monotonic() - began)
                await asyncio.sleep(max(rest, 0))
            self._publisher.flush()
            for block in self._undone:
                block_consumer(self._app).block_done(block)
        finally:
            await self._app.stop()
            self._reader.close()
            self._thread.shutdown()
        return report(self.cycle)

    def status(self) -> dict[str, Any]:
        """What a supervisor wants to know every half second; what it follows from is published."""
        self._publisher.flush()
        cycle = self.cycle
        return {
            "ready": self._ready,
            "applied": dict(cycle.applied),
            "dead_letters": dict(cycle.letters.by_reason),
            "positions": cycle.positions(),
            "accounts": len(cycle.ledger.book.accounts),
            "clock_us": cycle.board.clock_us,
            "busy_s": [self._first_block_s, self._last_block_s],
        }

    def _turn(self) -> list[Block]:
        """One turn of the cycle, numbered as there; returns the blocks that are done.

        These are the last turn's: the broker takes its outputs while this one is worked on.
        """
        blocks = sorted(self._inbox.take(), key=lambda block: ORDER[block.topic])  # 1
        held, self._held = self._held, []
        for block in _rules_first(held + self._reader.poll()):  # 3
            self.cycle.take_broadcast(block)
        for block in blocks:  # 2
            self.cycle.apply(block)
        if blocks and not self._first_block_s:
            self._first_block_s = time.time()
        if self._ready:
            self.cycle.decide()  # 4, 5
        self._publisher.flush()  # 6: what the last turn published has had a turn's time to arrive
        done, self._undone = self._undone, blocks
        self._publish()
        if blocks:
            self._last_block_s = time.time()
        return done

    def _publish(self) -> None:
        outputs = self.cycle.take_outputs()
        for one in outputs:
            headers = [
                ("plimsoll-id", one.output_id.encode()),
                ("plimsoll-source", one.source.encode()),
                ("plimsoll-version", VERSION),
            ]
            value = encode(BY_NAME[one.topic].record, one.values)
            self._publisher.publish(one.topic, one.key, value, headers)

    def _read_broadcast_to_end(self) -> None:
        """Take every rule that is on the topics now; prices wait for their turn."""
        for block in self._reader.read_to_end():
            if block.topic == PRICES:
                self._held.append(block)
            else:
                self.cycle.take_broadcast(block)

    async def _become_ready(self, loop: asyncio.AbstractEventLoop) -> None:
        """Decide from now on, if all is read and nobody has changed the assignment meanwhile."""
        ends = self._ends
        if ends is not None and await self._caught_up(ends):
            await loop.run_in_executor(self._thread, self._restore_episodes)
            self._ready = self._ends is ends

    def _restore_episodes(self) -> None:
        """Go on counting episodes where the published margin states end: an id is given once."""
        reader = BroadcastReader(self.settings.bootstrap, ["margin-state"])
        for block in reader.read_to_end():
            self.cycle.restore_episodes(block)
        reader.close()

    async def _caught_up(self, ends: dict[TP, int]) -> bool:
        """Whether the inputs were applied up to their ends at the assignment.

        Until then nothing is decided: fills whose collateral is still unread would liquidate
        accounts that are rich. A partition may end in transaction markers, which no block
        holds: there the client's own position tells, once nothing has come for a while.
        """
        quiet = time.time() - self._last_block_s > QUIET_S
        for tp, end in ends.items():
            applied = self.cycle.read_from(tp.topic, tp.partition) or 0
            if applied < end and not (
                quiet and (await self._app.consumer.position(tp) or 0) >= end
            ):
                return False
        return True

    def _faust_app(self) -> faust.App:
        settings = self.settings
        app = block_app(
            settings.app,
            settings.bootstrap,
            instance=settings.instance,
            session_timeout_s=settings.session_timeout_s,
            fetch_records=settings.fetch_records,
            web_port=settings.web_port,
        )
        hold_blocks(app, list(ACCOUNT_TOPICS), self._inbox)
        app.on_partitions_assigned.connect(self._assigned)
        return app

    async def _assigned(self, app: faust.App, assigned: set[TP], **_: Any) -> None:
        """Forget what is no longer ours; what is new is read from its beginning first."""
        ends = await app.consumer.highwaters(*assigned)
        async with self._turning:
            for partition in range(self.settings.partitions):
                if not any(tp.partition == partition for tp in assigned):
                    self.cycle.drop_partition(partition)
            owned = {(tp.topic, tp.partition) for tp in assigned}
            self._inbox.discard(lambda block: (block.topic, block.partition) in owned)
            self.cycle.writes_broadcast_letters = any(tp.partition == 0 for tp in assigned)
            self._ends, self._ready = dict(ends), False
        log.info("owns %d topic-partitions", len(assigned))


def _rules_first(blocks: list[Block]) -> list[Block]:
    return sorted(blocks, key=lambda block: BROADCAST.index(block.topic))
