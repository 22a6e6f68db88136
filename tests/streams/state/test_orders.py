"""Open orders: the last word on each counts, bad ones are refused, and all of it survives."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.record_codec import encode
from schemas.units import E8, LIMIT_E8
from streams.state import open_orders
from streams.state.changelog import ChangelogError
from streams.state.ledger import partition_of
from streams.state.partition_log import PARTITION, Image
from tests.reference.changelog import record_of
from tests.reference.ledger import ClerksBook
from tests.reference.open_orders import hashed, sums_of
from tests.streams.state.exchange import (
    INSTRUMENTS,
    Bench,
    deposit,
    funding,
    instrument,
    mark,
    order,
)
from tests.streams.state.open_orders import open_orders_of

ORDERS = st.lists(
    st.fixed_dictionaries({
        "account": st.sampled_from(["alice", "bob", "carol"]),
        "order_id": st.sampled_from(["a", "b", "c", "d"]),
        "instrument_id": st.sampled_from(["BTC-PERP", "ETH-PERP", "BTC-INV", "BTC-USDT"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "remaining_e8": st.integers(-1, 5).map(lambda lots: lots * E8),
        "margin_mode": st.sampled_from(["CROSS", "ISOLATED"]),
        "reduce_only": st.booleans(),
    }),
    max_size=40,
)  # fmt: skip
HUGE_E8 = LIMIT_E8 // (2 * E8) * E8
Record = dict[str, Any]


def clerk_of(records: list[Record]) -> ClerksBook:
    clerk = ClerksBook({one["instrument_id"]: one for one in INSTRUMENTS})
    for record in records:
        if record["remaining_e8"] >= 0:
            clerk.order(record)
    return clerk


def write(bench: Bench, image: Image) -> None:
    """The end of a turn; accounts are written as their format says."""
    log, book = bench.cycle.log, bench.cycle.ledger.book
    image.take(pairs := log.records({0: bench.cycle.ends(0)})[0])
    for key, value in pairs:
        if key[:1] != b"\x00":
            assert value == record_of(book, book.accounts.row(key.decode()), log._names)


def restarted(bench: Bench, image: Image) -> Bench:
    again = Bench()
    again.cycle.take_partition(0, image.records)
    again._end = {place: end for place, end in bench._end.items() if place[0] == "orders"}
    return again


def said(bench: Bench) -> list[str]:
    return [letter["reason"] for letter in bench.letters()]


@settings(max_examples=80, deadline=None)
@given(drawn=ORDERS, cuts=st.sets(st.integers(1, 39)))
def test_the_last_word_counts_whatever_the_blocks_and_the_restarts(
    drawn: list[Record], cuts: set[int]
) -> None:
    records = [order(number, **one) for number, one in enumerate(drawn)]
    bench, image = Bench(), Image()
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    for nth, (start, end) in enumerate(pairwise(edges)):
        bench.send("orders", *records[start:end])
        write(bench, image)
        if nth % 2:
            bench = restarted(bench, image)
    write(bench, image)
    orders = clerk_of(records).orders
    assert open_orders_of(bench.cycle) == (orders, sums_of(orders))
    again = restarted(bench, image)
    assert open_orders_of(again.cycle) == (orders, sums_of(orders))
    assert again.cycle.ends(0) == bench.cycle.ends(0)
    again._end["orders", 0] = 0
    again.send("orders", *records)
    assert open_orders_of(again.cycle) == (orders, sums_of(orders)), "it was all applied before"
    assert again.cycle.applied["orders"] == 0


def test_a_refused_record_leaves_the_order_as_it_was() -> None:
    bench = Bench()
    bench.send("orders", order(1, order_id="a", remaining_e8=3 * E8))
    bad = {
        "OFF_TICK_PRICE": {"price_e8": E8 // 10 + 1},
        "OFF_LOT_QUANTITY": {"remaining_e8": E8 + 1},
        "NON_POSITIVE_PRICE": {"price_e8": 0},
        "NON_POSITIVE_QUANTITY": {"remaining_e8": -E8},
        "AMOUNT_OUT_OF_RANGE": {"remaining_e8": LIMIT_E8 // E8 * E8 + E8},
        "UNKNOWN_INSTRUMENT": {"instrument_id": "NO-PERP"},
        "SETTLED_INSTRUMENT": {"instrument_id": "OLD-PERP"},
        "TIME_OUT_OF_RANGE": {"event_time": 1},
        "MISSING_FIELD": {"instrument_id": ""},
    }
    for reason, fields in bad.items():
        bench.send("orders", order(2, **{"order_id": "a", **fields}))
        assert said(bench) == [reason]
    bench.send("orders", order(3, order_id=""))
    assert said(bench) == ["MISSING_FIELD"]
    orders, _ = open_orders_of(bench.cycle)
    assert orders == {("alice", hashed("a")): ("cross", "BTC-PERP", 3 * E8, False)}


def test_an_order_under_another_key_or_on_another_partition_is_refused() -> None:
    bench = Bench(partitions=4)
    value = encode("order", order(1))
    home = partition_of("alice", 4)
    bench.raw("orders", [(b"bob", value)], home)
    bench.raw("orders", [(b"alice", value)], (home + 1) % 4)
    assert said(bench) == ["WRONG_KEY", "WRONG_KEY"]
    bench.raw("orders", [(b"alice", value)], home)
    assert len(open_orders_of(bench.cycle, home)[0]) == len(open_orders_of(bench.cycle)[0]) == 1


def test_what_is_settled_can_only_be_removed() -> None:
    bench = Bench()
    bench.send("instruments", instrument("NEW-PERP", "LINEAR_PERP", "NEW", "USDT"))
    bench.send("orders", order(1, order_id="a", instrument_id="NEW-PERP"))
    ended = instrument("NEW-PERP", "LINEAR_PERP", "NEW", "USDT", status="SETTLED", tick_e8=7)
    bench.send("instruments", ended)
    bench.send("orders", order(2, order_id="b", instrument_id="NEW-PERP"))
    assert said(bench) == ["SETTLED_INSTRUMENT"]
    bench.send("orders", order(3, order_id="a", instrument_id="NEW-PERP", remaining_e8=0))
    assert said(bench) == []
    assert open_orders_of(bench.cycle) == ({}, {})


def test_a_settlement_ends_the_orders_of_its_instrument_and_late_ones() -> None:
    bench, image = Bench(), Image()
    bench.send("collateral", deposit(1))
    bench.send("orders", order(2), order(3, instrument_id="ETH-PERP"), order(4, "bob"))
    write(bench, image)
    end = funding(40, funding_id="end", rate=0.0, kind="SETTLEMENT")
    bench.send("funding", end)
    bench.send("prices", mark(41))
    bench.cycle.decide()
    kept = {("alice", hashed("o-3")): ("cross", "ETH-PERP", E8, False)}
    assert open_orders_of(bench.cycle) == (kept, sums_of(kept))
    bench.send("orders", order(5), order(6, "bob", side="SELL"))
    assert open_orders_of(bench.cycle) == (kept, sums_of(kept))
    assert said(bench) == []
    bench.send("orders", order(41))
    assert said(bench) == ["SETTLED_INSTRUMENT"]
    write(bench, image)
    again = Bench()
    again.send("funding", end)
    again.cycle.take_partition(0, image.records)
    assert open_orders_of(again.cycle) == (kept, sums_of(kept))


@pytest.mark.parametrize("cuts", [[0, 6], [0, 1, 2, 3, 4, 5, 6], [0, 3, 6]])
def test_no_sum_leaves_18_digits_whatever_the_blocks(cuts: list[int]) -> None:
    records = [
        order(1, order_id="a", remaining_e8=HUGE_E8),
        order(2, order_id="b", remaining_e8=HUGE_E8),
        order(3, order_id="c", remaining_e8=HUGE_E8),  # one too many
        order(4, order_id="a", remaining_e8=HUGE_E8),  # again the same
        order(5, order_id="d", remaining_e8=HUGE_E8, side="SELL"),
        order(6, order_id="e", remaining_e8=HUGE_E8, reduce_only=True),
    ]
    bench = Bench()
    for start, end in pairwise(cuts):
        bench.send("orders", *records[start:end])
    assert said(bench) == ["AMOUNT_OUT_OF_RANGE"]
    _, sums = open_orders_of(bench.cycle)
    assert sums == {("alice", "cross", "BTC-PERP"): (2 * HUGE_E8, HUGE_E8, 4)}
    bench.send("orders", order(7, order_id="b", remaining_e8=0), order(8, order_id="c"))
    assert said(bench) == []


def test_an_account_has_a_largest_number_of_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_orders, "MOST_ORDERS", 3)
    bench = Bench()
    bench.send("orders", *[order(number) for number in range(4)], order(9, "bob"))
    assert said(bench) == ["AMOUNT_OUT_OF_RANGE"]
    bench.send("orders", order(0, remaining_e8=0), order(3), order(2, side="SELL"))
    assert said(bench) == []
    assert len(open_orders_of(bench.cycle)[0]) == 4


def test_version_4_is_pinned() -> None:
    """Bytes that were written once must be read for ever."""
    bench, image = Bench(), Image()
    bench.send("orders", order(1, side="SELL", margin_mode="ISOLATED", reduce_only=True))
    write(bench, image)
    words = [f"{int(one):016x}" for one in np.frombuffer(image.records[b"alice"], "<u8")]
    assert words[:1] + words[2:] == [
        "0000000000010004", *["0000000000000000"] * 11, "0000000000000001", "0000000000000001",
        "0000000080000000", f"{hashed('o-1'):016x}", "fffffffffa0a1f00",
    ]  # fmt: skip
    bench.send("orders", order(1, remaining_e8=0))
    write(bench, image)
    assert len(image.records[b"alice"]) == 8 * (6 + 2)


def test_a_damaged_count_of_orders_is_found() -> None:
    bench, image = Bench(), Image()
    bench.send("orders", order(1))
    write(bench, image)
    whole = image.records[b"alice"]
    for damaged in (whole[:-24], whole[:-40], whole[:48], whole[:-32] + b"\xff" * 32):
        with pytest.raises(ChangelogError, match="'alice' is damaged"):
            Bench().cycle.take_partition(0, {**image.records, b"alice": damaged})


def test_a_partition_that_leaves_takes_its_orders_with_it() -> None:
    bench = Bench(partitions=4)
    names = [f"acc-{number}" for number in range(40)]
    bench.send("orders", *[order(n, name) for n, name in enumerate(names)])
    before, _ = open_orders_of(bench.cycle)
    gone, _ = open_orders_of(bench.cycle, 2)
    bench.cycle.drop_partition(2)
    left, sums = open_orders_of(bench.cycle)
    assert 0 < len(gone) < len(before) == 40
    assert left.keys() == before.keys() - gone.keys()
    assert sums == sums_of(left)


def test_only_the_buckets_asked_for_are_told() -> None:
    bench = Bench()
    bench.send("orders", order(1), order(2, "bob", side="SELL"), order(3, "bob"))
    book = bench.cycle.ledger.book
    bob = book.bucket_rows(np.array([book.accounts.find("bob")]), np.array([-1]))
    told = book.orders.sums_of(bob)
    columns = (told.bucket, told.instrument, told.bids_e8, told.asks_e8, told.count)
    assert [column.tolist() for column in columns] == [[0], [0], [E8], [E8], [2]]


def test_an_account_ahead_of_its_partition_keeps_what_it_heard_last() -> None:
    bench, image, newer = Bench(), Image(), Image()
    bench.send("orders", order(1), order(2, "bob"))
    write(bench, image)
    later = [order(1, remaining_e8=3 * E8), order(1, remaining_e8=0), order(3, "bob")]
    bench.send("orders", *later)
    write(bench, newer)
    torn = {**image.records, b"alice": newer.records[b"alice"]}
    state = json.loads(torn[PARTITION][1:])
    seals = [int(np.frombuffer(torn[name], "<u8")[1]) for name in (b"alice", b"bob")]
    state["seals"] = sum(seals) % 2**64
    torn[PARTITION] = torn[PARTITION][:1] + json.dumps(state).encode()
    again = Bench()
    again.cycle.take_partition(0, torn)
    again._end["orders", 0] = 2
    again.send("orders", *later)
    assert dict(again.cycle.skipped) == {"orders": 2}
    assert open_orders_of(again.cycle) == open_orders_of(bench.cycle)
