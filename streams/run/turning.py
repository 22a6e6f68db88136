"""The thread that turns a worker's cycle, and how others work on what it turns."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


class Turning:
    """Turn follows turn without a word from the event loop, which on a busy machine comes late:
    all prices would wait for it.

    Whoever else works on what is turned does so `alone`, between two turns.
    """

    def __init__(self, cycle_ms: int) -> None:
        self._cycle_s = cycle_ms / 1000
        self._thread = ThreadPoolExecutor(1, "cycle")
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._wanted = threading.Event()

    async def call(self, work: Callable[..., T], *given: object) -> T:
        """Do this in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nothing turns within it."""
        self._waiting += 1
        self._wanted.set()
        try:
            await self._one_at_a_time.acquire()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()
        try:
            yield
        finally:
            self._one_at_a_time.release()

    async def go_on(self, turn: Callable[[], bool], most_s: float) -> None:
        """Turn for so long, from one beginning to the next at least the time of a cycle; less long
        where somebody waits to be alone, or a turn says that the loop has something to do."""
        async with self._one_at_a_time:
            await self.call(self._turn_on, turn, most_s)

    def close(self) -> None:
        self._thread.shutdown()

    def _turn_on(self, turn: Callable[[], bool], most_s: float) -> None:
        ends_s, goes_on = time.monotonic() + most_s, True
        while goes_on:
            began_s = time.monotonic()
            goes_on = turn()
            rest_s = self._cycle_s - (time.monotonic() - began_s)
            wanted = self._wanted.wait(max(rest_s, 0))
            goes_on = goes_on and not wanted and time.monotonic() < ends_s
