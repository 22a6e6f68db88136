"""A contender: plain Faust, an ordinary agent that handles one event a record, doing the same job.

Decode with fastavro, validate a little, keep position and cash by account and instrument: in a
Faust table with its changelog on the broker, or in a plain dict that a crash would lose.
"""

import asyncio
import tempfile
from collections import defaultdict
from shutil import rmtree
from typing import Any
from weakref import finalize

import faust

from benchmarks.contender import SESSION_TIMEOUT_S, Stopwatch, settings_of_this_process, tell
from benchmarks.peers.job import FLAT, booked, decoded, place_of

LOOK_S = 0.01


def main() -> None:
    """Read `topic` until each partition in `counts` was handled to its end; a dict is told."""
    given = settings_of_this_process()
    stopwatch = Stopwatch()
    state = asyncio.run(_work(given, stopwatch))
    told = {} if given["table"] else {"state": state}
    tell(stopwatch, sum(given["counts"].values()), **told)


async def _work(given: dict[str, Any], stopwatch: Stopwatch) -> dict[str, list[int]]:
    app = _app(given)
    state: Any = (
        app.Table("positions", default=_flat, partitions=len(given["counts"]))
        if given["table"]
        else defaultdict(_flat)
    )
    left = [sum(given["counts"].values())]
    _declare(app, given, state, (stopwatch, left))
    await app.start()
    try:
        while left[0] > 0:
            if app.should_stop:
                raise RuntimeError(f"Faust ended: {app.crash_reason!r}")
            await asyncio.sleep(LOOK_S)
        await app.producer.flush()
        await app.commit({given["topic"]})
        stopwatch.applied()
        return dict(state.items())
    finally:
        await app.stop()


def _app(given: dict[str, Any]) -> faust.App:
    folder = tempfile.mkdtemp(prefix="plain-faust-")
    app = faust.App(
        given["app"],
        broker=f"kafka://{given['bootstrap']}",
        datadir=folder,
        store="memory://",
        topic_partitions=len(given["counts"]),
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=SESSION_TIMEOUT_S / 3,
        table_standby_replicas=0,
        topic_disable_leader=True,
        web_enabled=False,
    )
    finalize(app, rmtree, folder, ignore_errors=True)
    return app


def _declare(
    app: faust.App, given: dict[str, Any], state: Any, watch: tuple[Stopwatch, list[int]]
) -> None:
    stopwatch, left = watch
    instruments = frozenset(given["instruments"])
    source = app.topic(given["topic"], key_type=bytes, value_type=bytes, value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def apply(stream: Any) -> None:
        async for event in stream.events():
            stopwatch.begin()
            fill = decoded(event.key, event.value, instruments)
            place = place_of(fill)
            state[place] = booked(state[place], fill)
            left[0] -= 1
            stopwatch.applied()


def _flat() -> list[int]:
    return list(FLAT)


if __name__ == "__main__":
    main()
