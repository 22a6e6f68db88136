"""Deleveraging ranks by return and leverage of the account and takes no more than is needed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import deleveraging
from schemas.units import LIMIT_E8
from tests.reference import waterfall as slow
from tests.risk.books import ints

amounts = st.integers(0, LIMIT_E8)
columns = st.lists(amounts, max_size=6)
few = st.lists(st.integers(0, 12), max_size=5)
signed = st.integers(-(10**9), 10**9)
positive = st.integers(1, 10**9)


def score(*columns):
    return deleveraging.score(*(np.array(column, np.float64) for column in columns))


@given(signed, positive, positive, positive)
def test_the_score_is_return_times_leverage_and_a_loss_over_it(profit, value, equity, notional):
    expected = slow.score(profit, value, equity, notional)
    for cost in (value, -value):
        assert score(profit, cost, equity, notional) == pytest.approx(expected, rel=1e-12)


def test_a_hedged_leg_ranks_below_the_same_leg_alone():
    """Both shorts sold at 100 x 10 stand at 400; the second is hedged by a long of 8."""
    alone, hedged = score([600, 600], [-1_000, -1_000], [700, 220], [400, 80])
    assert hedged < alone


def test_no_equity_is_leverage_without_end():
    ranked = score([5, 5, 5, 0, -5], [10] * 5, [0, -3, 100, 0, 0], [50] * 5)
    assert ranked.tolist() == [np.inf, np.inf, 0.25, 0, 0]
    assert score(5, 0, 10, 10) == np.inf


@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 2.0, np.inf]), st.text("ab1", max_size=3))))
def test_the_order_falls_by_score_and_ties_rise_by_account(rows):
    scores, accounts = [row[0] for row in rows], [row[1] for row in rows]
    found = deleveraging.order(np.array(scores), accounts).tolist()
    assert found == slow.order(scores, accounts)


@given(st.permutations([(1.0, "a"), (1.0, "b"), (2.0, "c"), (-1.0, "d"), (-1.0, "e")]))
def test_the_order_does_not_depend_on_who_answered_first(rows):
    scores, accounts = zip(*rows, strict=True)
    found = deleveraging.order(np.array(scores), accounts)
    assert [accounts[row] for row in found] == ["c", "a", "b", "d", "e"]


@given(few, st.integers(0, 40))
def test_taking_is_its_slow_twin(available, needed):
    assert deleveraging.take_e8(ints(available), needed).tolist() == slow.take(available, needed)


@given(columns, st.integers(0, 10 * LIMIT_E8))
def test_what_is_taken_is_what_is_needed_from_the_first_in_rank(available, needed):
    taken = deleveraging.take_e8(ints(available), needed).tolist()
    assert sum(taken) == min(needed, sum(available))
    used = [row for row, one in enumerate(taken) if one]
    assert all(taken[row] == available[row] for row in range(max(used, default=0)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-3, 9)), max_size=5), st.integers(0, 60))
def test_concessions_are_their_slow_twin(rows, deficit):
    taken, room = [row[0] for row in rows], [row[1] for row in rows]
    found = deleveraging.concessions_e8(ints(taken), ints(room), deficit)
    assert found.tolist() == slow.concessions(taken, room, deficit)


@given(st.lists(st.tuples(amounts, amounts), max_size=6), amounts)
def test_concessions_meet_the_deficit_and_no_gain_is_overdrawn(rows, deficit):
    taken, room = [row[0] for row in rows], [row[1] for row in rows]
    given_up = deleveraging.concessions_e8(ints(taken), ints(room), deficit).tolist()
    assert sum(given_up) == min(deficit, sum(room))
    assert all(0 <= one <= space for one, space in zip(given_up, room, strict=True))


def test_concessions_follow_what_was_taken_and_the_rest_goes_by_rank():
    found = deleveraging.concessions_e8(ints([1, 1, 1]), ints([90, 90, 90]), 100)
    assert found.tolist() == [34, 33, 33]
    found = deleveraging.concessions_e8(ints([3, 1]), ints([10, 90]), 80)
    assert found.tolist() == [10, 70]


def test_candidates_are_the_other_side_in_profit():
    quantity, profit = ints([5, -5, -5, 5, 0, -1]), ints([9, 9, -1, -9, 0, 0])
    assert deleveraging.candidates(quantity, profit, 3).tolist() == [1]
    assert deleveraging.candidates(quantity, profit, -3).tolist() == [0]


@given(signed, st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_candidate_that_accepts_a_price_is_not_bankrupt_by_it(equity, size, mark):
    """Closed at the price it has equity + size x (price - mark), long, and the reverse, short."""
    for side in (1, -1):
        bankruptcy = mark - side * Fraction(equity, size)
        for price in range(mark - 2, mark + 3):
            accepts = deleveraging.acceptable(
                ints([price * size]), ints([int(bankruptcy * size)]), np.array([side > 0])
            )
            assert accepts[0] == (equity + side * size * (price - mark) >= 0)


def test_the_score_that_users_are_told():
    earned, leveraged = deleveraging.wallet_score(
        np.array([40.2, -5, 3]), np.array([4.27, 10, 0.1]), np.array([0.1342, 0.5, 0.5])
    )
    assert earned == pytest.approx([40.2 / 4.27, 0, 3])
    assert leveraged == pytest.approx([40.2 / 4.27 * 0.1342, 0, 1.5])
