"""Orders move no money, but each is applied or has a letter with a true reason."""

import pytest

from schemas.record_codec import decode, encode
from schemas.units import E8, LIMIT_E8
from streams.audit.reading import Entry
from tests.simulation.driver import WRITTEN_MS
from tests.streams.audit.test_order import RecordedBench
from tests.streams.state.exchange import deposit, fill, funding, instrument, mark, order


@pytest.fixture
def bench() -> RecordedBench:
    """Good orders and bad ones, a settlement among them."""
    bench = RecordedBench()
    bench.send("collateral", deposit(1), deposit(2, "bob"))
    bench.send("fills", fill(3), fill(4, "bob", side="SELL"))
    huge_e8 = LIMIT_E8 // (2 * E8) * E8
    bench.send(
        "orders",
        order(5), order(6, price_e8=1), order(7, remaining_e8=1), order(8, remaining_e8=-E8),
        order(9, price_e8=0), order(10, instrument_id="NO-PERP"), order(11, remaining_e8=0),
        order(12, "bob", remaining_e8=huge_e8), order(13, "bob", remaining_e8=huge_e8),
        order(14, "bob", remaining_e8=huge_e8), order(5, remaining_e8=3 * E8),
        order(15, instrument_id="OLD-PERP"),
    )  # fmt: skip
    bench.send("instruments", instrument("ETH-PERP", "LINEAR_PERP", "ETH", "USDT", tick_e8=7 * E8))
    bench.send("orders", order(16, instrument_id="ETH-PERP"))
    bench.send("funding", funding(20, rate=0.0, kind="SETTLEMENT"))
    bench.send("prices", mark(21))
    bench.cycle.decide()
    gone = order(22, order_id="o-5", remaining_e8=0)
    bench.send("orders", order(22), order(19), gone)
    return bench


def written(bench: RecordedBench) -> list[str]:
    """Write the letters down as a topic; returns their reasons."""
    letters = bench.letters()
    bench.log["dead-letters", 0] = [
        Entry(offset, one["key"], encode("dead_letter", one), WRITTEN_MS)
        for offset, one in enumerate(letters)
    ]
    return [one["reason"] for one in letters]


def test_every_bad_order_has_its_letter(bench: RecordedBench) -> None:
    assert written(bench) == [
        "OFF_TICK_PRICE", "OFF_LOT_QUANTITY", "NON_POSITIVE_QUANTITY", "NON_POSITIVE_PRICE",
        "UNKNOWN_INSTRUMENT", "AMOUNT_OUT_OF_RANGE", "SETTLED_INSTRUMENT", "OFF_TICK_PRICE",
        "SETTLED_INSTRUMENT",
    ]  # fmt: skip
    findings = bench.audit()
    assert findings.clean, findings
    assert findings.counts["orders"] == 16


def test_a_bad_order_without_a_letter_is_found(bench: RecordedBench) -> None:
    written(bench)
    del bench.log["dead-letters", 0][0]
    assert bench.audit().letters == ["orders-0 offset 1 is OFF_TICK_PRICE and has no letter"]


def test_a_letter_about_a_good_order_is_found(bench: RecordedBench) -> None:
    written(bench)
    entry = bench.log["dead-letters", 0][0]
    letter = {**decode(entry.value)[1], "offset": 0}
    bench.log["dead-letters", 0].append(
        entry._replace(offset=99, value=encode("dead_letter", letter))
    )
    assert any("says OFF_TICK_PRICE of orders-0 offset 0" in one for one in bench.audit().letters)


def test_orders_that_were_never_applied_are_lost(bench: RecordedBench) -> None:
    written(bench)
    last = bench.log["orders", 0][-1]
    bench.log["orders", 0].append(last._replace(offset=last.offset + 1))
    assert bench.audit().lost == [
        f"orders-0: the last 1 records, from offset {last.offset + 1} on, were never applied"
    ]
