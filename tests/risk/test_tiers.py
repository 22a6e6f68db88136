"""Margin by tier is exact, rounded up once, and continuous at the floors where it is marginal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import Tiers
from risk.margin.tiers import maintenance_rate, requirement
from schemas.units import E8, PPM
from tests.reference import margin as slow
from tests.reference.margin import Reading
from tests.risk.books import ints, readings, tier_tables, tiers_of

TABLE = [(0, 8_000, 4_000), (50_000 * E8, 10_000, 5_000), (250_000 * E8, 20_000, 10_000)]


def margins(notional, table=TABLE, size=0, **reading):
    tiers = tiers_of([table], [Reading(**reading)])
    initial, maintenance, fits = requirement(ints([notional]), ints([0]), tiers, ints([size]))
    assert fits.all()
    return int(initial[0]), int(maintenance[0])


def twin(notional, table, size, reading):
    return tuple(
        slow.requirement(
            notional,
            size,
            [(row[0], row[column]) for row in table],
            reading,
            initial=column == 1,
        )
        for column in (1, 2)
    )


NOTIONALS = st.integers(0, 10**17) | st.integers(0, 10**7)
SIZES = st.integers(0, 10**18 - 1) | st.integers(0, 10**6)


@given(NOTIONALS, SIZES, tier_tables(), readings())
def test_requirement_is_the_twins_by_every_method(notional, size, table, reading):
    expected = twin(notional, table, size, reading)
    assert margins(notional, table, size, **reading._asdict()) == expected


@given(tier_tables(), readings().filter(lambda reading: reading.method == "marginal"), st.data())
def test_marginal_requirement_at_a_floor_joins_the_tier_below(table, reading, data):
    if len(table) < 2:
        return
    k = data.draw(st.integers(1, len(table) - 1))
    below = margins(table[k][0] - 1, table, **reading._asdict())
    at = margins(table[k][0], table, **reading._asdict())
    assert 0 <= at[0] - below[0] <= 5  # the step to the floor at 400%, and the rounding
    assert 0 <= at[1] - below[1] <= 5


@given(NOTIONALS, st.integers(0, 10**6), SIZES, tier_tables(), readings())
def test_more_notional_never_requires_less(notional, more, size, table, reading):
    small = margins(notional, table, size, **reading._asdict())
    large = margins(notional + more, table, size, **reading._asdict())
    assert large[0] >= small[0]
    assert large[1] >= small[1]


def test_margin_at_named_notionals():
    assert margins(0) == (0, 0)
    assert margins(1) == (1, 1)  # one unit: rounded up
    assert margins(50_000 * E8) == (400 * E8, 200 * E8)
    assert margins(100_000 * E8) == (900 * E8, 450 * E8)
    assert margins(100_000 * E8, scalar=1_500_000) == (1_350 * E8, 675 * E8)
    assert margins(10**18 - 1)[1] == 10**16 - 1_300 * E8


def test_the_whole_method_prices_all_of_it_by_its_tier():
    assert margins(50_000 * E8 - 1, method="whole") == (400 * E8, 200 * E8)
    assert margins(50_000 * E8, method="whole") == (500 * E8, 250 * E8)
    assert margins(300_000 * E8, method="whole") == (6_000 * E8, 3_000 * E8)


def test_the_root_of_the_size_raises_the_rate_once_it_is_above_a_fifth():
    """10% initial, 5% maintenance, k 0.1%: at a size of 400 the root adds 2%."""
    table = [(0, 100_000, 50_000)]
    drift = {"method": "sqrt", "factors": (10**6, 10**6)}
    assert margins(1_000 * E8, table, 400 * E8, **drift) == (100 * E8, 60 * E8)
    assert margins(1_000 * E8, table, 900 * E8, **drift) == (110 * E8, 70 * E8)
    assert margins(1_000 * E8, table, 0, **drift) == (100 * E8, 50 * E8)
    doubled = drift | {"scalar": 2 * PPM, "fee": 1_000}
    assert margins(1_000 * E8, table, 900 * E8, **doubled) == (221 * E8, 141 * E8)
    # Nothing is charged at more than 400%.
    huge = drift | {"factors": (4 * 10**9, 0)}
    assert margins(1_000 * E8, table, 10**18 - 1, **huge) == (4_000 * E8, 50 * E8)


def test_the_method_sqrt_asks_for_sizes():
    tiers = tiers_of([TABLE, TABLE], [Reading(), Reading(method="sqrt", factors=(5, 5))])
    assert requirement(ints([E8]), ints([0]), tiers)[2].all()
    with pytest.raises(ValueError, match="sqrt needs size_e8"):
        requirement(ints([E8]), ints([1]), tiers)


def test_open_interest_lifts_the_initial_rate_towards_all_of_it():
    table = [(0, 200_000, 100_000)]
    for lifted, rate in {0: 20, 500_000: 60, PPM: 100}.items():
        assert margins(100 * E8, table, open_interest=lifted) == (rate * E8, 10 * E8)


def test_the_liquidation_fee_is_added_to_both_after_the_scalar():
    assert margins(100 * E8, [(0, 20_000, 10_000)], scalar=2 * PPM, fee=5_000) == (
        450_000_000,
        250_000_000,
    )


def test_effective_rates_round_up_to_a_part_per_billion():
    tiers = Tiers.of([[(0, 1, 1)]], [1])
    assert tiers.initial.rate_ppb.tolist() == [[1]]
    assert margins(10**17, [(0, 3, 1)], scalar=500_500) == (150_200_000_000, 50_100_000_000)


def test_an_unknown_table_requires_nothing():
    assert margins(10**12, table=[]) == (0, 0)
    assert margins(10**12, table=[], fee=PPM, open_interest=PPM) == (0, 0)
    assert margins(10**12, table=[], method="sqrt", factors=(10**9, 10**9), size=E8) == (0, 0)


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
