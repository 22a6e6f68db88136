"""The mark found is where the book, evaluated again, stands on its maintenance margin."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from risk.margin.boundary import Boundaries
from risk.margin.exposures import by_mark
from risk.margin.leverage import largest_leverage
from risk.margin.liquidation_price import (
    liquidation_prices,
    maintenance_lines,
    maintenance_margin,
    position_prices,
    warning_price,
)
from risk.margin.mark_curves import mark_boundaries
from schemas.units import E8, PPM
from tests.reference import liquidation_price as slow
from tests.reference.margin import Book, Reading
from tests.risk.books import book, ints
from tests.risk.priced_books import Sample, samples

NO_PRICE = float("nan")


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def prices(sample: Book, pricer: list[int], bucket=0, instrument=0) -> tuple[float, float]:
    """Below and above, in units."""
    held = Sample(sample, pricer).evaluated()
    found = liquidation_prices(held, ints([bucket]), ints([instrument]))
    return float(found.below[0]), float(found.above[0])


TIERS = [(0, 20_000, 10_000), (500 * E8, 50_000, 25_000), (2_000 * E8, 100_000, 50_000)]


def long_ten(equity: int, **changes) -> Book:
    """Long 10 at a mark of 100."""
    return book(
        positions=[(0, 0, 10 * E8, 1_000 * E8)],
        balances=[(0, 0, equity * E8)],
        tiers=[TIERS],
        **changes,
    )


def test_the_tier_is_that_of_the_price_found():
    # In the present tier MM = 0.025 N - 7.5: the price would be 40.76, where N is below 500.
    # There MM = 0.01 N: 600 - 10 (100 - p) = 0.1 p.
    below, above = prices(long_ten(600), [-1])
    assert below == pytest.approx(400 / 9.9, rel=1e-15)
    assert np.isnan(above)


def test_a_short_climbs_into_a_higher_tier():
    # MM = 0.05 N - 57.5 above 2000: 1500 - 10 (p - 100) = 0.5 p - 57.5.
    sample = long_ten(1_500)._replace(positions=[(0, 0, -10 * E8, -1_000 * E8)])
    below, above = prices(sample, [-1])
    assert np.isnan(below)
    assert above == pytest.approx(2_557.5 / 10.5, rel=1e-15)


def test_a_long_that_is_paid_for_has_none():
    assert np.isnan(prices(long_ten(1_000), [-1])).all()


def test_an_account_already_under_water_is_told_where_it_surfaces():
    # 2 - 10 (100 - p) = 0.25 p - 7.5
    below, above = prices(long_ten(2), [-1])
    assert np.isnan(below)
    assert above == pytest.approx(990.5 / 9.75, rel=1e-15)


def test_equity_on_the_maintenance_margin_is_there_already():
    below, _ = prices(long_ten(0)._replace(balances=[(0, 0, 175 * E8 // 10)]), [-1])
    assert below == 100


def test_the_other_positions_of_a_cross_bucket_take_their_margin():
    sample = book(
        contracts=[(False, E8, 0)] * 2,
        marks=[100 * E8, 400 * E8],
        tiers=[[(0, 4_000, 4_000)], [(0, 10_000, 10_000)]],
        scalars=[PPM] * 2,
        positions=[(0, 0, E8, 100 * E8), (0, 1, -E8, -400 * E8)],
        balances=[(0, 0, 5 * E8)],
    )
    assert prices(sample, [-1])[0] == pytest.approx(99 / 0.996, rel=1e-15)
    isolated = sample._replace(positions=sample.positions[:1])
    assert prices(isolated, [-1])[0] == pytest.approx(95 / 0.996, rel=1e-15)


def test_a_whole_tier_takes_hold_at_its_floor():
    # Short 10 at 100: at 200 the requirement jumps from 50 to 100, with 80 left.
    sample = book(
        tiers=[[(0, 50_000, 25_000), (2_000 * E8, 50_000, 50_000)]],
        readings=[Reading(method="whole")],
        positions=[(0, 0, -10 * E8, -1_000 * E8)],
        balances=[(0, 0, 1_080 * E8)],
    )
    assert prices(sample, [-1])[1] == 200


def test_an_inverse_contract_settled_in_its_own_coin():
    # 10,000 contracts of 1, long at 10,000, one coin: value in the currency is linear in the mark.
    sample = book(
        contracts=[(True, E8, 1)],
        marks=[10_000 * E8],
        prices=[E8, 10_000 * E8],
        borrow_weights=[0, 0],
        haircuts=[[], []],
        tiers=[[(0, 10_000, 10_000)]],
        positions=[(0, 0, 10_000 * E8, -E8)],
        balances=[(0, 1, E8 // 10)],
    )
    # (0.1 + 1) p - 10,000 = 100
    assert prices(sample, [-1, 0])[0] == pytest.approx(10_100 / 1.1, rel=1e-15)


def test_coins_held_as_collateral_fall_with_the_position():
    sample = book(
        contracts=[(False, E8, 0)],
        prices=[E8, 100 * E8],
        borrow_weights=[200_000, 0],
        haircuts=[[], [(0, 100_000)]],
        tiers=[[(0, 10_000, 10_000)]],
        positions=[(0, 0, 10 * E8, 1_000 * E8)],
        balances=[(0, 1, 10 * E8)],
    )
    # 0.9 x 10 p, the loss is a debt that weighs 1.2 times: 9 p - 12 (100 - p) = 0.1 p
    assert prices(sample, [-1, 0])[0] == pytest.approx(1_200 / 20.9, rel=1e-15)


def test_what_prices_collateral_alone_has_a_price_too():
    sample = book(
        contracts=[(False, E8, 0)] * 2,
        marks=[100 * E8, 50 * E8],
        prices=[E8, 50 * E8],
        borrow_weights=[0, 0],
        haircuts=[[], []],
        tiers=[[(0, 10_000, 10_000)]] * 2,
        scalars=[PPM] * 2,
        positions=[(0, 0, 10 * E8, 1_000 * E8)],
        balances=[(0, 1, 10 * E8)],
    )
    assert prices(sample, [-1, 1], instrument=1)[0] == pytest.approx(1, rel=1e-12)


def test_a_hedge_pays_for_both_legs_or_for_the_larger():
    hedged = book(
        tiers=[[(0, 100_000, 100_000)]],
        positions=[(0, 0, 10 * E8, 1_000 * E8), (0, 0, -8 * E8, -800 * E8)],
        balances=[(0, 0, 400 * E8)],
    )
    # 400 + 2 (p - 100) = 0.1 x 18 p, below: nothing; above: 0.2 p = -200, nothing.
    assert np.isnan(prices(hedged, [-1])).all()
    short = hedged._replace(positions=[(0, 0, 8 * E8, 800 * E8), (0, 0, -10 * E8, -1_000 * E8)])
    assert prices(short, [-1])[1] == pytest.approx(600 / 3.8, rel=1e-15)
    larger = short._replace(larger_leg=True)
    assert prices(larger, [-1])[1] == pytest.approx(600 / 3, rel=1e-15)


def test_nothing_held_and_nothing_asked():
    found = liquidation_prices(Sample(book(), [-1]).evaluated(), ints([]), ints([]))
    assert len(found.below) == len(found.above) == 0
    assert np.isnan(prices(book(), [-1])).all()


@settings(max_examples=100, deadline=None)
@given(samples())
def test_the_book_evaluated_again_stands_on_its_margin_there(sample):
    start, at = sample.book.marks[sample.instrument], sample.surplus
    safe = at(start) >= 0
    ends = prices(sample.book, sample.pricer, instrument=sample.instrument)
    for found, outward in zip(ends, (-1, 1), strict=True):
        end = start * 1_000 if outward > 0 else max(100, start // 1_000)
        if not np.isnan(found):
            end = round(found * E8)
            assume(100 < end < 10**17)
            tolerance = sample.tolerance_e8(at, end, start)
            aside = outward * (2 + end // 10**9)
            jumps = (at(end + aside) >= 0) != safe and (at(end - aside) >= 0) == safe
            assert abs(at(end)) <= tolerance or jumps
            past = at(end + outward * (2 + end // 10**5))
            assert (past >= 0) != safe or abs(past) <= 3 * tolerance
        if sample.is_scanned():
            continue
        for power in range(1, 20):
            between = round(start * (end / start) ** (power / 20))
            if (at(between) >= 0) != safe:
                assert abs(at(between)) <= sample.tolerance_e8(at, between, start)


@settings(max_examples=60, deadline=None)
@given(samples())
def test_compiled_curves_end_where_those_of_whole_columns_do(sample):
    held, instruments = sample.evaluated(), np.arange(len(sample.pricer))
    found = mark_boundaries(held, instruments * 0, instruments)
    expected = by_mark(held, instruments * 0, instruments).boundaries()
    np.testing.assert_array_equal(found.below, expected.below)
    np.testing.assert_array_equal(found.above, expected.above)


@settings(max_examples=25, deadline=None)
@given(samples())
def test_a_dense_scan_in_fractions_finds_the_same_mark(sample):
    start, at = sample.book.marks[sample.instrument], sample.surplus
    assume(abs(at(start)) > 10 * sample.tolerance_e8(at, start, start))
    ends = prices(sample.book, sample.pricer, instrument=sample.instrument)
    for found, upward in zip(ends, (False, True), strict=True):
        expected = slow.first_change(at, start, upward=upward)
        if expected is not None:
            # Nearer is right as well: two changes within one step of the scan.
            assert found == pytest.approx(expected / E8, rel=1e-5) or upward == (
                found < expected / E8
            )


def test_plain_numbers_and_a_book_agree():
    # The book of the first test: long 10 at 100 with 600.
    columns = zip(*[(floor / E8, rate / PPM) for floor, _, rate in TIERS], strict=True)
    tiers = maintenance_lines(*columns, [0, 7.5, 57.5])
    found = position_prices(floats(10, -10), floats(100, 100), floats(600, 1_500), tiers)
    np.testing.assert_allclose(found.below, [400 / 9.9, NO_PRICE], rtol=1e-15)
    np.testing.assert_allclose(found.above, [NO_PRICE, 2_557.5 / 10.5], rtol=1e-15)
    assert maintenance_margin(floats(400, 1_000, 2_500), tiers).tolist() == [4, 17.5, 67.5]


def test_a_fee_at_the_close_is_part_of_the_rate():
    lines = maintenance_lines([0], [0.01], [0], fee=0.0006)
    found = position_prices(floats(1, -1), floats(10, 10), floats(2, 2), lines)
    assert found.below[0] == pytest.approx(8 / (1 - 0.0106), rel=1e-15)
    assert found.above[1] == pytest.approx(12 / (1 + 0.0106), rel=1e-15)


def test_an_inverse_contract_whose_requirement_is_taken_at_entry():
    # Bybit, cross: q (1/E - 1/LP) = -(balance - order margin - q/E mmr - q fee / bankruptcy)
    q, entry, balance, orders, mmr, fee = 10_000.0, 8_000.0, 0.5, 0.1, 0.005, 0.00075
    of_fee = maintenance_lines([0], [fee], [0])
    held = {"quantity": floats(q), "mark": floats(entry), "equity": floats(balance)}
    bankruptcy = position_prices(**held, maintenance=of_fee, inverse=True).below
    assert bankruptcy[0] == pytest.approx((1 + fee) * q / (q / entry + balance), rel=1e-15)
    found = position_prices(
        **held,
        maintenance=maintenance_lines([0], [mmr], [0]),
        other_maintenance=orders + q * fee / bankruptcy,
        inverse=True,
        at_present_notional=True,
    ).below
    paid = balance - orders - q / entry * mmr - q * fee / bankruptcy
    np.testing.assert_allclose(q * (1 / entry - 1 / found), -paid, rtol=1e-12)


def test_coins_beside_the_position_as_plain_numbers():
    # Short 1 at 100 against 1.05 coins that count for 95%: 100 left, less 0.0025 and 1% a unit.
    found = position_prices(
        floats(-1), floats(100), floats(100), maintenance_lines([0], [0.01], [0]), delta=0.9975
    )
    assert found.above[0] == pytest.approx(100.25 / 0.0125, rel=1e-12)
    # Held in full they make the bucket a long one: the price is below.
    long = position_prices(
        floats(-1), floats(100), floats(10), maintenance_lines([0], [0.01], [0]), delta=2.0
    )
    assert (long.below[0], np.isnan(long.above[0])) == (pytest.approx(90 / 0.99), True)


def test_the_nearest_of_two_is_the_smaller_move():
    both = Boundaries(floats(90, 50, NO_PRICE), floats(120, 120, 150))
    assert both.nearest(floats(100, 100, 100)).tolist() == [90, 120, 150]


def test_a_price_that_no_mark_can_be_is_none():
    found = position_prices(
        floats(-1e-9), floats(100), floats(100), maintenance_lines([0], [0.01], [0])
    )
    assert np.isnan(found.above[0])


def test_a_warning_comes_before_the_liquidation():
    entry, price = floats(100, 100, 1), floats(90, 110, 3)
    warned = warning_price(entry, price, ints([1, -1, -1]), 0.05)
    np.testing.assert_allclose(warned, [90.5, 109.5, 2.9], rtol=1e-15)
    assert warning_price(floats(100), floats(1), ints([-1]), 0.05).tolist() == [0]


def test_leverage_follows_the_best_tier():
    ceiling, leverage = floats(10_000, 50_000), floats(75, 50)
    stake = floats(0, 100, 150, 200, 1_000, 100_000)
    found = largest_leverage(stake, ceiling, leverage)
    np.testing.assert_allclose(found, [75, 75, 10_000 / 150, 50, 50, 0.5])
