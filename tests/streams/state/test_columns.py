"""Rows of a table by key: one a key, however many are asked for at once and how often each."""

import random
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.block import Int64s
from streams.state import name_table, probing
from streams.state.columns import ColumnTable, PairTable
from streams.state.name_table import NameTable
from tests.reference.rows import RowsByKey

PAGES = Path("/proc/self/pagemap")
PRESENT, EXCLUSIVE = np.uint64(1 << 63), np.uint64(1 << 56)
LETTERS = ("a", "b", "@", "é", "𝄞", "\x00")


def ints(*values: int) -> Int64s:
    return np.array(values, np.int64)


def pair_table(of: type[np.integer[Any]] = np.int64) -> PairTable:
    return PairTable(first=of, second=of, amount=np.int64)


def written_pages(column: NDArray[Any]) -> int:
    """Pages of its own; one that was only read is the system's, which is shared by all."""
    first = column.__array_interface__["data"][0] // PAGESIZE
    with PAGES.open("rb") as pages:
        pages.seek(first * 8)
        told = np.frombuffer(pages.read((column.nbytes // PAGESIZE + 1) * 8), np.uint64)
    return np.count_nonzero((told & PRESENT != 0) & (told & EXCLUSIVE != 0))


def assert_consistent(table: ColumnTable, twin: RowsByKey) -> None:
    assert len(table) == len(twin.row_of)
    assert table.live_rows().tolist() == sorted(twin.row_of.values())
    assert not table["amount"][~table.live].any()


@pytest.mark.parametrize("of", [np.int32, np.int64])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_found_as_in_a_dict(seed: int, of: type[np.integer[Any]]) -> None:
    """Few values and many removals: keys push one another on and move back."""
    rng, table, twin = np.random.default_rng(seed), pair_table(of), RowsByKey()
    for _ in range(40):
        first, second = rng.integers(-1, 20, (2, rng.integers(0, 150)))
        rows = table.rows(first, second)
        assert rows.tolist() == twin.rows(zip(first.tolist(), second.tolist(), strict=True))
        assert table["first"][rows].tolist() == first.tolist()
        assert table["second"][rows].tolist() == second.tolist()
        table["amount"][rows] = 7
        gone = [key for key in twin.row_of if rng.random() < 0.4]
        table.release(ints(*twin.release(gone)))
        assert_consistent(table, twin)
        first, second = rng.integers(-1, 20, (2, 100))
        keys = zip(first.tolist(), second.tolist(), strict=True)
        assert table.found(first, second).tolist() == twin.found(keys)


@pytest.mark.parametrize("seed", range(5))
def test_names_are_found_as_in_a_dict(seed: int) -> None:
    rng, table, twin = random.Random(seed), NameTable(amount=np.int64), RowsByKey()
    for _ in range(40):
        names = [
            "".join(rng.choices(LETTERS, k=rng.randrange(5))) for _ in range(rng.randrange(90))
        ]
        rows = table.rows(names)
        assert rows.tolist() == twin.rows(names)
        assert table.encoded(rows) == [name.encode() for name in names]
        assert table.rows([name.encode() for name in names]).tolist() == rows.tolist()
        table["amount"][rows] = 7
        gone = [name for name in twin.row_of if rng.random() < 0.4]
        table.release(ints(*twin.release(gone)))
        assert_consistent(table, twin)
        assert {table.name(row) for row in twin.row_of.values()} == twin.row_of.keys()
        asked = [*gone, *names]
        assert table.found(asked).tolist() == twin.found(asked)
        assert table.unknown(asked) == set(asked) - twin.row_of.keys()


def test_names_that_share_a_slot_are_told_apart_by_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernels as plain Python, with a hash that is the same for all."""
    for name in ("find_texts", "enter_texts", "settle_texts", "leave_texts", "_text_slot"):
        monkeypatch.setattr(probing, name, getattr(probing, name).py_func)
        monkeypatch.setattr(
            f"streams.state.name_table.{name}", getattr(probing, name), raising=False
        )
    monkeypatch.setattr(probing, "_text_home", lambda size, *_: size - 1)
    table = NameTable(amount=np.int64)
    names = ["x", "y", "", "xy", "yx", "z"]
    assert table.rows(names).tolist() == list(range(6))
    table.release(ints(1, 3))
    assert table.found(names).tolist() == [0, -1, 2, -1, 4, 5]


def test_a_table_grows_far_beyond_its_first_size() -> None:
    table, count = pair_table(), 50_000
    keys = np.arange(count)
    assert table.rows(keys, keys % 7).tolist() == keys.tolist()
    assert table.found(keys, keys % 7).tolist() == keys.tolist()
    assert (table.found(keys, keys % 7 + 1) == -1).all()
    assert len(table) == int(table.live.sum()) == count <= table.capacity


def test_the_bytes_of_names_that_are_gone_are_used_again() -> None:
    """Partitions come and go: what their accounts were called must not pile up."""
    table = NameTable(amount=np.int64)
    stays = table.row("stays")
    for number in range(200):
        table.release(table.rows([f"{number}-{place}" for place in range(1_000)]))
    assert table.name(stays) == "stays"
    assert len(table._bytes) < 5 * 10_000


def test_a_row_that_was_freed_comes_back_empty() -> None:
    table = pair_table()
    table.rows(ints(1, 2, 3), ints(0, 0, 0))
    table["amount"][:3] = 5
    table.release(ints(1))
    assert table.find(2, 0) is None
    assert table.rows(ints(4, 1), ints(0, 0)).tolist() == [1, 0]
    assert table["amount"][:3].tolist() == [5, 0, 5]


def test_what_is_put_says_where_it_differs() -> None:
    table = pair_table()
    rows = table.rows(ints(1, 2, 3), ints(0, 0, 0))
    table["amount"][rows] = [5, 6, 7]
    assert table.put("amount", rows, ints(5, 8, 7)).tolist() == [False, True, False]
    assert table["amount"][rows].tolist() == [5, 8, 7]


def test_a_column_that_moves_keeps_what_it_holds() -> None:
    table, count = pair_table(), 30_000
    rows = table.rows(np.arange(count), np.zeros(count, np.int64))
    table["amount"][rows[[5, -1]]] = 5, 7
    table.rows(np.arange(3 * count), np.zeros(3 * count, np.int64))
    held = table["amount"]
    assert np.flatnonzero(held).tolist() == [5, count - 1]
    assert held[[5, count - 1]].tolist() == [5, 7]


@pytest.mark.skipif(not PAGES.exists(), reason="the system does not tell of pages")
def test_a_column_costs_nothing_where_nothing_was_written() -> None:
    """Most accounts have no deadline: memory that was used before is not written for them."""
    used = [np.ones(1 << 21) for _ in range(4)]
    del used
    table, count = pair_table(), 100_000
    for first in range(0, count, 10_000):
        table.rows(np.arange(first, first + 10_000), np.zeros(10_000, np.int64))
    rows = table.live_rows()
    assert written_pages(table["amount"]) == 0
    assert written_pages(table["first"]) >= count * 8 // PAGESIZE
    table.put("amount", rows, (rows == 70_000).astype(np.int64))
    assert written_pages(table["amount"]) == 1
    table.release(rows)
    assert written_pages(table["amount"]) == 1
    assert not table["amount"].any()


def test_names_beyond_what_is_counted_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name begins is told in 32 bits: it must not wrap."""
    monkeypatch.setattr(name_table, "MOST_BYTES", 2_000)
    table = NameTable(amount=np.int64)
    table.rows(["a" * 900, "b" * 900])
    with pytest.raises(OverflowError, match=r"names of 2,100 bytes: a worker holds 2,000"):
        table.rows(["c" * 300])
    assert table.unknown(["a" * 900, "c" * 300]) == {"c" * 300}
    table.release(table.found(["a" * 900]))
    assert table.name(table.row("c" * 300)) == "c" * 300


def test_a_row_cannot_be_freed_twice() -> None:
    table = pair_table()
    rows = table.rows(ints(1), ints(1))
    table.release(rows)
    with pytest.raises(AssertionError, match="free already"):
        table.release(rows)
