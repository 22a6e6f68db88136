"""Limit and bankruptcy prices, against fractions and by their purpose."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.sizing import ClosingPrices, closing_prices, raw_prices
from schemas.units import E8, PPM
from tests.reference import sizing as slow
from tests.risk.books import book, holdings_of, ints, run
from tests.risk.test_sizing import FREE, long_ten, trading


def priced(sample, *, tick=1, sizing=FREE, urgency=None) -> ClosingPrices:
    margin, state = run(sample)
    positions, _ = holdings_of(sample)
    row = np.flatnonzero(positions.quantity_e8)
    return closing_prices(
        row,
        positions,
        state,
        margin,
        marks_e8=ints(sample.marks),
        rules=trading(sample, tick=tick),
        sizing=sizing,
        urgency=None if urgency is None else np.full(len(row), urgency),
    )


def short_ten(equity):
    return book(positions=[(0, 0, -10 * E8, -1_000 * E8)], balances=[(0, 0, equity)])


PRICES = {
    "equity = maintenance: limit at the mark": (long_ten(10 * E8), 100, 99),
    "equity > maintenance: limit at the mark": (long_ten(30 * E8), 100, 97),
    "equity = maintenance / 2": (long_ten(5 * E8), 99.95, 99.5),
    "equity = 0: limit no worse than bankruptcy, the mark": (long_ten(0), 100, 100),
    "equity < 0: bankruptcy, and limit, above the mark": (long_ten(-10 * E8), 101, 101),
    "a long that is paid for has no bankruptcy price": (long_ten(1_000 * E8), 100, 0),
    "short, equity = maintenance / 2": (short_ten(5 * E8), 100.05, 100.5),
    "short, equity < 0": (short_ten(-10 * E8), 99, 99),
    "short, no price is low enough": (short_ten(-2_000 * E8), 0, 0),
}


@pytest.mark.parametrize("relation", PRICES)
def test_price_at(relation):
    sample, limit, bankruptcy = PRICES[relation]
    got = priced(sample)
    assert got.limit_price_e8.tolist() == [round(limit * E8)]
    assert got.bankruptcy_price_e8.tolist() == [round(bankruptcy * E8)]


def test_each_further_step_offers_more_but_never_beyond_bankruptcy():
    limits = [
        int(priced(long_ten(10 * E8), urgency=urgency).limit_price_e8[0])
        for urgency in (0, 0.5, 1, 2)
    ]
    assert limits == [100 * E8, 9_995 * E8 // 100, 9_990 * E8 // 100, 9_990 * E8 // 100]
    assert priced(long_ten(E8 // 2), urgency=1.0).limit_price_e8.tolist() == [9_995 * E8 // 100]


def test_prices_round_to_the_tick_on_the_solvent_side():
    assert priced(long_ten(5 * E8), tick=3 * E8).bankruptcy_price_e8.tolist() == [102 * E8]
    assert priced(short_ten(5 * E8), tick=3 * E8).bankruptcy_price_e8.tolist() == [99 * E8]
    assert priced(long_ten(5 * E8), tick=E8 // 2).bankruptcy_price_e8.tolist() == [
        9_950 * E8 // 100
    ]


def test_an_inverse_position_is_bankrupt_where_its_coins_are_gone():
    # Long 100 contracts of 100 USD at 50,000 = 0.2 coins, with 0.05 coins of equity.
    coin = 50_000 * E8
    inverse = book(
        contracts=[(True, 100 * E8, 1)],
        marks=[coin],
        prices=[E8, coin],
        borrow_weights=[0, 0],
        haircuts=[[], []],
        positions=[(0, 0, 100 * E8, -E8 // 5)],
        balances=[(0, 1, E8 // 20)],
    )
    # 10,000 / P - 0.2 = 0.05
    assert priced(inverse).bankruptcy_price_e8.tolist() == [40_000 * E8]
    short = inverse._replace(positions=[(0, 0, -100 * E8, E8 // 5)])
    # 0.2 - 10,000 / P = 0.05
    assert abs(int(priced(short).bankruptcy_price_e8[0]) - 66_666_66666666) <= 1000
    paid = short._replace(balances=[(0, 1, E8 // 4)])
    assert priced(paid).bankruptcy_price_e8.tolist() == [0]
    assert priced(paid).limit_price_e8.tolist() == [coin]
    gone = inverse._replace(balances=[(0, 1, -E8 // 4)])
    assert priced(gone).bankruptcy_price_e8.tolist() == [0]
    assert priced(gone).limit_price_e8.tolist() == [0]


def test_without_margin_there_are_no_prices():
    flat = long_ten(9 * E8, scalars=[0])
    assert priced(flat).limit_price_e8.tolist() == [0]
    assert priced(flat).bankruptcy_price_e8.tolist() == [0]


@given(
    st.lists(
        st.tuples(st.integers(10**4, 10**11), st.booleans(), st.integers(10**4, 10**12)),
        min_size=1,
        max_size=4,
    ),
    st.integers(-(10**13), 10**13),
    st.sampled_from([1, 1000, E8]),
)
def test_bankruptcy_prices_share_the_equity_and_bound_the_limit(legs, balance, tick):
    count = len(legs)
    quantities = [size if long else -size for size, long, _ in legs]
    sample = book(
        contracts=[(False, E8, 0)] * count,
        marks=[mark for _, _, mark in legs],
        tiers=[[(0, 50_000, 25_000)]] * count,
        scalars=[PPM] * count,
        positions=[(0, i, quantity, 0) for i, quantity in enumerate(quantities)],
        balances=[(0, 0, balance)],
    )
    margin, state = run(sample)
    positions, _ = holdings_of(sample)
    _, bankruptcy = raw_prices(
        np.arange(count),
        positions,
        state,
        margin,
        marks_e8=ints(sample.marks),
        rules=trading(sample),
        sizing=FREE,
    )
    equity, maintenance = int(margin.equity_e8[0]), int(margin.maintenance_margin_e8[0])
    got = priced(sample, tick=tick)
    total = Fraction(0)
    for i, quantity in enumerate(quantities):
        mark, units = sample.marks[i], Fraction(quantity, E8)
        share = Fraction(equity * int(state.maintenance_margin_e8[i]), maintenance * E8)
        exact = slow.price_at(False, units, units * Fraction(mark, E8) - share) * E8
        assert bankruptcy[i] == pytest.approx(float(exact), rel=1e-12, abs=mark * 1e-12)
        total += (mark - exact) * units
        limit, stop = int(got.limit_price_e8[i]), int(got.bankruptcy_price_e8[i])
        noise = mark * 1e-12 + tick * 1e-9
        if stop:
            assert (stop - exact) * quantity >= -noise * abs(quantity)
            assert abs(stop - exact) <= tick + noise
        if limit and stop:
            assert (limit - stop) * quantity >= 0
    assert total == equity
