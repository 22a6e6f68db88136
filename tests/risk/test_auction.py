"""Auctions: a price that only gets better for bidders, and awards that never exceed the sale."""

from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import auction
from risk.liquidation.auction import ForSale
from schemas.units import LIMIT_E8
from tests.reference import waterfall as slow
from tests.risk.books import ints

prices = st.integers(-LIMIT_E8, LIMIT_E8)
times = st.integers(0, 10**13)
bids = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=5)


@given(prices, prices, st.lists(times, min_size=2, max_size=2, unique=True), times)
def test_the_price_is_on_the_line_rounded_towards_the_opening(opening, closing, span, now):
    start, end = sorted(span)
    exact = slow.price([(start, opening), (end, closing)], now)
    rounded = ceil(exact) if closing < opening else floor(exact)
    assert auction.price_at(opening, closing, start, end, now) == rounded


@given(st.lists(prices, min_size=3, max_size=3), st.lists(times, min_size=4, max_size=4))
def test_two_legs_fall_to_the_cutoff_and_on_to_the_close(levels, moments):
    closing, cutoff, opening = sorted(levels)
    start, at, end, _ = moments
    start, at, end = sorted((start, at, end))
    legs = [(start, opening), (at, cutoff), (end, closing)]
    found = [
        auction.price_at(opening, closing, start, end, now, cutoff=(cutoff, at))
        for now in sorted(moments)
    ]
    assert found == sorted(found, reverse=True)
    if start < at < end:
        assert found == [ceil(slow.price(legs, now)) for now in sorted(moments)]


def test_a_short_positions_price_rises():
    assert [auction.price_at(100, 200, 0, 10, now) for now in (-1, 0, 5, 10, 11)] == [
        100, 100, 150, 200, 200,
    ]  # fmt: skip


@given(bids, st.integers(0, 12), st.integers(1, 5), st.booleans(), st.booleans())
def test_awards_are_their_slow_twin(offers, quantity, price, long, sealed):
    offered, wanted = ints([one[0] for one in offers]), ints([one[1] for one in offers])
    found = auction.award_e8(offered, wanted, quantity, price, long=long, sealed=sealed)
    expected = slow.award(offers, quantity, price, long=long, sealed=sealed)
    assert found.tolist() == expected


def test_open_bids_come_by_time_and_sealed_ones_by_price():
    offered, wanted = ints([100, 99, 102, 102]), ints([4, 9, 3, 5])
    open_bids = auction.award_e8(offered, wanted, 10, 100, long=True, sealed=False)
    assert open_bids.tolist() == [4, 0, 3, 3]
    sealed = auction.award_e8(offered, wanted, 10, 100, long=True, sealed=True)
    assert sealed.tolist() == [2, 0, 3, 5]
    short = auction.award_e8(offered, wanted, 10, 100, long=False, sealed=True)
    assert short.tolist() == [1, 9, 0, 0]


values = st.floats(-1e6, 1e6)
shares = st.floats(0, 1)


@given(values, values, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_largest_share_brings_the_buffer_margin_to_zero(value, short, buffer, discount, held):
    """Where the account lacks margin, but is worth something to a bidder."""
    account = ForSale(value, min(short, -1.0), held * max(value, 0))
    share = account.largest_share(buffer, discount)
    assert 0 <= share <= 1
    margin = account.buffer_margin(buffer)
    after = account.after_bid(share, discount)
    if margin < -1 and value > 1:
        assert after.buffer_margin(buffer) == pytest.approx(0, abs=1e-6 * (abs(margin) + value))


@given(st.floats(1, 1e6), shares, shares)
def test_a_sale_pays_in_what_it_says_and_reserves_it(value, share, discount):
    account = ForSale(value, -value, value / 4)
    after = account.after_bid(share, discount)
    paid = account.bid_price(share, discount)
    assert after.reserved == account.reserved + paid
    assert paid == pytest.approx(0.75 * value * discount * share)
    kept = account.mark_to_market - account.reserved - 0.75 * value * share
    assert after.mark_to_market == pytest.approx(after.reserved + kept, abs=1e-9 * value)


def test_an_account_worth_nothing_goes_whole():
    assert ForSale(-5, -20).largest_share(0.2, 0.9) == 1
    assert ForSale(100, 20).largest_share(0.1, 0.9) == 0
