"""Socialised losses: in proportion to the gains, exact to the last unit."""

from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.socialising import shares_e8
from schemas.units import LIMIT_E8
from tests.reference import waterfall as slow
from tests.risk.books import ints

gains = st.lists(st.integers(0, LIMIT_E8), max_size=6)


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(0, 60))
def test_shares_are_their_slow_twin(gained, loss):
    assert shares_e8(ints(gained), loss).tolist() == slow.shares(gained, loss)


@given(gains, st.integers(0, 10 * LIMIT_E8))
def test_the_shares_are_the_loss_and_none_is_more_than_its_gain(gained, loss):
    borne = shares_e8(ints(gained), loss).tolist()
    assert sum(borne) == min(loss, sum(gained))
    assert all(0 <= share <= gain for share, gain in zip(borne, gained, strict=True))


@given(gains, st.integers(0, LIMIT_E8), st.integers(0, LIMIT_E8))
def test_a_larger_loss_is_never_better_for_a_winner_but_by_the_remainder(gained, one, more):
    least = shares_e8(ints(gained), one).tolist()
    most = shares_e8(ints(gained), one + more).tolist()
    rows = len(gained)
    assert all(a <= b + rows for a, b in zip(least, most, strict=True))


def test_the_remainder_is_the_last_ones_who_has_room():
    assert shares_e8(ints([1, 1, 1]), 2).tolist() == [0, 1, 1]
    assert shares_e8(ints([10, 10, 10]), 10).tolist() == [3, 3, 4]
    assert shares_e8(ints([10, 10, 0]), 5).tolist() == [2, 3, 0]
    assert shares_e8(ints([0, 0]), 5).tolist() == [0, 0]
