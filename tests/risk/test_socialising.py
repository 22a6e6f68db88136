"""Losses borne by pools in turn, then by winners in proportion, exact to the last unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import socialising
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


def test_a_loser_among_the_winners_bears_nothing():
    assert shares_e8(ints([30, -50, 10]), 20).tolist() == [15, 0, 5]


@given(st.integers(0, LIMIT_E8), gains)
def test_pools_pay_in_turn_and_the_rest_is_uncovered(loss, pools):
    paid, uncovered = socialising.cover_e8(loss, ints(pools))
    assert paid.tolist() == slow.take(pools, loss)
    assert uncovered == max(0, loss - sum(pools))


parties = st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 20)), max_size=6)


@given(parties, st.integers(0, 30))
def test_a_settlement_is_its_slow_twin_and_creates_no_money(rows, pool):
    profits, funds = [row[0] for row in rows], [row[1] for row in rows]
    found = socialising.settle_e8(ints(profits), ints(funds), pool)
    paid, covered, received = slow.settle(profits, funds, pool)
    assert found.paid_e8.tolist() == paid
    assert found.covered_e8.tolist() == covered
    assert found.received_e8.tolist() == received
    owed = sum(profit for profit in profits if profit > 0)
    assert sum(received) == min(owed, sum(paid) + sum(covered))


@given(st.lists(st.floats(-1e6, 1e6), max_size=6), st.floats(0, 1e7))
def test_pro_rata_is_the_loss_at_one_rate_for_all(gained, loss):
    borne = socialising.pro_rata(np.array(gained, np.float64), loss)
    total = sum(gain for gain in gained if gain > 0)
    assert float(borne.sum()) == pytest.approx(min(loss, total))
    rate = float(socialising.loss_rate(np.array(gained, np.float64), loss))
    assert 0 <= rate <= 1
    assert borne == pytest.approx([max(gain, 0) * rate for gain in gained])


def test_a_loss_through_funding_is_paid_by_both_sides():
    """A long pays what the index has risen for each contract, a short what it has fallen."""
    long, short = socialising.charged_indices(1_000, -1_000, 5)
    assert (long - 1_000) * 5 - (short + 1_000) * 5 == 50
    assert (long, short) == (1_005, -1_005)
