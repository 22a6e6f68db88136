"""Fills and collateral into the book: exact, whatever the block size, and as a clerk would."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import E8
from tests.reference.ledger import ClerksBook
from tests.streams.state.exchange import (
    INSTRUMENTS,
    Bench,
    deposit,
    fill,
    funding,
    mark,
)

ACCOUNTS = ("alice", "bob", "carol")
QUANTITIES = st.integers(1, 5).map(lambda lots: lots * E8)
FILLS = st.lists(
    st.fixed_dictionaries({
        "account": st.sampled_from(ACCOUNTS),
        "instrument_id": st.sampled_from(["BTC-PERP", "ETH-PERP", "BTC-INV", "BTC-USDT"]),
        "side": st.sampled_from(["BUY", "SELL"]),
        "price_e8": st.integers(1, 2_000_000).map(lambda ticks: ticks * E8 // 10),
        "quantity_e8": QUANTITIES,
        "fee_e8": st.integers(-1_000, 10**9),
        "fee_asset": st.sampled_from(["USDT", "BTC"]),
        "margin_mode": st.sampled_from(["CROSS", "ISOLATED"]),
        "isolated_margin_e8": st.integers(-(10**10), 10**10),
    }),
    max_size=40,
)  # fmt: skip


def records_of(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [fill(number, **one) for number, one in enumerate(drawn)]


def merged(found: dict[tuple[str, str, str], Any]) -> dict[tuple[str, str, str], Any]:
    """System accounts without their slice and instrument, as the clerk keeps them."""
    sums: dict[tuple[str, str, str], Any] = defaultdict(lambda: 0)
    for (account, bucket, what), amount in found.items():
        owner = account.split(":")[0] if account.startswith("@") else account
        present = sums[owner, bucket, what]
        sums[owner, bucket, what] = (
            amount if present == 0 else
            tuple(map(sum, zip(present, amount, strict=True))) if isinstance(amount, tuple)
            else present + amount
        )  # fmt: skip
    return {place: amount for place, amount in sums.items() if amount not in (0, (0, 0))}


@settings(max_examples=60, deadline=None)
@given(drawn=FILLS)
def test_fills_are_booked_as_a_clerk_would(drawn: list[dict[str, Any]]) -> None:
    bench = Bench()
    clerk = ClerksBook({one["instrument_id"]: one for one in INSTRUMENTS})
    records = records_of(drawn)
    bench.send("fills", *records)
    for record in records:
        clerk.fill(record)
    assert merged(bench.balances()) == {k: v for k, v in clerk.balances.items() if v}
    held = {k: (q, c) for k, (q, c) in clerk.positions.items() if q or c}
    assert merged(bench.positions()) == held


@settings(max_examples=40, deadline=None)
@given(drawn=FILLS, cuts=st.sets(st.integers(1, 39)))
def test_the_book_does_not_depend_on_blocks(drawn: list[dict[str, Any]], cuts: set[int]) -> None:
    records = records_of(drawn)
    whole, parts = Bench(), Bench()
    whole.send("fills", *records)
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    for start, end in pairwise(edges):
        parts.send("fills", *records[start:end])
    assert (whole.balances(), whole.positions()) == (parts.balances(), parts.positions())


@settings(max_examples=40, deadline=None)
@given(drawn=FILLS)
def test_sums_are_conserved(drawn: list[dict[str, Any]]) -> None:
    """Perpetuals: both sides of each trade are in the book, nothing comes or goes."""
    bench = Bench()
    trades = [one for one in drawn if one["instrument_id"] != "BTC-USDT"]
    for number, one in enumerate(trades):
        other = {"BUY": "SELL", "SELL": "BUY"}[one["side"]]
        bench.send("fills", fill(2 * number, **one),
                   fill(2 * number + 1, **{**one, "account": "maker", "side": other}))  # fmt: skip
    assets: dict[str, int] = defaultdict(int)
    for (_, _, name), amount in bench.balances().items():
        assets[name] += amount
    assert not any(assets.values())
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, _, name), held in bench.positions().items():
        sums[name] = [a + b for a, b in zip(sums[name], held, strict=True)]
    assert all(total == [0, 0] for total in sums.values())


def test_a_block_that_was_seen_does_nothing() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1))
    before = bench.balances()
    bench._end["collateral", 0] = 0  # the broker delivers the same offsets again
    bench.send("collateral", deposit(1))
    assert bench.balances() == before
    assert bench.letters() == []


def test_an_isolated_transfer_moves_between_two_buckets() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1), deposit(
        2, kind="TRANSFER", amount_e8=300 * E8, isolated_instrument_id="ETH-PERP"))  # fmt: skip
    assert bench.balances() == {
        ("alice", "cross", "USDT"): 9_700 * E8, ("alice", "ETH-PERP", "USDT"): 300 * E8,
    }  # fmt: skip
    assert bench.cycle.ledger.external_e8 == {(0, "USDT"): 10_000 * E8}


def test_funding_is_paid_by_longs_to_shorts_and_once() -> None:
    bench = Bench()
    bench.send("fills", fill(1, "alice"), fill(2, "bob", side="SELL"))
    bench.send("funding", funding(10))
    bench.send("funding", funding(10))
    assert bench.balances() == {}, "not before its time"
    bench.send("prices", mark(10))
    bench.cycle.decide()
    paid = {("alice", "cross", "USDT"): -6 * E8, ("bob", "cross", "USDT"): 6 * E8}
    assert bench.balances() == paid
    bench.send("prices", mark(11))
    bench.cycle.decide()
    assert bench.balances() == paid
    assert [letter["reason"] for letter in bench.letters()] == ["DUPLICATE_ID"]


def test_funding_falls_between_the_fills_before_and_after_its_time() -> None:
    """A book that is rebuilt reads all payments first; they meet the same positions."""
    fills = [fill(1, "alice"), fill(2, "bob", side="SELL"), fill(20, "alice", quantity_e8=5 * E8)]
    live, rebuilt = Bench(), Bench()
    live.send("fills", *fills[:2])
    live.send("funding", funding(10))
    live.send("prices", mark(10))
    live.cycle.decide()
    live.send("fills", *fills[2:])
    rebuilt.send("funding", funding(10))
    rebuilt.send("fills", *fills)
    assert rebuilt.balances() == live.balances() != {}
    assert rebuilt.positions() == live.positions()


def test_tables_grow_without_losing_an_entry() -> None:
    bench = Bench()
    names = [f"acc-{number}" for number in range(500)]
    bench.send("collateral", *[deposit(n, name) for n, name in enumerate(names)])
    bench.send("fills", *[fill(n, name, fee_e8=1) for n, name in enumerate(names)])
    found = bench.balances()
    assert all(found[name, "cross", "USDT"] == 10_000 * E8 - 1 for name in names)
    assert found["@fees:USDT#0", "cross", "USDT"] == 500


def test_a_partition_that_leaves_takes_its_accounts_with_it() -> None:
    bench = Bench(partitions=4)
    names = [f"acc-{number}" for number in range(100)]
    bench.send("collateral", *[deposit(n, name) for n, name in enumerate(names)])
    bench.send("fills", *[fill(n, name) for n, name in enumerate(names)])
    bench.send("prices", mark(1))
    bench.cycle.decide()
    before = len(bench.balances())
    bench.cycle.drop_partition(2)
    left = {account for account, _, _ in bench.balances()}
    gone = set(names) - left
    assert 0 < len(gone) < 100
    assert len(bench.balances()) == before - len(gone)
    assert not {account for account, _, _ in bench.positions()} & gone
    bench.send("prices", mark(2, price=40_000))
    bench.cycle.decide()
    bench.cycle._position = {}
    bench._end = {}
    bench.send("collateral", *[deposit(n, name) for n, name in enumerate(sorted(gone))])
    assert {account for account, _, _ in bench.balances()} == set(names)
