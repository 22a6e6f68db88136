"""A contender: the worker as it is, with a stopwatch around the application of fills."""

import asyncio
from typing import Any

from benchmarks.contender import SESSION_TIMEOUT_S, Stopwatch, settings_of_this_process, tell
from schemas.block import Block
from streams.base.settings import Settings
from streams.run.worker import Worker

LOOK_S = 0.01


def main() -> None:
    """Work until each partition in `counts` of topic fills is applied to its end."""
    given = settings_of_this_process()
    settings = Settings.read(
        bootstrap=given["bootstrap"],
        app=given["app"],
        partitions=len(given["counts"]),
        session_timeout_s=SESSION_TIMEOUT_S,
    )
    worker = Worker(settings, lambda status: None)
    stopwatch = Stopwatch()
    _time(worker, stopwatch)
    ends = {f"fills-{number}": count for number, count in given["counts"].items()}
    final = asyncio.run(_work(worker, ends))
    tell(stopwatch, final["applied"].get("fills", 0), final=final)


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
