"""A contender: the worker as it is, with a stopwatch around fills and around commits."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.contender import SESSION_TIMEOUT_S, Stopwatch, settings_of_this_process, tell
from schemas.block import Block
from streams.base.settings import Settings
from streams.run.worker import Worker
from streams.transport.transaction import Journal, PlainJournal, Record, TransactionJournal

LOOK_S = 0.01


def main() -> None:
    """Work until each "topic-partition" in `ends` is applied to its end."""
    given = settings_of_this_process()
    settings = Settings.read(
        bootstrap=given["bootstrap"],
        app=given["app"],
        partitions=given["partitions"],
        session_timeout_s=SESSION_TIMEOUT_S,
        transactions=given["transactions"],
    )
    stopwatch = Stopwatch()
    journal = PlainJournal if given["transactions"] == "off" else TransactionJournal
    commits = _time_commits(journal, stopwatch)
    worker = Worker(settings, lambda status: None)
    _time(worker, stopwatch)
    final = asyncio.run(_work(worker, given["ends"]))
    tell(stopwatch, final["applied"].get("fills", 0), final=final, commits=commits)


def _time(worker: Worker, stopwatch: Stopwatch) -> None:
    apply = worker.cycle.apply

    def timed(block: Block) -> None:
        if block.topic != "fills":
            apply(block)
            return
        stopwatch.begin()
        apply(block)
        stopwatch.applied()

    worker.cycle.apply = timed  # type: ignore[method-assign]


def _time_commits(journal: type[Journal], stopwatch: Stopwatch) -> list[tuple[float, float]]:
    """Begin and end of every commit from now on, monotonic seconds; fills count from their commit.

    Those that come before the first fill open the journals.
    """
    commit, times = journal.commit, list[tuple[float, float]]()

    def timed(self: Journal, records: Sequence[Record]) -> None:
        began = time.monotonic()
        commit(self, records)
        times.append((began, time.monotonic()))
        stopwatch.applied()

    journal.commit = timed  # type: ignore[method-assign]
    return times


async def _work(worker: Worker, ends: dict[str, int]) -> dict[str, Any]:
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(stop))
    while not working.done():
        reached = worker.cycle.positions()
        if all(reached.get(place, 0) >= end for place, end in ends.items()):
            stop.set()
        await asyncio.sleep(LOOK_S)
    return await working


if __name__ == "__main__":
    main()
