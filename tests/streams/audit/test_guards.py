"""Orders on marks that no guard should have let through, and an index the audit finds by itself."""

from random import Random
from typing import Any

from schemas.record_codec import encode
from schemas.units import E8
from streams.audit.broadcast import read_rules
from streams.audit.findings import Findings
from streams.audit.letters import Letters
from streams.audit.reading import Entry
from tests.streams.audit.conftest import Run
from tests.streams.audit.recorded import WRITTEN_MS
from tests.streams.state.exchange import INSTRUMENTS, NOW_US, Bench, mark

STALE_US = 15_000_000
HOUR_US = 3_600_000_000


def first_order(run: Run) -> dict[str, Any]:
    return next(
        record for *_, record in run.entries("liquidations") if record["action"] == "REDUCE"
    )


def test_an_order_while_nothing_trades_is_found(run: Run) -> None:
    order = first_order(run)
    name = order["marks"][0]["instrument_id"]
    place, _, entry, listing = next(
        one for one in run.entries("instruments") if one[3]["instrument_id"] == name
    )
    halted = listing | {"status": "HALTED", "event_time": order["event_time"] - HOUR_US}
    run.append(place, entry._replace(value=encode("instrument", halted)))
    said = f"{order['liquidation_id']} (REDUCE) rests on {name}, which did not trade then"
    assert said in run.audit().unjustified


def test_an_order_on_a_wide_price_is_found(run: Run) -> None:
    order = first_order(run)
    name = order["marks"][0]["instrument_id"]
    for place, at, _, price in run.entries("prices"):
        if price["instrument_id"] == name:
            run.rewrite(place, at, bid_e8=price["mark_e8"] // 2, ask_e8=price["mark_e8"] * 2)
    unjustified = run.audit().unjustified
    assert any(
        one.startswith(f"{order['liquidation_id']} (REDUCE) rests on {name} at")
        and one.endswith("which was no price of then")
        for one in unjustified
    )


def test_the_audit_finds_the_engines_index_of_several_sources() -> None:
    rng, bench, entries, seen = Random(5), Bench(), [], []
    for number in range(1, 200):
        time_us = NOW_US + number * 1_000_000
        price = mark(
            rng.choice((number, number - 1)), source=rng.choice("abc"), event_time=time_us,
            mark_e8=rng.randint(90, 110) * E8, index_e8=rng.choice((0, rng.randint(90, 110) * E8)),
        )  # fmt: skip
        if number % 50 > 30:
            price["source"] = "a"
        entries.append(Entry(number, b"BTC-PERP", encode("mark", price), WRITTEN_MS))
        bench.cycle.board.take_changes()
        bench.send("prices", price)
        board = bench.cycle.board
        if board.take_changes()[0]:
            seen.append((time_us, int(board.index_e8[0])))
    listing = Entry(0, b"BTC-PERP", encode("instrument", INSTRUMENTS[0]), WRITTEN_MS)
    log = {("instruments", 0): [listing], ("prices", 0): entries}
    rules = read_rules(log, Letters(log, Findings()), STALE_US)
    ticks = rules.ticks("BTC-PERP", 0, NOW_US * 2)
    assert [(tick.time_us, tick.index_e8) for tick in ticks] == seen
    assert len(seen) < len(entries), "some came out of order"
