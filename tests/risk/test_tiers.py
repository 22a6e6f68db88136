"""Margin by tier is exact, continuous at the floors and rounded up once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import Tiers
from risk.margin.tiers import maintenance_rate, requirement
from schemas.units import E8, PPM
from tests.reference import margin as slow
from tests.risk.books import ints, tier_tables

TABLE = [(0, 8_000, 4_000), (50_000 * E8, 10_000, 5_000), (250_000 * E8, 20_000, 10_000)]


def margins(notional, table=TABLE, scalar=PPM):
    tiers = Tiers.of([table], [scalar])
    initial, maintenance, fits = requirement(ints([notional]), ints([0]), tiers)
    assert fits.all()
    return int(initial[0]), int(maintenance[0])


@given(st.integers(0, 10**17) | st.integers(0, 10**7), tier_tables(), st.integers(0, 5 * PPM))
def test_requirement_is_the_sum_over_slices(notional, table, scalar):
    expected = tuple(
        slow.requirement(notional, [(row[0], row[column]) for row in table], scalar)
        for column in (1, 2)
    )
    assert margins(notional, table, scalar) == expected


@given(tier_tables(), st.data())
def test_requirement_at_a_floor_joins_the_tier_below(table, data):
    if len(table) < 2:
        return
    k = data.draw(st.integers(1, len(table) - 1))
    below, at = margins(table[k][0] - 1, table), margins(table[k][0], table)
    assert 0 <= at[0] - below[0] <= 1
    assert 0 <= at[1] - below[1] <= 1


@given(st.integers(0, 10**17), st.integers(0, 10**6), tier_tables())
def test_more_notional_never_requires_less(notional, more, table):
    small, large = margins(notional, table), margins(notional + more, table)
    assert large[0] >= small[0]
    assert large[1] >= small[1]


def test_margin_at_named_notionals():
    assert margins(0) == (0, 0)
    assert margins(1) == (1, 1)  # one unit: rounded up
    assert margins(50_000 * E8) == (400 * E8, 200 * E8)
    assert margins(100_000 * E8) == (900 * E8, 450 * E8)
    assert margins(100_000 * E8, scalar=1_500_000) == (1_350 * E8, 675 * E8)
    assert margins(10**18 - 1)[1] == 10**16 - 1_300 * E8


def test_an_unknown_table_requires_nothing():
    assert margins(10**12, table=[]) == (0, 0)


def test_a_margin_that_does_not_fit_says_so():
    tiers = Tiers.of([[(0, PPM, PPM)]], [2 * PPM])
    notional = ints([6 * 10**17, 4 * 10**17])
    initial, _, fits = requirement(notional, ints([0, 0]), tiers)
    assert fits.tolist() == [False, True]
    assert initial.tolist() == [0, 8 * 10**17]


def test_marginal_rate_is_that_of_the_tier_and_changes_at_its_floor():
    tiers = Tiers.of([TABLE], [2 * PPM])
    notional = ints([50_000 * E8 - 1, 50_000 * E8, 10**17])
    rates = maintenance_rate(notional, np.zeros(3, np.int64), tiers)
    np.testing.assert_allclose(rates, [0.008, 0.01, 0.02], rtol=1e-15)
