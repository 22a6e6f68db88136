"""Rows of a table by key: one a key, however many are asked for at once and how often each."""

import numpy as np
import pytest

from streams.state.columns import MANY, ColumnTable


def table_of(*keys: int) -> ColumnTable[int]:
    table: ColumnTable[int] = ColumnTable(amount=np.int64)
    table.rows(keys)
    return table


@pytest.mark.parametrize("count", [3, MANY, 3 * MANY])
@pytest.mark.parametrize("named", [1, 2])
def test_new_keys_get_a_row_each_also_where_they_are_named_twice(count: int, named: int) -> None:
    table = table_of(7, 8)
    keys = [8, *range(100, 100 + count)] * named
    rows = table.rows(keys)
    one_by_one = table_of(7, 8)
    assert rows.tolist() == [one_by_one.row(key) for key in keys]
    assert [table.keys[row] for row in rows.tolist()] == keys
    assert table.rows(keys).tolist() == rows.tolist()
    assert len(table) == int(table.live.sum()) == count + 2


def test_a_row_that_was_freed_comes_back_empty() -> None:
    table = table_of(1, 2, 3)
    freed = table.rows([2])
    table["amount"][freed] = 5
    table.release(freed)
    assert table.unknown([1, 2, 3]) == {2}
    assert table.rows([4, 1]).tolist() == [int(freed[0]), 0]
    assert table["amount"][freed].tolist() == [0]
    assert table.find(2) is None
