"""Collateral counts slice by slice, debts weigh more, and both round down."""

from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import Assets, StepTable
from risk.margin.haircuts import counted
from schemas.units import E8, LIMIT_E8, PPM
from tests.reference import margin as slow
from tests.risk.books import ints, step_tables


def counts(value, table, borrow_weight=0):
    assets = Assets(ints([E8]), ints([borrow_weight]), StepTable.of([table]))
    return int(counted(ints([value]), ints([0]), assets)[0])


VALUES = st.integers(-LIMIT_E8, LIMIT_E8) | st.integers(-5, 5)


@given(VALUES, step_tables(), st.integers(0, PPM))
def test_counted_is_the_twins(value, table, borrow_weight):
    assert counts(value, table, borrow_weight) == slow.counted(value, table, borrow_weight)


@given(VALUES, step_tables(), st.integers(0, PPM))
def test_nothing_counts_for_more_than_it_is(value, table, borrow_weight):
    assert counts(value, table, borrow_weight) <= value


@given(st.integers(0, 10**17), st.integers(0, 10**17), step_tables())
def test_more_collateral_never_counts_less(value, more, table):
    assert counts(value + more, table) >= counts(value, table)


def test_each_slice_has_its_own_rate():
    table = [(0, 0), (1_000 * E8, 50_000), (2_000 * E8, 1_000_000)]
    assert counts(500 * E8, table) == 500 * E8
    assert counts(1_500 * E8, table) == 1_475 * E8
    assert counts(9_000 * E8, table) == 1_950 * E8


def test_the_first_steps_may_all_be_free():
    table = [(0, 0), (1_000 * E8, 0), (2_000 * E8, 500_000)]
    assert counts(2_000 * E8, table) == 2_000 * E8
    assert counts(3_000 * E8, table) == 2_500 * E8


def test_one_unit_rounds_down_on_both_sides():
    assert counts(1, [(0, 1)]) == 0
    assert counts(-1, [], borrow_weight=1) == -2
    assert counts(0, [(0, 1)], borrow_weight=1) == 0
