"""Partial liquidations cover the shortfall, stay within their limits and cost what was agreed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import partial
from schemas.units import LIMIT_E8, PPM
from tests.reference import waterfall as slow
from tests.risk.books import ints

amounts = st.floats(0.01, 1e6)
shares = st.floats(0, 1)


def floats(*values):
    return np.array(values, np.float64)


@given(amounts, amounts, st.floats(0.1, 1), st.floats(1, 2), st.floats(0, 0.05))
def test_taking_over_a_borrow_covers_the_shortfall(shortfall, price, asset, liability, fee):
    release = partial.swap_release(asset, liability, asset_multiplier=1.01, liability_multiplier=1)
    units = partial.liability_to_take(
        floats(shortfall), floats(price), release, weight=liability, insurance_fee=fee
    )[0]
    if release > fee * liability:
        freed = units * price * (liability - asset * 1.01 - fee * liability)
        assert freed == pytest.approx(shortfall, rel=1e-6)
    else:
        assert units == np.inf


def test_collateral_pays_for_a_borrow_at_both_discounts():
    units = partial.liability_for_asset(10, 100, asset_multiplier=1.01, liability_multiplier=0.99)
    assert units == pytest.approx(10 * 0.99 / (100 * 1.01))


@given(amounts, amounts, st.floats(0, 1), st.floats(0, 0.05))
def test_an_insurance_fee_never_takes_an_account_further_down(shortfall, value, release, highest):
    fee = partial.affordable_insurance_fee(shortfall, value, release, highest=highest)
    assert 0 <= fee <= highest
    assert fee == 0 or fee * value <= (release * value - shortfall) * (1 + 1e-9) + 1e-9


def test_pace_and_small_shortfalls():
    pace = {"initial": 0.1, "duration": 150, "full_below": 50}
    share = partial.allowed_share(floats(49, 50, 50, 50), floats(0, 0, 75, 300), **pace)
    np.testing.assert_allclose(share, [1, 0.1, 0.6, 1])


def test_a_window_lets_through_its_limit_and_frees_as_it_passes():
    limit = partial.window_limit(0.007, 0.003, 1_000, seconds=10)
    assert limit == pytest.approx(100)
    left = partial.throttled([150, 150], [0, 0, 0, 0, 1, 1], [0, 0, 6, 11, 11, 23], 100, 10)
    assert left.tolist() == [50, 50, 50, 0, 100, 0]


@given(
    st.lists(st.floats(0, 500), min_size=2, max_size=2),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10)), max_size=20),
    st.floats(1, 300),
)
def test_no_window_closes_more_than_its_limit(sizes, calls, limit):
    times = np.cumsum([gap for _, gap in calls])
    left = partial.throttled(sizes, [one for one, _ in calls], times.tolist(), limit, 10)
    before = dict(enumerate(sizes))
    closed = []
    for (one, _), now, after in zip(calls, times, left, strict=True):
        closed.append((now, before[one] - after))
        before[one] = after
        assert after >= 0
        assert sum(size for then, size in closed if now - then < 10) <= limit + 1e-9


def test_rewards_and_losses_are_shared_as_published():
    reward = partial.liquidation_reward(
        floats(38_000, 30_000, 2_000), floats(0.01, 0.02, 0.05), lowest=10, highest=1_000
    )
    assert reward == 1_000
    assert partial.liquidation_reward(floats(1), floats(0.01), lowest=10, highest=1_000) == 10
    assert partial.loss_per_contract(100, 7, -4, 1e-6) == pytest.approx(9.090910)
    assert partial.loss_per_contract(100, 5, -5, 1e-6) == pytest.approx(10)


def test_the_insurance_fund_takes_at_most_its_fee_and_makes_good_the_rest():
    paid = partial.insurance_payment_e8(
        ints([1_100, 1_001, 900, -900]), ints([1_000] * 3 + [-1_000]), 5_000
    )
    assert paid.tolist() == [5, 1, -100, 4]


@given(st.floats(1, 1e6), st.floats(0, 1e6), shares, shares)
def test_what_is_freed_keeps_to_what_time_allows(shortfall, freed, early, late):
    first = partial.share_left(shortfall, freed, min(early, late))
    second = partial.share_left(shortfall, freed, max(early, late))
    assert 0 <= first <= second <= 1
    done = freed + shortfall * float(second)
    assert done <= max((freed + shortfall) * max(early, late), freed) * (1 + 1e-9)


def test_a_share_is_of_the_whole_shortfall_less_what_was_freed():
    assert partial.share_left(90, 10, 0.6) == pytest.approx(50 / 90)
    assert partial.share_left(90, 10, 0.6, grain=1e-4) == pytest.approx(0.5555)
    assert partial.share_left(90, 70, 0.1) == 0
    assert partial.share_left(0, 70, 1) == 0


amounts_e8 = st.integers(0, LIMIT_E8)


@given(
    st.integers(-LIMIT_E8, LIMIT_E8),
    amounts_e8,
    st.integers(1, 10**12),
    st.tuples(st.integers(0, PPM), st.integers(0, PPM), amounts_e8),
)
def test_a_disposal_is_its_slow_twin(quantity, available, lot, terms):
    share, depth, full_below = terms
    found = partial.disposal_e8(
        ints([quantity]),
        ints([available]),
        ints([lot]),
        share_ppm=share,
        depth_ppm=depth,
        full_below_e8=full_below,
    )
    rates = {"share": Fraction(share, PPM), "depth": Fraction(depth, PPM)}
    assert found.tolist() == [slow.disposal(quantity, available, lot, **rates, small=full_below)]


def test_a_position_is_disposed_of_step_by_step_until_it_is_small_enough_to_go_whole():
    left, steps = 100, []
    while left:
        step = partial.disposal_e8(
            ints([-left]),
            ints([200]),
            ints([1]),
            share_ppm=300_000,
            depth_ppm=100_000,
            full_below_e8=10,
        )
        steps.append(step.item())
        left -= step.item()
    assert steps == [20, 20, 18, 13, 9, 6, 5, 9]
    assert not partial.disposal_e8(ints([9]), ints([0]), ints([1]), share_ppm=1, depth_ppm=1).any()


def test_a_liquidation_of_no_value_bears_no_insurance_fee():
    assert partial.affordable_insurance_fee([1.0, 0.0], 0.0, 0.05, highest=0.02).tolist() == [0, 0]
