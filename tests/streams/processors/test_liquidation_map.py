"""Parts of the liquidation map: when they are published, and that they add up to the book's."""

from typing import Any

import numpy as np
import pytest

from risk.liquidation.liquidation_map import SHOCKS_PPM
from schemas.record_codec import decode, encode
from schemas.units import E8
from streams.processors import liquidation_map as module
from tests.streams.state.exchange import (
    NOW_US,
    Bench,
    Record,
    deposit,
    fill,
    instrument,
    mark,
    risk_params,
)

SECOND_US = 1_000_000


class Maps(Bench):
    """A bench that publishes maps every 5 s, and the parts by (instrument, partition)."""

    def __init__(self, partitions: int = 1, **more: Any) -> None:
        super().__init__(partitions, **{"map_ms": 5_000, **more})
        self.number = 0

    def at(self, second: float, price: int = 50_000, name: str = "BTC-PERP") -> list[Record]:
        """The parts that are published when this price ticks."""
        self.number += 1
        time_us = NOW_US + round(second * SECOND_US)
        self.send("prices", mark(self.number, name, price, event_time=time_us))
        self.cycle.decide()
        outputs = [o for o in self.cycle.take_outputs() if o.topic == "liquidation-map"]
        for one in outputs:
            assert one.key == one.values["instrument_id"]
            assert one.partition == one.values["partition"]
            assert decode(encode("liquidation_map", one.values))[1] == one.values
        assert len({one.output_id for one in outputs}) == len(outputs)
        return [dict(one.values) for one in outputs]


def steps(part: Record, side: str) -> dict[int, int]:
    return {one["shock_ppm"]: one[f"{side}_e8"] for one in part["steps"]}


def leveraged(bench: Maps, account: str = "alice", **more: Any) -> None:
    """10,000 in cash and a long of 2 at 50,000."""
    bench.number += 1
    bench.send("collateral", deposit(bench.number, account))
    bench.send("fills", fill(bench.number, account, **{"quantity_e8": 2 * E8, **more}))


def test_a_part_says_what_a_fall_liquidates() -> None:
    bench = Maps()
    leveraged(bench)
    (part,) = bench.at(0)
    assert part["instrument_id"] == "BTC-PERP"
    assert part["event_time"] == NOW_US
    assert part["mark_e8"] == 50_000 * E8
    longs = steps(part, "long")
    assert list(longs) == SHOCKS_PPM.tolist()
    # 10,000 - 2 (50,000 - p) = 0.01 x 2 p - 250: p = 45,328, at -9.3%
    assert [shock for shock, sum_e8 in longs.items() if sum_e8] == [
        *range(-300_000, -90_000, 5_000)
    ]
    assert set(longs.values()) == {0, 100_000 * E8}
    assert not any(steps(part, "short").values())
    assert part["unmapped_long_e8"] == part["unmapped_short_e8"] == 0


def test_maps_come_once_in_their_time_where_something_changed() -> None:
    bench = Maps()
    assert bench.at(0) == [], "nobody holds anything"
    leveraged(bench)
    assert bench.at(4.9) == []
    assert len(bench.at(5)) == 1
    assert bench.at(7, 49_000) == []
    (moved,) = bench.at(10, 49_000)
    assert moved["mark_e8"] == 49_000 * E8
    assert bench.at(15, 49_000) == bench.at(65, 49_000) == [], "nothing changed"
    assert bench.at(70, 49_000) == [moved | {"event_time": NOW_US + 70 * SECOND_US}]
    bench.send("fills", fill(90, side="SELL", quantity_e8=2 * E8))
    (gone,) = bench.at(75, 49_000)
    assert not any(steps(gone, "long").values())
    assert bench.at(140, 48_000) == [], "and then nothing more is said"


def test_no_maps_are_made_where_they_are_off() -> None:
    bench = Maps(map_ms=0)
    leveraged(bench)
    assert bench.at(0) == bench.at(60) == []


