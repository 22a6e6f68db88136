"""The view of the liquidation map adds up the newest part of every partition."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from schemas.units import E8
from sinks.clickhouse import Delivery, deliver
from sinks.store import Store
from tests.sinks.samples import block_of

MINUTE_US = 60_000_000
NOON_US = 1_760_011_200_000_000


def part(partition: int, at_us: int, longs: list[int], **more: Any) -> dict[str, Any]:
    steps = [
        {"shock_ppm": shock, "long_e8": long * E8, "short_e8": (3 - place) * E8}
        for place, (shock, long) in enumerate(zip((-10_000, 0, 10_000), longs, strict=True))
    ]
    return {
        "event_time": NOON_US + at_us, "instrument_id": "BTC-PERP", "partition": partition,
        "mark_e8": 50_000 * E8, "unmapped_long_e8": 0, "unmapped_short_e8": 0, "steps": steps,
        **more,
    }  # fmt: skip


@pytest.mark.embedded
def test_the_newest_parts_of_all_partitions_add_up(store: Store) -> None:
    records = [
        part(0, 0, [900, 900, 900]),
        part(0, 1, [5, 2, 0], mark_e8=49_000 * E8),
        part(1, 2, [7, 0, 1], mark_e8=48_000 * E8),
        part(0, 3, [40, 0, 0], instrument_id="ETH-PERP"),
        part(2, 2 - 2 * MINUTE_US, [800, 800, 800]),  # a worker that is gone, or nothing is held
    ]
    deliver(store, Delivery(block_of("liquidation-map", "liquidation_map", records), "id"))
    rows = store.query("SELECT * FROM liquidation_map_total")
    names = ("instrument_id", "shock_ppm", "long", "short")
    assert [[row[name] for name in names] for row in rows] == [
        ["BTC-PERP", -10_000, 12, 6],
        ["BTC-PERP", 0, 2, 4],
        ["BTC-PERP", 10_000, 1, 2],
        ["ETH-PERP", -10_000, 40, 3],
        ["ETH-PERP", 0, 0, 2],
        ["ETH-PERP", 10_000, 0, 1],
    ]
    first = rows[0]
    assert first["mark"] == Decimal(48_000)
    assert first["price"] == pytest.approx(47_520)
    assert first["event_time"].replace(tzinfo=dt.UTC).timestamp() == (NOON_US + 2) / 1e6
