"""How far all marks may move: exact where the book allows it, scanned where it does not."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from risk.margin.shock_distance import Distances, scanned_distance, shock_distance
from schemas.units import E8, PPM
from tests.reference import liquidation_price as slow
from tests.risk.books import book
from tests.risk.priced_books import Sample, samples

TWO_LONGS = book(
    contracts=[(False, E8, 0)] * 2,
    marks=[100 * E8, 50 * E8],
    tiers=[[(0, 10_000, 10_000)], [(0, 20_000, 20_000)]],
    scalars=[PPM] * 2,
    positions=[(0, 0, 10 * E8, 1_000 * E8), (0, 1, 20 * E8, 1_000 * E8)],
    balances=[(0, 0, 500 * E8)],
)


def distances(sample: Sample) -> tuple[float, float]:
    found = shock_distance(sample.evaluated())
    return float(found.down[0]), float(found.up[0])


def test_all_underlyings_fall_together():
    # 500 + 2000 s = 30 (1 + s)
    down, up = distances(Sample(TWO_LONGS, [-1]))
    assert down == pytest.approx(-470 / 1_970, rel=1e-14)
    assert np.isnan(up)


def test_what_is_long_here_and_short_there_dies_of_the_larger():
    hedged = TWO_LONGS._replace(
        positions=[(0, 0, 10 * E8, 1_000 * E8), (0, 1, -40 * E8, -2_000 * E8)]
    )
    # 500 - 1000 s = 50 (1 + s)
    assert distances(Sample(hedged, [-1]))[1] == pytest.approx(450 / 1_050, rel=1e-14)


def test_coins_and_the_contracts_settled_in_them():
    # One coin at 100, long 100 contracts of 1 in inverse: p + (p - 100), less 1% of 100.
    sample = book(
        contracts=[(True, E8, 1)],
        prices=[E8, 100 * E8],
        borrow_weights=[0, 0],
        haircuts=[[], []],
        tiers=[[(0, 10_000, 10_000)]],
        positions=[(0, 0, 100 * E8, -E8)],
        balances=[(0, 1, E8)],
    )
    assert distances(Sample(sample, [-1, 0]))[0] == pytest.approx(0.505 - 1, rel=1e-14)


def test_no_positions_no_distance():
    assert np.isnan(distances(Sample(book(balances=[(0, 0, E8)]), [-1]))).all()


@settings(max_examples=60, deadline=None)
@given(samples())
def test_the_book_evaluated_again_at_the_shock_is_on_its_margin(sample):
    def surplus(shock: float) -> int:
        moved = slow.at_factor(sample.book, sample.pricer, Fraction(1 + shock))
        return slow.surplus(moved, 0)

    safe = surplus(0) >= 0
    for shock in distances(sample):
        if np.isnan(shock) or shock < -0.999:
            continue
        here, aside = surplus(shock), (1 + shock) * 1e-6
        crossed = {surplus(shock + aside) >= 0, surplus(shock - aside) >= 0} == {True, False}
        dearest = max(*sample.book.prices, *sample.book.marks)
        assert crossed or abs(here) <= 1_000 + dearest / 1_000, safe


def test_any_function_of_the_shock_can_be_scanned():
    # A short straddle: both sides, at 20% of the forward less what is left of the premium.
    def surplus(shock):
        return np.array([0.2, 0.4, -0.1]) - np.abs(shock)

    found = scanned_distance(surplus, 3)
    np.testing.assert_allclose(found.down, [-0.2, -0.4, np.nan], rtol=1e-14)
    np.testing.assert_allclose(found.up, [0.2, 0.4, np.nan], rtol=1e-14)


def test_a_scan_ends_where_it_is_told_to():
    found = scanned_distance(lambda shock: 0.5 - shock, 1, reach=1.2)
    assert np.isnan([found.down[0], found.up[0]]).all()


def test_the_nearest_keeps_its_sign():
    nan = np.nan
    found = Distances(np.array([-0.2, -0.4, nan, -0.1]), np.array([0.3, 0.3, 0.5, nan]))
    assert found.nearest().tolist() == [-0.2, 0.3, 0.5, -0.1]
