"""Whether a worker still moves: the judgement, its HTTP face, and the thread that ends a hung one.

A stalled worker is restarted; one that waits for a dependency is not. So liveness looks only at
work that is known to be there and is not being done, and never at the broker itself.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

log = logging.getLogger(__name__)

STALL_S = 30.0
LOOP_S = 10.0
CHECK_S = 1.0
TELL_S = 5.0
SHUTDOWN_S = 1.0
CLOSE_S = 20.0
EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h: an internal fault, not a wrong setting."""

Liveness = Callable[[], list[str]]
"""Sentences that say what is dead; none while all is alive."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one observation found: the stalled topic-partitions, and all that is dead in words."""

    stalled: tuple[str, ...]
    sentences: list[str]


@dataclass(slots=True)
class _Mark:
    position: int | None
    since_s: float


class Progress:
    """Tells partitions that have work and do not move from those that have nothing to do.

    Partitions are named "topic-partition"; times are seconds of any one monotonic clock. It may be
    asked from several threads.
    """

    def __init__(self, *, stall_s: float = STALL_S, loop_s: float = LOOP_S) -> None:
        self._stall_s = stall_s
        self._loop_s = loop_s
        self._marks: dict[str, _Mark] = {}
        self._observed_s: float | None = None
        self._lock = threading.Lock()

    def observe(
        self,
        now_s: float,
        lags: Mapping[str, int],
        positions: Mapping[str, int],
        heartbeat_s: float,
    ) -> Verdict:
        """Judge the owned partitions, which are the keys of `lags`; others are forgotten.

        `positions` holds any number that changes as a partition moves: the next offset, or how far
        its recovery is. A partition without one has not begun. `heartbeat_s` is the time of the
        main loop's last turn.
        """
        with self._lock:
            stalled = self._stalled(now_s, lags, positions)
        sentences = [
            f"{place} has not moved from {positions.get(place, 'its beginning')} for {still_s:.0f} "
            f"s, more than {self._stall_s:g} s, with {lags[place]} records to read"
            for place, still_s in stalled.items()
        ]
        if now_s - heartbeat_s > self._loop_s:
            sentences.append(
                f"the main loop has made no turn for {now_s - heartbeat_s:.0f} s, "
                f"more than {self._loop_s:g} s"
            )
        return Verdict(tuple(stalled), sentences)

    def _stalled(
        self, now_s: float, lags: Mapping[str, int], positions: Mapping[str, int]
    ) -> dict[str, float]:
        """Seconds that each stalled partition has stood still."""
        if self._observed_s is not None and now_s - self._observed_s > self._stall_s:
            self._marks.clear()  # nobody looked, perhaps the process was suspended: begin anew
        self._observed_s = now_s
        before, self._marks = self._marks, {}
        for place, lag in lags.items():
            position, mark = positions.get(place), before.get(place)
            if mark is None or lag <= 0 or mark.position != position:
                mark = _Mark(position, now_s)
            self._marks[place] = mark
        return {
            place: now_s - mark.since_s
            for place, mark in sorted(self._marks.items())
            if now_s - mark.since_s > self._stall_s
        }


class HealthServer:
    """GET /livez and /readyz for whoever restarts workers and routes to them.

    Both answer 200 or 503: /livez with what is dead, /readyz with every condition of readiness and
    the missing ones. They run in the event loop: if that hangs, no answer is the answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        liveness: Liveness,
        readiness: Callable[[], dict[str, bool]],
    ) -> None:
        self._host = host
        self.port = port
        """The port asked for; where that is 0, the port found, once started."""
        self._liveness = liveness
        self._readiness = readiness
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; OSError, which names the address, where that is taken."""
        app = web.Application()
        app.add_routes([web.get("/livez", self._livez), web.get("/readyz", self._readyz)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; harmless when it does not listen."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        dead = self._liveness()
        return web.json_response({"dead": dead}, status=503) if dead else web.Response(text="ok")

    async def _readyz(self, _: web.Request) -> web.Response:
        conditions = self._readiness()
        missing = [name for name, met in conditions.items() if not met]
        told = {**conditions, "missing": missing}
        return web.json_response(told, status=503 if missing else 200)


class Watchdog:
    """Ends the process when it is dead at two checks in a row, after telling all there is to know.

    It is a thread, because the event loop may be what hangs. Two checks, because a process that was
    suspended finds its heartbeat old at the first one. Stop it before a shutdown that takes time.
    """

    def __init__(
        self,
        liveness: Liveness,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        check_s: float = CHECK_S,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """`wait(seconds)` passes the time between checks and is true when there are to be none."""
        self._liveness = liveness
        self._loop = loop
        self._check_s = check_s
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more: when this returns, the process is safe from it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        was_dead = False
        while not self._wait(self._check_s):
            dead = self._dead()
            if dead and was_dead and not self._stopped.is_set():
                _end(dead, self._loop)
            was_dead = bool(dead)

    def _dead(self) -> list[str]:
        """A check that fails counts as dead: otherwise nobody would watch any more."""
        try:
            return self._liveness()
        except Exception as error:
            return [f"liveness cannot be told: {error!r}"]


def _end(
    dead: list[str], loop: asyncio.AbstractEventLoop | None, status: int = EXIT_STATUS
) -> None:
    """Told from a thread of its own: what hangs may hold the lock of the log."""
    teller = threading.Thread(target=_tell, args=(dead, loop), name="watchdog-tells", daemon=True)
    teller.start()
    teller.join(TELL_S)
    os._exit(status)


def _tell(dead: list[str], loop: asyncio.AbstractEventLoop | None) -> None:
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    for sentence in dead:
        log.critical("the worker ends itself: %s", sentence)
    try:
        for task in asyncio.all_tasks(loop) if loop else ():
            task.print_stack(file=sys.stderr)
    except Exception as error:  # the loop goes on meanwhile, and its tasks change
        log.critical("the stacks of the tasks cannot be told: %r", error)
    sys.stderr.flush()


def end_soon(failure: BaseException | None) -> threading.Timer:
    """Ends the process in `CLOSE_S`, after `failure` if there is one, unless it is cancelled.

    Clients of a broker that is gone wait for it without end when they are closed.
    """
    dead, status = [f"clients did not close within {CLOSE_S:g} s"], 0
    if failure is not None:
        dead, status = [*dead, f"it had failed: {failure!r}"], EXIT_STATUS
    timer = threading.Timer(CLOSE_S, _end, (dead, None, status))
    timer.daemon = True
    timer.start()
    return timer
