"""The ladder of margin levels: requirements, standings at the edges, and what moves between."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.margin import levels
from risk.margin.levels import RiskFactors, Scaling, Standing
from schemas.units import E8, PPM
from tests.risk.books import ints

quantities = st.integers(0, 10**13)
signed = st.integers(-(10**13), 10**13)
prices = st.integers(0, 10**12)
rates = st.floats(0, 3)
slippages = st.floats(0, 0.1)
factors = st.builds(RiskFactors, rates, rates, slippages, st.floats(0, 1e-6))
margins = st.integers(0, 10**15)


def maintenance(quantity, bids, asks, price, of):
    return int(
        levels.maintenance_margin_e8(
            ints([quantity]), ints([bids]), ints([asks]), price_e8=ints([price]), factors=of
        )[0]
    )


def ladder(maintenance_e8, scaling=None):
    return levels.scaled_levels(ints([maintenance_e8]), scaling or Scaling())


def standing(equity, maintenance_e8, **healths):
    return Standing(levels.standing(ints([equity]), ladder(maintenance_e8), **healths)[0])


@given(signed, quantities, st.tuples(quantities, quantities), prices, factors)
def test_a_larger_position_never_requires_less(quantity, more, orders, price, of):
    bids, asks = orders
    away = quantity + more if quantity >= 0 else quantity - more
    needed = maintenance(quantity, bids, asks, price, of)
    assert 0 <= needed <= maintenance(away, bids, asks, price, of)
    assert needed <= maintenance(quantity, bids + more, asks, price, of)
    assert needed <= maintenance(quantity, bids, asks + more, price, of)
    assert needed <= maintenance(quantity, bids, asks, price + more, of)


def test_maintenance_of_positions_and_orders():
    of = RiskFactors(0.25, 0.5, 0.01, 0.001)
    assert maintenance(0, 0, 0, 10 * E8, of) == 0
    assert maintenance(10 * E8, 0, 0, 10 * E8, of) == 27 * E8  # 10 (0.25 x 10 + 0.01 x 10 + 0.1)
    assert maintenance(-10 * E8, 0, 0, 10 * E8, of) == 52 * E8
    assert maintenance(0, 4 * E8, 2 * E8, 10 * E8, of) == 10 * E8  # either side, no slippage
    assert maintenance(-10 * E8, 10 * E8, 0, 10 * E8, of) == 52 * E8  # bids leave it short or flat
    assert maintenance(0, 1, 0, 1, of) == 1  # rounded up
    assert levels.maintenance_rate(np.array([10.0, -10.0]), of) == pytest.approx([0.27, 0.52])


@given(st.floats(0.05, 2), st.floats(1e-3, 1), st.sampled_from([1e-6, 1e-3, 0.01]))
def test_risk_factors_are_the_mean_of_the_worst_outcomes(volatility, years, tail):
    """Against the mean of the prices at 4,000 equal shares of either tail."""
    found = levels.log_normal_factors(volatility, years, tail)
    spread, normal = volatility * math.sqrt(years), NormalDist()
    shares = [(at + 0.5) / 4_000 * tail for at in range(4_000)]
    low = [math.exp(spread * normal.inv_cdf(p) - spread**2 / 2) for p in shares]
    high = [math.exp(-spread * normal.inv_cdf(p) - spread**2 / 2) for p in shares]
    assert found.long == pytest.approx(1 - sum(low) / len(low), rel=1e-3)
    assert found.short == pytest.approx(sum(high) / len(high) - 1, rel=1e-2)
    assert 0 < found.long < 1
    assert found.long < found.short


def test_levels_are_rounded_down_from_maintenance():
    found = ladder(321, Scaling(1_500_000, 2_000_000, 3_000_000))
    assert [int(level[0]) for level in (found.search_e8, found.initial_e8, found.release_e8)] == [
        481,
        642,
        963,
    ]
    with pytest.raises(ValueError, match="search 1300000, initial 1200000"):
        Scaling(1_300_000, 1_200_000, 1_500_000)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15), margins)
def test_more_equity_never_stands_lower(equity, more, needed):
    assert standing(equity, needed) <= standing(equity + more, needed)


def test_standings_at_their_edges():
    needed = 1_000
    edges = {
        -1: Standing.BANKRUPT,
        0: Standing.LIQUIDATABLE,
        999: Standing.LIQUIDATABLE,
        1_000: Standing.CALLED,  # equity = maintenance is not liquidatable
        1_199: Standing.CALLED,
        1_200: Standing.WARNED,
        1_399: Standing.WARNED,
        1_400: Standing.REDUCE_ONLY,
        1_499: Standing.REDUCE_ONLY,
        1_500: Standing.OPEN,
        1_700: Standing.OPEN,
        1_701: Standing.EXCESS,
    }
    for equity, stands in edges.items():
        assert standing(equity, needed, warning_health_ppm=1_400_000) is stands, equity
    # The search level calls before the health does.
    assert standing(1_099, needed, call_health_ppm=PPM) is Standing.CALLED
    assert standing(1_100, needed, call_health_ppm=PPM) is Standing.WARNED


def test_without_a_requirement_nothing_is_liquidatable():
    assert standing(0, 0) is Standing.OPEN
    assert standing(1, 0) is Standing.EXCESS
    assert standing(-1, 0) is Standing.BANKRUPT  # a debt: nothing to close


@given(margins, margins, margins)
def test_a_transfer_moves_a_bucket_to_initial_and_no_further(balance, available, needed):
    of = ladder(needed)
    moved = int(levels.transfer_to_initial_e8(ints([balance]), ints([available]), of)[0])
    search, initial, release = of.search_e8[0], of.initial_e8[0], of.release_e8[0]
    if balance < search:
        assert moved == min(initial - balance, available)
    elif balance > release:
        assert balance + moved == initial
    else:
        assert moved == 0


def test_funding_owed_adds_and_funding_received_does_not():
    def added(quantity, payment, factor=500_000):
        return int(levels.funding_addition_e8(ints([quantity]), ints([payment]), factor)[0])

    assert added(E8, 10) == 5
    assert added(E8, -10) == 0
    assert added(-E8, -10) == 5
    assert added(E8, 1) == 1  # rounded up


def test_isolated_margin_follows_the_position():
    assert levels.entry_margin_e8(ints([-1_001]), ints([500_000])).tolist() == [500]
    assert levels.withdrawable_e8(ints([100, 100]), ints([60, 60]), ints([30, 50])).tolist() == [
        10,
        0,
    ]

    def released(balance, quantity, closed, mark, trade):
        return int(
            levels.released_e8(
                ints([balance]),
                ints([quantity]),
                ints([closed]),
                mark_e8=ints([mark]),
                trade_price_e8=ints([trade]),
            )[0]
        )

    assert released(40, 2 * E8, E8 * 3 // 2, 12, 10) == 27
    assert released(40, -2 * E8, E8 * 3 // 2, 12, 10) == 33  # a short gains as the price falls
    assert released(40, 2 * E8, 2 * E8, 12, 12) == 40
    assert released(40, 2 * E8, E8, 100, 10) == 0  # worth nothing at the trade price
    assert released(10**17, 10**17, 10**17 // 2, 5, 5) == 10**17 // 2