def test_parts_of_partitions_add_up_and_do_not_fall_into_one_turn() -> None:
    sums: dict[int, list[int]] = {}
    for partitions in (1, 4):
        bench = Maps(partitions)
        for number in range(40):
            leveraged(bench, f"account-{number}", quantity_e8=(number % 7 + 1) * E8 // 2)
        for turn in range(partitions):
            bench.at(1.25 * turn)
        turns = [bench.at(5 + 1.25 * turn, 49_000) for turn in range(partitions)]
        assert [{part["partition"] for part in turn} for turn in turns] == [
            {partition} for partition in range(partitions)
        ]
        longs = [list(steps(part, "long").values()) for turn in turns for part in turn]
        sums[partitions] = np.sum(longs, axis=0).tolist()
    assert sums[1] == sums[4]
    assert max(sums[1]) > 0


def test_a_large_book_is_looked_at_in_several_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, sliced = Maps(), Maps()
    for bench in (whole, sliced):
        for number in range(20):
            leveraged(bench, f"account-{number}", quantity_e8=(number % 7 + 1) * E8 // 2)
        bench.at(0)
    (told,) = whole.at(5, 49_000)
    monkeypatch.setattr(module, "BUCKETS_AT_ONCE", 7)
    assert sliced.at(5, 49_000) == sliced.at(6, 49_000) == []
    assert sliced.at(7, 49_000) == [told]


def test_a_part_is_told_as_of_its_time_however_many_turns_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    bench = Maps()
    names = [f"N{number}-PERP" for number in range(5)]
    for number, name in enumerate(names):
        bench.send("instruments", instrument(name, "LINEAR_PERP", f"N{number}", "USDT"))
        bench.send("risk-params", risk_params(name))
        bench.at(0, 1_000, name)
        leveraged(bench, instrument_id=name)
    turns = [bench.at(5 + second, 1_100, names[second]) for second in range(4)]
    assert [len(turn) for turn in turns] == [2, 2, 1, 0]
    parts = [part for turn in turns for part in turn]
    assert [part["instrument_id"] for part in parts] == names
    assert {part["event_time"] for part in parts} == {NOW_US + 5 * SECOND_US}
    assert [part["mark_e8"] // E8 for part in parts] == [1_100, 1_000, 1_000, 1_000, 1_000]


def test_what_is_listed_while_a_book_is_gone_over_waits_for_the_next_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BUCKETS_AT_ONCE", 1)
    bench = Maps()
    for account in ("alice", "bob"):
        leveraged(bench, account)
    assert bench.at(5, 49_000) == []
    bench.send("instruments", instrument("NEW-PERP", "LINEAR_PERP", "NEW", "USDT"))
    bench.send("risk-params", risk_params("NEW-PERP"))
    leveraged(bench, "bob", instrument_id="NEW-PERP", price_e8=1_000 * E8)
    turns = [bench.at(second, 1_000, "NEW-PERP") for second in range(6, 14)]
    told = [(part["instrument_id"], part["event_time"]) for turn in turns for part in turn]
    assert told[0] == ("BTC-PERP", NOW_US + 5 * SECOND_US)
    assert told[-1] == ("NEW-PERP", NOW_US + 10 * SECOND_US)
    assert [name for name, _ in told].count("NEW-PERP") == 1


def test_portfolios_and_buckets_with_options_are_told_beside_the_steps() -> None:
    bench = Maps()
    terms = {"strike_e8": 50_000 * E8, "option_type": "CALL", "underlying": "BTC-PERP"}
    terms |= {"expiry": NOW_US + 86_400 * 30 * SECOND_US}
    bench.send("instruments", instrument("BTC-CALL", "OPTION", "BTC", "USDT", **terms))
    bench.at(0, 1_000, "BTC-CALL")
    bench.send("accounts", {
        "event_time": NOW_US, "account_id": "desk", "mode": "PORTFOLIO", "risk_profile": "default",
        "status": "ACTIVE",
    })  # fmt: skip
    leveraged(bench)
    leveraged(bench, "desk", side="SELL")
    leveraged(bench, "carol", quantity_e8=E8)
    leveraged(bench, "carol", quantity_e8=E8, instrument_id="BTC-CALL")
    (part,) = bench.at(5)
    assert part["unmapped_short_e8"] == 100_000 * E8
    assert part["unmapped_long_e8"] == 50_000 * E8
    assert max(steps(part, "long").values()) == 100_000 * E8
    assert not any(steps(part, "short").values())


def test_who_may_not_be_liquidated_is_not_in_the_map() -> None:
    bench = Maps()
    leveraged(bench)
    leveraged(bench, "@insurance:USDT")
    bench.send("accounts", {
        "event_time": NOW_US, "account_id": "alice", "mode": "CROSS", "risk_profile": "default",
        "status": "WATCHED",
    })  # fmt: skip
    assert bench.at(5) == []


def test_a_partition_that_comes_back_is_told_anew() -> None:
    bench = Maps()
    leveraged(bench)
    (part,) = bench.at(5)
    bench.cycle.drop_partition(0)
    assert bench.at(10) == []
    bench.cycle.take_partition(0, {})
    leveraged(bench)
    assert bench.at(15) == [part | {"event_time": NOW_US + 15 * SECOND_US}]
