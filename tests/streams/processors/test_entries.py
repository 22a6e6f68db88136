"""What is copied out of the book in one pass is what masks over its columns choose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.processors import entries
from tests.reference import entries as slow

MOST_E8 = np.array([0.0, 5.0, 1e18])
"""No mark, a small limit and none to speak of."""
position = st.tuples(st.integers(0, 2), st.integers(-6, 6), st.integers(-9, 9))


@given(st.lists(position, min_size=1, max_size=12), st.data())
def test_rows_that_count_are_those_that_masks_choose(
    held: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    number, quantity_e8, cost_e8 = (np.array(column) for column in zip(*held, strict=True))
    columns = number.astype(np.int32), quantity_e8, cost_e8
    rows = np.array(data.draw(st.lists(st.integers(0, len(held) - 1))), np.int64)
    place = np.arange(len(rows)) // 2
    fast = entries.open_positions(rows, place, columns, MOST_E8)
    for one, other in zip(fast, slow.open_positions(rows, place, columns, MOST_E8), strict=True):
        np.testing.assert_array_equal(one, other)
    owned = rows, place, columns[0], quantity_e8
    np.testing.assert_array_equal(entries.amounts_owned(*owned), slow.amounts_owned(*owned))
