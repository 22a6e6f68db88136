"""Chains of owned rows: whatever comes and goes, they tell what a look at all rows would."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block import Int64s
from streams.state.account_book import AccountBook
from streams.state.chains import Chains

BUCKETS = 40
changes = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=8)),
    max_size=12,
)


def looked_at(chains: Chains, owners: Int64s) -> tuple[Int64s, Int64s]:
    """What `Chains.of` tells, by a look at every row."""
    rows = chains._rows.live_rows()
    rows = rows[np.isin(chains._rows[chains._owner][rows], owners)]
    place = np.array(
        [np.flatnonzero(owners == one)[0] for one in chains._rows[chains._owner][rows]]
    )
    order = np.lexsort((rows, place))
    return rows[order], place[order]


@given(changes, st.permutations(range(BUCKETS)), st.integers(0, BUCKETS))
@settings(deadline=None)
def test_chains_tell_what_a_look_at_all_rows_tells(
    steps: list[tuple[bool, list[tuple[int, int]]]], owners: list[int], many: int
) -> None:
    book = AccountBook()
    accounts = book.account_rows([f"a-{number}" for number in range(10)], 0)
    book.bucket_rows(np.tile(accounts, 4), np.repeat(np.arange(-1, 3), 10))
    held: set[tuple[int, int]] = set()
    for comes, pairs in steps:
        buckets, instruments = np.array(pairs, np.int64).reshape(-1, 2).T
        if comes:
            book.position_rows(buckets, instruments)
            held |= set(pairs)
        elif gone := sorted(held & set(pairs)):
            buckets, instruments = np.array(gone).T
            book.held.release(book.position_rows(buckets, instruments))
            held -= set(gone)
    for bucket, instrument in held:
        assert book.held.row(bucket, instrument) == book.positions.find(bucket, instrument)
    asked = np.array(owners[:many], np.int64)
    rows, place = book.held.of(asked)
    told = list(
        zip(asked[place].tolist(), book.positions["instrument"][rows].tolist(), strict=True)
    )
    assert sorted(told) == sorted(pair for pair in held if pair[0] in owners[:many])
    some = asked[asked < 10]
    for of in (book.held, book.pools):
        assert list(map(list, of.of(some))) == list(map(list, looked_at(of, some)))


def test_many_rows_of_one_owner_are_told_in_order() -> None:
    book = AccountBook()
    buckets = book.bucket_rows(book.account_rows([str(one) for one in range(9)], 0), np.full(9, -1))
    one, many = np.full(20, buckets[0]), np.arange(20)
    book.position_rows(one, many)
    book.held.release(book.position_rows(one[:12], many[6:18]))
    book.position_rows(one, many)
    rows, place = book.held.of(buckets[:1])
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert place.tolist() == [0] * 20


def test_a_partition_that_goes_leaves_nothing_in_any_chain() -> None:
    book = AccountBook()
    for partition in (0, 1):
        accounts = book.account_rows([f"{partition}-{number}" for number in range(3)], partition)
        buckets = book.bucket_rows(accounts, np.full(3, -1))
        book.position_rows(np.tile(buckets, 2), np.repeat([0, 1], 3))
        book.balance_rows(buckets, np.zeros(3, np.int64))
    book.drop_partition(0)
    again = book.account_rows(["0-0", "new"], 0)
    assert [len(one) for one in book.pools.of(again)] == [0, 0]
    buckets = book.bucket_rows(again, np.array([-1, -1]))
    assert [len(of.of(buckets)[0]) for of in (book.held, book.owned)] == [0, 0]
    left = book.account_rows(["1-1"], 1)
    bucket, _ = book.pools.of(left)
    assert [len(of.of(bucket)[0]) for of in (book.held, book.owned)] == [2, 1]
