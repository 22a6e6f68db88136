"""A contender: plain Faust, an ordinary agent that handles one event a record, doing the same job.

Decode with fastavro, validate a little, keep position and cash by account and instrument: in a
Faust table with its changelog on the broker, or in a plain dict that a crash would lose.
"""

import asyncio
import tempfile
from collections import defaultdict
from io import BytesIO
from typing import Any

import fastavro
import faust

from benchmarks.contender import SESSION_TIMEOUT_S, Stopwatch, settings_of_this_process, tell
from benchmarks.workload import listed
from schemas.registry import record_schema
from schemas.units import E8

HEADER_BYTES = 5
LOOK_S = 0.01


def main() -> None:
    """Read `topic` until each partition in `counts` was handled to its end."""
    given = settings_of_this_process()
    stopwatch = Stopwatch()
    state = asyncio.run(_work(given, stopwatch))
    tell(stopwatch, sum(given["counts"].values()), state=_merged(state))


async def _work(given: dict[str, Any], stopwatch: Stopwatch) -> dict[str, list[int]]:
    app = _app(given)
    state: Any = (
        app.Table("positions", default=_flat, partitions=len(given["counts"]))
        if given["table"]
        else defaultdict(_flat)
    )
    left = [sum(given["counts"].values())]
    _declare(app, given["topic"], state, (stopwatch, left))
    await app.start()
    try:
        while left[0] > 0:
            if app.should_stop:
                raise RuntimeError(f"Faust ended: {app.crash_reason!r}")
            await asyncio.sleep(LOOK_S)
        return dict(state.items())
    finally:
        await app.stop()


def _app(given: dict[str, Any]) -> faust.App:
    return faust.App(
        given["app"],
        broker=f"kafka://{given['bootstrap']}",
        datadir=tempfile.mkdtemp(prefix="plain-faust-"),
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


def _declare(app: faust.App, topic: str, state: Any, watch: tuple[Stopwatch, list[int]]) -> None:
    stopwatch, left = watch
    schema = record_schema("fill").parsed
    instruments = {listing.instrument_id for listing in listed()}

    source = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def apply(stream: Any) -> None:
        async for event in stream.events():
            stopwatch.begin()
            fill: Any = fastavro.schemaless_reader(
                BytesIO(event.value[HEADER_BYTES:]), schema, None
            )
            _validate(fill, event.key, instruments)
            _apply(fill, state)
            left[0] -= 1
            stopwatch.applied()


def _validate(fill: dict[str, Any], key: bytes, instruments: set[str]) -> None:
    if key != fill["account_id"].encode() or fill["instrument_id"] not in instruments:
        raise ValueError(f"{fill['fill_id']}: wrong key or instrument")
    if fill["price_e8"] <= 0 or fill["quantity_e8"] <= 0:
        raise ValueError(f"{fill['fill_id']}: price and quantity must be positive")


def _apply(fill: dict[str, Any], state: Any) -> None:
    """State by "account instrument": [quantity e8, cost e8, cash e8]."""
    place = f"{fill['account_id']} {fill['instrument_id']}"
    quantity, cost, cash = state[place]
    signed = fill["quantity_e8"] if fill["side"] == "BUY" else -fill["quantity_e8"]
    quantity += signed
    cost += signed * fill["price_e8"] // E8
    cash -= fill["fee_e8"]
    if quantity == 0:
        cash, cost = cash - cost, 0
    state[place] = [quantity, cost, cash]


def _flat() -> list[int]:
    return [0, 0, 0]


def _merged(state: dict[str, list[int]]) -> dict[str, Any]:
    """Positions that are open, and cash summed by account."""
    cash_e8: dict[str, int] = defaultdict(int)
    for place, (_, _, cash) in state.items():
        cash_e8[place.split()[0]] += cash
    return {
        "positions": {place: held[:2] for place, held in state.items() if any(held[:2])},
        "cash": {account: cash for account, cash in cash_e8.items() if cash},
    }


if __name__ == "__main__":
    main()
