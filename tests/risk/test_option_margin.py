"""The standard option margin against a clerk's, and what every spread may count on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from risk.margin.options import (
    FLOORED_TERMS,
    Linears,
    Options,
    StandardTerms,
    option_requirement,
    standard_margin,
)
from schemas.units import E8
from tests.reference.option_margin import Option, required

NONE = Linears(*(np.zeros(0, kind) for kind in (np.int64, np.int64, float, float, float)))
INTEGERS = {"bucket", "underlying", "expiry_us", "side", "quantity_e8"}
DEFAULT = StandardTerms()
TERMS = [DEFAULT, FLOORED_TERMS, replace(FLOORED_TERMS, offset_spreads=False)]
TRIFLE = 1e-6


def columns(rows: Sequence[Option]) -> Options:
    return Options(
        *(
            np.array([getattr(row, name) for row in rows], np.int64 if name in INTEGERS else float)
            for name in Options.__slots__
        )
    )


def option(side: int, strike: float, quantity: float, value: float = 50.0) -> Option:
    """One option on an underlying at 1,500, forward 1,500."""
    return Option(0, 0, 1, side, strike, round(quantity * E8), value, 1500.0, 1500.0, 1.0)


def requires(*rows: Option, terms: StandardTerms = DEFAULT) -> tuple[float, float]:
    initial, maintenance = option_requirement(columns(rows), 1, terms=terms)
    return float(initial[0]), float(maintenance[0])


STRIKES = st.sampled_from([0.5, 900.0, 1300.0, 1500.0, 1501.5, 1800.0, 5000.0, 1e6])
QUANTITIES = st.one_of(
    st.integers(-30, 30).map(lambda n: n * E8),
    st.sampled_from([1, -1, -(10**10), 10**12, 0]),
)


@st.composite
def books(draw: st.DrawFn) -> list[Option]:
    """Up to 12 options of 3 buckets on 2 underlyings and 2 expiries; one price for each option."""
    rows = []
    prices: dict[tuple[float, ...], float] = {}
    for _ in range(draw(st.integers(0, 12))):
        underlying, expiry = draw(st.integers(0, 1)), draw(st.integers(0, 1))
        side, strike = draw(st.sampled_from([1, -1])), draw(STRIKES)
        spot = (1500.0, 28_000.0)[underlying]
        key = (underlying, expiry, side, strike)
        value = prices.setdefault(key, draw(st.floats(0, 3000)))
        confidence = (0.1, 1.0)[expiry]
        bucket, quantity_e8 = draw(st.integers(0, 2)), draw(QUANTITIES)
        rows.append(
            Option(
                bucket, underlying, expiry, side, strike, quantity_e8, value,
                spot * (1 + expiry / 100), spot, confidence,
            )
        )  # fmt: skip
    return rows


@given(books(), st.sampled_from(TERMS), st.sampled_from([0.0, 0.03]))
def test_the_requirement_is_the_clerks(
    rows: list[Option], terms: StandardTerms, depeg: float
) -> None:
    initial, maintenance = option_requirement(columns(rows), 3, terms=terms, depeg=depeg)
    for bucket in range(3):
        expected = [float(one) for one in required(rows, bucket, terms, depeg)]
        assert [initial[bucket], maintenance[bucket]] == pytest.approx(expected, 1e-9, TRIFLE)


@given(books(), st.randoms(use_true_random=False))
def test_order_and_splitting_of_rows_do_not_matter(rows: list[Option], random: object) -> None:
    split = [
        row._replace(quantity_e8=part)
        for row in rows
        for part in (row.quantity_e8 // 3, row.quantity_e8 - row.quantity_e8 // 3)
    ]
    random.shuffle(split)  # type: ignore[attr-defined]
    cash = np.zeros(3, np.int64)
    first = standard_margin(columns(rows), NONE, NONE, cash)
    second = standard_margin(columns(split), NONE, NONE, cash)
    for name in first.__slots__:
        assert getattr(first, name).tolist() == getattr(second, name).tolist()


@given(st.sampled_from([1, -1]), STRIKES, STRIKES, st.integers(1, 100), st.floats(0, 1e5))
def test_a_covered_spread_costs_at_most_its_largest_loss(
    side: int, bought: float, sold: float, quantity: int, value: float
) -> None:
    worst = max(side * (bought - sold), 0.0) * quantity
    pair = (option(side, bought, quantity, value), option(side, sold, -quantity, value))
    for terms in (DEFAULT, FLOORED_TERMS):
        assert max(requires(*pair, terms=terms)) <= worst * (1 + 1e-12)


@given(books(), st.sampled_from([1, -1]), STRIKES, st.integers(1, 50), st.sampled_from(TERMS))
@example([option(1, 1300.0, -1)], 1, 900.0, 1, DEFAULT)
def test_a_bought_option_never_adds_to_the_requirement(
    rows: list[Option], side: int, strike: float, quantity: int, terms: StandardTerms
) -> None:
    """Unless it lies above every strike of an expiry with more calls sold than bought: there it
    adds a price at which the payoff is looked at."""
    group = [row for row in rows if (row.bucket, row.underlying, row.expiry_us) == (0, 0, 1)]
    calls = sum(row.quantity_e8 for row in group if row.side > 0)
    net = {(row.strike, row.side): 0 for row in group}
    for row in group:
        net[row.strike, row.side] += row.quantity_e8
    highest = max((strike for (strike, _), held in net.items() if held), default=0.0)
    if calls < 0:
        strike = min(strike, highest)
    values = [row.value for row in group if (row.side, row.strike) == (side, strike)]
    like = [row for row in group if row.quantity_e8] or [option(1, 1500.0, 1)]
    more = like[0]._replace(
        bucket=0, underlying=0, expiry_us=1, side=side, strike=strike,
        quantity_e8=quantity * E8, value=values[0] if values else 7.0,
    )  # fmt: skip
    before = option_requirement(columns(rows), 3, terms=terms)
    after = option_requirement(columns([*rows, more]), 3, terms=terms)
    for held, then in zip(before, after, strict=True):
        assert then[0] <= held[0] * (1 + 1e-12) + TRIFLE


def test_naked_options_by_hand() -> None:
    # at the money: 50 + 0.15 x 1500, and 50 + 0.075 x 1500
    assert requires(option(1, 1500, -1)) == pytest.approx((275.0, 162.5))
    # 20% out of the money: the floor of 10%
    assert requires(option(1, 1800, -1)) == pytest.approx((200.0, 162.5))
    # a put worth more than spot maintains a share of its value, and 1.05 of that initially
    deep = option(-1, 4500, -1, value=3000.0)
    assert requires(deep) == pytest.approx((3225 * 1.05, 3225.0))
    assert requires(deep, terms=FLOORED_TERMS) == pytest.approx((3225.0, 3225.0))
    assert requires(option(1, 1500, 3)) == requires(option(-1, 1500, 3)) == (0.0, 0.0)


def test_a_spread_is_not_naked_unless_the_terms_say_so() -> None:
    pair = (option(1, 1300, 1), option(1, 1100, -1, value=420.0))
    assert requires(*pair) == (200.0, 200.0)
    alone = requires(pair[1])
    each = replace(DEFAULT, offset_spreads=False)
    assert requires(*pair, terms=each) == alone
    assert alone[0] > 200


def test_nothing_is_offset_across_expiries_and_underlyings() -> None:
    sold = option(1, 1500, -1)
    alone = requires(sold)
    assert requires(sold, option(1, 1400, 1)) == (0.0, 0.0)
    assert requires(sold, option(1, 1400, 1)._replace(expiry_us=2)) == alone
    assert requires(sold, option(1, 1400, 1)._replace(underlying=1)) == alone


def test_perpetuals_base_and_contingencies_by_hand() -> None:
    zero = np.zeros(1, np.int64)
    short_perpetual = Linears(
        zero, np.array([-2 * E8]), np.array([1505.0]), np.array([1500.0]), np.ones(1)
    )
    base = Linears(zero, np.array([E8]), *(np.array([1500.0]),) * 2, np.array([0.15]))
    cash = np.array([100 * E8])
    state = standard_margin(columns([]), short_perpetual, base, cash, stable_price=0.88)
    assert state.collateral_maintenance_e8.tolist() == [250 * E8]
    assert state.maintenance_e8[0] / E8 == pytest.approx(3010 * 0.05)
    # 6.5%; peg (0.98 - 0.88) x 1.2 x 1500 x 2; confidence (1 - 0.15) x 0.4 x 1500
    assert state.initial_e8[0] / E8 == pytest.approx(3010 * 0.065 + 360 + 510)
    assert state.excess_initial_e8()[0] == 250 * E8 - state.initial_e8[0]


def test_a_debt_of_the_base_asset_counts_in_full() -> None:
    zero = np.zeros(1, np.int64)
    owed = Linears(zero, np.array([-E8]), *(np.array([1500.0]),) * 2, np.ones(1))
    state = standard_margin(columns([]), NONE, owed, zero)
    assert state.excess_maintenance_e8().tolist() == [-1500 * E8]


def test_what_does_not_fit_is_refused() -> None:
    huge = option(-1, 1e6, -9_000_000_000.0)
    with pytest.raises(OverflowError, match="bucket row 0: requirement"):
        standard_margin(columns([huge]), NONE, NONE, np.zeros(1, np.int64))
    twice = [huge._replace(strike=5.0)] * 2
    with pytest.raises(OverflowError, match="bucket row 0: a quantity"):
        option_requirement(columns(twice), 1)
    with pytest.raises(ValueError, match=r"peg_factor -1\.0 must not be negative"):
        StandardTerms(peg_factor=-1.0)


def test_thousands_of_positions() -> None:
    rng = np.random.default_rng(7)
    rows = [
        option(int(side), float(strike), float(quantity))
        for side, strike, quantity in zip(
            rng.choice([-1, 1], 3000),
            rng.integers(1, 400, 3000) * 10,
            rng.integers(-9, 10, 3000),
            strict=True,
        )
    ]
    expected = [float(one) for one in required(rows, 0, DEFAULT)]
    assert requires(*rows) == pytest.approx(tuple(expected), 1e-9)
