"""One worker: settings to a Faust app, and the loop that turns the cycle."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from faust.types import TP

from schemas.block import Block
from schemas.topics import TOPICS
from streams.base.settings import Settings
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.dead_letters import TooManyDeadLettersError
from streams.processors.intake import Inbox, hold_blocks
from streams.processors.report import report
from streams.processors.shards import Shards
from streams.processors.warm_up import warm_up
from streams.run.garbage import Slack, spare_the_collector
from streams.run.health import end_soon
from streams.run.ownership import Ownership
from streams.run.parts import cycle, journals
from streams.run.recovery import Inputs, Recovery
from streams.run.topics import changelog_topic
from streams.run.turning import Turning
from streams.run.vitals import Vitals
from streams.state.changelog import ChangelogError
from streams.state.ledger import WrongPartitionerError
from streams.transport.broadcast import BroadcastBehindError, BroadcastReader
from streams.transport.changelog_reader import ChangelogReader, ChangelogSilentError
from streams.transport.driver import block_app, block_consumer, use_blocks
from streams.transport.publisher import PublishFailedError

log = logging.getLogger(__name__)
PRICES = "prices"
BROADCAST = sorted(
    (topic.name for topic in TOPICS if topic.sharing == "broadcast"), key=PRICES.__eq__
)
"""Prices last: they name what the others list."""
STATUS_S = 0.5
PRICES_FRESH_S = 60.0
REFUSALS = (
    ChangelogError,
    ChangelogSilentError,
    BroadcastBehindError,
    PublishFailedError,
    TooManyDeadLettersError,
    WrongPartitionerError,
)
"""Why a worker ends that has found no fault in itself: the message says it all."""
COMMITS = 8
"""Transactions under way at the same time."""
SWITCH_S = 0.001
"""How long a commit waits at most for the interpreter while the next turn computes."""
ORDER = {topic: number for number, topic in enumerate(ACCOUNT_TOPICS)}
"""Within a turn collateral goes first: it pays for the positions that come with it."""


class Worker:
    """Faust delivers blocks, the shards decide and make durable; one thread turns.

    A failure of any part ends the worker before the blocks in hand are acknowledged.
    """

    def __init__(self, settings: Settings, on_status: Callable[[dict[str, Any]], None]) -> None:
        self.settings = settings
        self._on_status = on_status
        self._inbox = Inbox()
        self._held: list[Block] = []
        self._reader = BroadcastReader(settings.bootstrap, BROADCAST)
        self.cycle = cycle(settings, self._read_broadcast_to_end)
        self._commits = ThreadPoolExecutor(COMMITS, "commit")
        changelog = changelog_topic(settings.app)
        self.shards = Shards(self.cycle, changelog, self._commits.submit)
        inputs = Inputs(settings.bootstrap, settings.app, settings.rebuild == "yes")
        reader = ChangelogReader(settings.bootstrap, changelog)
        self._recovery = Recovery(self.shards, journals(settings), reader, inputs)
        self._ownership = Ownership(settings, self.shards, self._inbox, self._recovery, inputs)
        self._turning = Turning(settings.cycle_ms)
        self._failure: BaseException | None = None
        self._durable: dict[str, int] = {}
        """Where the state ends whose outputs are published, by "topic-partition"."""
        self._read: dict[TP, int] = {}
        """Where the client reads on, as of the last time that nothing was on its way from there."""
        self._ends: dict[TP, int] | None = None
        """Where the owned partitions ended when they were assigned; None: nothing assigned yet."""
        self._ready = False
        self._slack = Slack()
        self._heard_s = 0.0
        """Wall-clock seconds at which a price was last heard."""
        self._first_block_s = 0.0
        self._last_block_s = 0.0
        """Wall-clock seconds at which the first block was taken and the last one was done."""
        self._app = self._faust_app()
        self._health_port = 0
        self._vitals = Vitals(
            settings.bootstrap,
            (settings.health_host, settings.health_port),
            positions=self._progress,
            done_to=self._owned_positions,
            readiness=self._readiness,
        )

    async def run(self, stop: asyncio.Event) -> dict[str, Any]:
        """Turn until `stop` is set or something fails; returns the final report."""
        sys.setswitchinterval(SWITCH_S)
        self._loop = asyncio.get_running_loop()
        await self._turning.call(warm_up, self.cycle.ledger.profile)
        await self._turning.call(self._read_broadcast_to_end)
        spare_the_collector()
        use_blocks(self._app, self.cycle.resume_at)
        await self._app.start()
        self._health_port = await self._vitals.start()
        told = 0.0
        try:
            while not stop.is_set():
                await self._turning.go_on(self._turn, STATUS_S)
                if not self._ready:
                    await self._become_ready()
                await self._ownership.ask_for_lost(block_consumer(self._app))
                if time.monotonic() - told >= STATUS_S:
                    told = time.monotonic()
                    self._on_status(await self.status())
            await self._vitals.stop()
            async with self._turning.alone():
                self._done(await self._turning.call(self.shards.settle))
                self._durable = self.cycle.positions()
            self._on_status(await self.status())
            await block_consumer(self._app).leave()
        finally:
            closing = end_soon(sys.exc_info()[1])
            await self._vitals.stop()
            await self._app.stop()
            self._reader.close()
            self._recovery.close()
            self._turning.close()
            self._commits.shutdown()
            closing.cancel()
        return report(self.cycle)

    async def status(self) -> dict[str, Any]:
        """What a supervisor wants to know every half second; what it follows from is published."""
        cycle = self.cycle
        await self._read_markers()
        return {
            "ready": self._ready,
            "health_port": self._health_port,
            "held": sorted(self.shards.held),
            "warm": sorted(self._recovery.warm),
            "recovered": self._recovery.records,
            "applied": dict(cycle.applied),
            "skipped": dict(cycle.skipped),
            "dead_letters": dict(cycle.letters.by_reason),
            "published": dict(self.shards.published),
            "positions": self._positions(),
            "accounts": len(cycle.ledger.book.accounts),
            "clock_us": cycle.board.clock_us,
            "busy_s": [self._first_block_s, self._last_block_s],
        }

    def _positions(self) -> dict[str, int]:
        read = {f"{tp.topic}-{tp.partition}": end for tp, end in self._read.items()}
        return {place: max(end, read.get(place, 0)) for place, end in self._durable.items()}

    async def _tell_recovery(self) -> None:
        while True:
            self._on_status({"ready": False, "recovered": self._recovery.records})
            await asyncio.sleep(STATUS_S)

    def _owned_positions(self) -> dict[str, int]:
        told = self._positions()
        names = [f"{topic}-{number}" for number in self.shards.held for topic in ACCOUNT_TOPICS]
        return {name: told.get(name, 0) for name in names}

    def _progress(self) -> dict[str, int]:
        """Moves while anything does: inputs are applied, or the changelog is read."""
        read = self._recovery.records
        return {name: end + read for name, end in self._owned_positions().items()}

    def _readiness(self) -> dict[str, bool]:
        return {
            "assigned": self._ends is not None,
            "recovered": not self.shards.lost,
            "inputs_applied": self._ready,
            "prices_fresh": time.time() - self._heard_s < PRICES_FRESH_S,
        }

    def _turn(self) -> bool:
        """One turn of the cycle, by which the blocks of the one before are done; whether the next
        may follow at once."""
        self._require_sound()
        blocks = sorted(self._inbox.take(), key=lambda block: ORDER[block.topic])
        held, self._held = self._held, []
        before = self.cycle.positions()
        heard = _rules_first(held + self._reader.poll())
        if heard and heard[-1].topic == PRICES:
            self._heard_s = time.time()
        done = self.shards.turn(blocks, heard, decide=self._ready)
        self._durable = before
        self._recovery.poll()
        if blocks:
            self._last_block_s = time.time()
            self._first_block_s = self._first_block_s or self._last_block_s
        self._slack.give_back(time.monotonic())
        if done:
            self._loop.call_soon_threadsafe(self._done, done)
        return self._ready and not self.shards.lost

    def _done(self, blocks: list[Block]) -> None:
        for block in blocks:
            block_consumer(self._app).block_done(block)

    def _read_broadcast_to_end(self) -> None:
        """Take every rule that is on the topics now; prices wait for their turn."""
        for block in _rules_first(self._reader.read_to_end()):
            if block.topic == PRICES:
                self._held.append(block)
            else:
                self.cycle.take_broadcast(block)

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._app.should_stop:
            raise RuntimeError(f"Faust ended: {self._app.crash_reason!r}")

    async def _become_ready(self) -> None:
        """Decide from now on, if all is read and nobody has changed the assignment meanwhile."""
        ends = self._ends
        if ends is not None and await self._caught_up(ends):
            self._ready = self._ends is ends
            self._on_status(await self.status())

    async def _caught_up(self, ends: dict[TP, int]) -> bool:
        """Whether the inputs were applied up to their ends at the assignment.

        Until then nothing is decided: fills whose collateral is still unread would liquidate
        accounts that are rich.
        """
        await self._read_markers()
        return all(
            max(self._durable.get(f"{tp.topic}-{tp.partition}", 0), self._read.get(tp, 0)) >= end
            for tp, end in ends.items()
        )

    async def _read_markers(self) -> None:
        """A partition may end in transaction markers, which no block holds: there the client's own
        position tells, once all that it has handed out is durable."""
        if self._ends is not None:
            found = await block_consumer(self._app).positions()
            self._read |= {
                tp: position for tp, (position, handed) in found.items()
                if self._durable.get(f"{tp.topic}-{tp.partition}", 0) >= handed
            }  # fmt: skip

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
        app.assignor.replicas = settings.standbys
        app.assignor.held = lambda: (self.shards.held, self._recovery.warm)
        app.on_rebalance_complete.connect(self._assigned)
        return app

    async def _assigned(self, app: faust.App, **_: Any) -> None:
        """Hold what is ours now. Faust reads on, from where the states end, when this returns."""
        telling = asyncio.create_task(self._tell_recovery())
        try:
            assigned = set(app.consumer.assignment())
            async with self._turning.alone():
                ends = await self._turning.call(
                    self._ownership.hold,
                    {tp.partition for tp in assigned},
                    app.assignor.standby_partitions,
                )
                self._ends, self._ready, self._read = ends, False, {}
        except Exception as failure:
            self._failure = failure  # Faust would log it and read on
            raise
        finally:
            telling.cancel()
        log.info("holds %s", sorted(self.shards.held))


def _rules_first(blocks: list[Block]) -> list[Block]:
    return sorted(blocks, key=lambda block: BROADCAST.index(block.topic))
