"""A paced liquidation closes in step with time, and stops once the buffer is met."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.paced import Account, Pace, paced

PACE = Pace(0.05, 0.02, 0.01, 0.01, 0.01, initial=0.1, duration=150)
AT_ONCE = Pace(0.05, 0.02, 0.01, 0.01, 0.01)


def long(size: float, collateral: float, **orders: tuple[float, ...]) -> Account:
    """Bought at 100."""
    return Account(size, -100 * size, collateral, **orders)


@given(
    st.integers(10, 500),
    st.floats(0.001, 0.049),
    st.lists(st.integers(0, 200), min_size=1, max_size=6),
    st.sampled_from([1, -1]),
)
def test_no_more_is_freed_than_time_allows(size, ratio, times, side):
    account = Account(side * size, -100 * side * size, ratio * 100 * size)
    times = sorted(times)
    done = paced(account, 100, times, 0, PACE)
    assert (np.diff(done.left, prepend=size) <= 1e-9).all()
    shortfall = 100 * size * (0.07 - ratio)
    ended = np.flatnonzero(done.freed == 0)
    for row in range(ended[0] if len(ended) else len(times)):
        allowed = min(1, 0.1 + times[row] / 150) * shortfall
        a_lot = PACE.lot * 100 * 0.07
        small = shortfall - (done.freed[row - 1] if row else 0) < PACE.full_below
        assert small or done.freed[row] <= allowed + a_lot


def test_a_liquidation_at_once_leaves_the_buffered_requirement():
    done = paced(long(20, 80), 100, [0], 0, AT_ONCE)
    left = done.left[0]
    equity = 80 - (20 - left) * 100 * 0.02
    assert not done.liquidating
    assert -1e-9 <= equity - left * 100 * 0.07 <= 0.05


def test_a_healthy_account_is_left_alone():
    """It meets the plain requirement, though not the buffered one."""
    done = paced(long(20, 130, bids=(5.0,)), 100, [0, 9], 0, AT_ONCE)
    assert (done.left.tolist(), done.freed.tolist(), done.liquidating) == ([20, 20], [0, 0], False)


def test_orders_go_first_and_may_be_all_it_takes():
    done = paced(long(20, 141, bids=(10.0,)), 100, [0], 0, AT_ONCE)
    assert (done.left.tolist(), done.liquidating) == ([20], False)


def test_a_small_position_goes_whole():
    done = paced(long(0.4, 1), 100, [0], 0, PACE)
    assert done.left.tolist() == [0]


def test_the_insurance_fee_is_what_the_account_can_spare():
    pace = Pace(0.05, 0.001, 0.01, 0.01, 0.01)
    done = paced(Account(-1, 100, 1.5), 100, [0], 0, pace)
    assert done.insurance_fee.tolist() == [pytest.approx(0.475)]
