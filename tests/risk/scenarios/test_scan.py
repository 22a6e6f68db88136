"""The scan of portfolio margin against the clerk, on random and on edge books."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.margin.portfolio import (
    HISTORICAL,
    NO_SCENARIO,
    PortfolioRule,
    portfolio_margin,
    scan,
    scan_sides,
    scenario_profits,
    share_up,
)
from schemas.units import E8, LIMIT_E8
from tests.reference import portfolio as clerk

Held = list[tuple[int, int, int]]
SIZE, INSTRUMENTS, SCENARIOS = 4, 3, 5
UNITS = st.lists(
    st.lists(
        st.floats(-1e5, 1e5) | st.sampled_from([0.0, 0.5, -0.5, 1e-9]),
        min_size=SCENARIOS,
        max_size=SCENARIOS,
    ),
    min_size=INSTRUMENTS,
    max_size=INSTRUMENTS,
)
QUANTITIES = st.integers(-(10**10), 10**10) | st.sampled_from([1, -1, E8, 0, 4 * 10**11])
BOOKS = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, INSTRUMENTS - 1), QUANTITIES), max_size=20
)


def columns(held: Sequence[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bucket, instrument, quantity_e8 = np.array(held, np.int64).reshape(-1, 3).T
    return bucket, instrument, quantity_e8


def worst(held: Held, unit: list[list[float]], size: int = SIZE) -> list[tuple[int, int]]:
    loss_e8, index = scan(*columns(held), np.array(unit), size)
    return list(zip(loss_e8.tolist(), index.tolist(), strict=True))


@given(held=BOOKS, unit=UNITS)
def test_the_scan_agrees_with_the_clerk(held: Held, unit: list[list[float]]) -> None:
    assert worst(held, unit) == [clerk.worst_loss(held, unit, bucket) for bucket in range(SIZE)]


@given(held=BOOKS, unit=UNITS)
def test_profits_of_every_scenario_agree_with_the_clerk(
    held: Held, unit: list[list[float]]
) -> None:
    found = scenario_profits(*columns(held), np.array(unit), SIZE)
    assert found.tolist() == [clerk.profits(held, unit, bucket) for bucket in range(SIZE)]


@given(held=BOOKS, unit=UNITS, seed=st.randoms(use_true_random=False))
def test_the_order_of_positions_does_not_matter(held: Held, unit: list, seed) -> None:
    shuffled = list(held)
    seed.shuffle(shuffled)
    assert worst(shuffled, unit) == worst(held, unit) == worst(sorted(held), unit)


@given(held=BOOKS, unit=UNITS)
def test_two_books_together_lose_no_more_than_apart(held: Held, unit: list) -> None:
    half = len(held) // 2
    together, first, second = worst(held, unit), worst(held[:half], unit), worst(held[half:], unit)
    for whole, left, right in zip(together, first, second, strict=True):
        assert whole[0] <= left[0] + right[0]


@given(held=BOOKS, unit=UNITS, hedge=st.integers(0, INSTRUMENTS - 1), quantity=QUANTITIES)
def test_a_hedge_adds_at_most_its_own_loss(
    held: Held, unit: list, hedge: int, quantity: int
) -> None:
    added = (0, hedge, quantity)
    assert worst([*held, added], unit)[0][0] <= worst(held, unit)[0][0] + worst([added], unit)[0][0]


@given(held=BOOKS, unit=UNITS, relief=st.lists(st.integers(0, 10**15), min_size=5, max_size=5))
def test_relief_is_taken_off_the_loss_of_its_scenario(
    held: Held, unit: list, relief: list[int]
) -> None:
    loss_e8, index = scan(
        *columns(held), np.array(unit), SIZE, relief_e8=np.array(relief, np.int64)
    )
    expected = [clerk.worst_loss(held, unit, bucket, relief) for bucket in range(SIZE)]
    assert list(zip(loss_e8.tolist(), index.tolist(), strict=True)) == expected


@given(held=BOOKS, unit=UNITS)
def test_sides_are_scans_of_the_scenarios_of_their_side(held: Held, unit: list) -> None:
    moves = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    down_e8, up_e8 = scan_sides(*columns(held), np.array(unit), SIZE, moves=moves)
    table = np.array(unit)
    assert down_e8.tolist() == scan(*columns(held), table[:, moves <= 0], SIZE)[0].tolist()
    assert up_e8.tolist() == scan(*columns(held), table[:, moves >= 0], SIZE)[0].tolist()


def test_sums_beyond_the_reach_of_floats_stay_exact() -> None:
    held = [(0, 0, 10**17), (0, 0, 1), (0, 0, -(10**17)), (1, 0, 10**15 + 1), (1, 0, 2)]
    unit = [[-9.0, 1.0]]
    assert worst(held, unit, 2) == [(9, 0), (9 * 10**15 + 27, 0)]


@pytest.mark.parametrize("quantity", [1, 10**18 - 1024])
def test_one_unit_and_the_largest_amount(quantity: int) -> None:
    assert worst([(0, 0, quantity)], [[0.0, -1.0]], 1) == [(quantity, 1)]


def test_dust_rounds_to_nothing_half_to_even() -> None:
    assert worst([(0, 0, 1)], [[-0.5]], 1) == [(0, NO_SCENARIO)]
    assert worst([(0, 0, 3)], [[-0.5]], 1) == [(2, 0)]


def test_empty_books_and_buckets_lose_nothing() -> None:
    assert worst([], [[-1.0]], 3) == [(0, NO_SCENARIO)] * 3
    assert worst([], [[-1.0]], 0) == []
    assert worst([(0, 0, 5), (2, 0, 5)], [[-1.0]], 4)[1::2] == [(0, NO_SCENARIO)] * 2


def test_the_first_of_equally_bad_scenarios_is_named() -> None:
    assert worst([(0, 0, E8)], [[1.0, -2.0, -2.0]], 1) == [(2 * E8, 1)]


@pytest.mark.parametrize("scenarios", [1, 15, 16, 17, 33])
def test_thousands_of_positions_in_one_bucket_among_small_ones(scenarios: int) -> None:
    seed = np.random.default_rng(7)
    bucket = np.concatenate((np.full(5_000, 1), seed.integers(0, 300, 2_000)))
    instrument = seed.integers(0, 40, len(bucket))
    quantity_e8 = seed.integers(-(10**10), 10**10, len(bucket))
    unit = seed.normal(0, 1_000, (40, scenarios))
    terms = np.rint(quantity_e8[:, None].astype(np.float64) * unit[instrument]).astype(np.int64)
    profit = np.zeros((300, scenarios), np.int64)
    np.add.at(profit, bucket, terms)
    loss_e8, index = scan(bucket, instrument, quantity_e8, unit, 300)
    assert loss_e8.tolist() == np.maximum(0, -profit.min(axis=1)).tolist()
    losing = loss_e8 > 0
    assert index[losing].tolist() == profit.argmin(axis=1)[losing].tolist()


@pytest.mark.parametrize(
    ("bucket", "instrument", "unit", "words"),
    [
        (-1, 0, 1.0, "out of range"),
        (1, 0, 1.0, "out of range"),
        (0, -1, 1.0, "out of range"),
        (0, 1, 1.0, "out of range"),
        (0, 0, float("nan"), "instrument row 0"),
        (0, 0, float("-inf"), "instrument row 0"),
    ],
)
def test_a_row_out_of_range_or_a_profit_that_is_no_number_is_refused(
    bucket: int, instrument: int, unit: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        worst([(bucket, instrument, E8)], [[unit]], 1)


@pytest.mark.parametrize("unit", [-1.1, -100.0, -1e300])
def test_a_loss_that_does_not_fit_names_its_bucket(unit: float) -> None:
    held = [(0, 1, 5), (1, 0, LIMIT_E8)]
    with pytest.raises(OverflowError, match="bucket row 1"):
        worst(held, [[unit], [1.0]], 2)
    with pytest.raises(OverflowError, match="bucket row 1"):
        scan_sides(*columns(held), np.array([[unit], [1.0]]), 2, moves=np.array([1.0]))


def test_requirements_are_factor_times_the_larger_of_scan_and_tail_plus_contingencies() -> None:
    margin = portfolio_margin(
        np.array([100, 100, 0, 3]),
        np.array([4, 5, NO_SCENARIO, 0]),
        PortfolioRule(800_000, 1_250_000),
        tail_e8=np.array([90, 110, 0, 3]),
        contingency_e8=np.array([0, 7, 1, 0]),
    )
    assert margin.maintenance_margin_e8.tolist() == [80, 95, 1, 3]
    assert margin.initial_margin_e8.tolist() == [100, 119, 2, 4]
    assert margin.worst.tolist() == [4, HISTORICAL, NO_SCENARIO, 0]


@given(st.integers(0, LIMIT_E8), st.integers(0, 3_000_000))
def test_a_share_is_rounded_up_exactly(amount: int, ppm: int) -> None:
    assert share_up(np.array([amount]), ppm).tolist() == [-(-amount * ppm // 10**6)]
