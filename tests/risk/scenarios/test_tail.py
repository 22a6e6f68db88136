"""Historical tails against the clerk: value at risk, expected shortfall, filtered moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.scenarios.tail import (
    expected_shortfall,
    filtered_moves,
    historical_tail,
    normal_risk,
    rank,
    value_at_risk,
)
from tests.reference import portfolio as clerk

LOSSES = st.integers(-(10**15), 10**15)
LEVELS = st.sampled_from([900_000, 975_000, 990_000, 995_000, 500_000, 999_999, 0])


@given(losses=st.lists(LOSSES, min_size=1, max_size=60), level=LEVELS)
def test_expected_shortfall_agrees_with_the_clerk(losses: list[int], level: int) -> None:
    found = expected_shortfall(np.array([losses]), level)
    assert found.tolist() == [clerk.expected_shortfall(losses, level)]


@given(st.lists(LOSSES, min_size=200, max_size=260), st.sampled_from([900_000, 990_000, 995_000]))
def test_value_at_risk_agrees_with_the_clerk(losses: list[int], level: int) -> None:
    found = value_at_risk(np.array([losses]), level)
    assert found.tolist() == [clerk.value_at_risk(losses, level)]


@given(st.lists(st.tuples(LOSSES, LOSSES), min_size=1, max_size=80), LEVELS)
def test_expected_shortfall_is_subadditive(pairs: list[tuple[int, int]], level: int) -> None:
    first, second = np.array(pairs).T
    whole, left, right = (
        int(expected_shortfall(losses[None, :], level)[0])
        for losses in (first + second, first, second)
    )
    assert whole <= left + right


@given(st.lists(LOSSES, min_size=1, max_size=80), LEVELS)
def test_the_mean_of_a_tail_is_between_its_edge_and_the_largest_loss(
    losses: list[int], level: int
) -> None:
    found = int(expected_shortfall(np.array([losses]), level)[0])
    assert found <= max(losses)
    assert found >= int(np.floor(np.mean(losses)))


@pytest.mark.parametrize(
    ("days", "level", "place"),
    [
        (99, 990_000, 1),
        (250, 990_000, 2),
        (1000, 990_000, 10),
        (1000, 995_000, 5),
        (39, 975_000, 1),
    ],
)
def test_the_rank_is_counted_in_integers(days: int, level: int, place: int) -> None:
    assert rank(days, level) == place


@pytest.mark.parametrize(("days", "level", "least"), [(98, 990_000, 99), (198, 995_000, 199)])
def test_too_few_days_are_refused(days: int, level: int, least: int) -> None:
    with pytest.raises(ValueError, match=f"{least} needed"):
        rank(days, level)
    assert rank(least, level) == 1


@pytest.mark.parametrize("level", [-1, 1_000_000])
def test_a_level_outside_its_range_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=str(level)):
        expected_shortfall(np.array([[1, 2]]), level)


def test_moves_are_scaled_to_the_volatility_of_today() -> None:
    returns = np.array([[-0.02, 0.03], [0.04, -0.01]])
    volatility = np.array([[0.01, 0.03], [0.02, 0.01]])
    moves = filtered_moves(returns, volatility, np.array([0.05, 0.02]))
    assert moves == pytest.approx(np.array([[-0.1, 0.02], [0.1, -0.02]]))


def test_a_day_without_volatility_is_refused() -> None:
    with pytest.raises(ValueError, match="day 1, underlying 0"):
        filtered_moves(np.zeros((2, 1)), np.array([[0.1], [0.0]]), np.array([0.1]))


def test_tails_of_a_book_are_those_of_its_profits_never_negative() -> None:
    seed = np.random.default_rng(3)
    bucket = np.sort(seed.integers(0, 50, 300))
    instrument, quantity = seed.integers(0, 4, 300), seed.integers(-(10**9), 10**9, 300)
    unit = seed.normal(0, 10, (4, 400))
    held = list(zip(bucket.tolist(), instrument.tolist(), quantity.tolist(), strict=True))
    tail = historical_tail((bucket, instrument, quantity), unit, 50, level_ppm=975_000)
    var = historical_tail(
        (bucket, instrument, quantity), unit, 50, level_ppm=990_000, shortfall=False
    )
    for owner in range(50):
        losses = [-profit for profit in clerk.profits(held, unit.tolist(), owner)]
        assert tail[owner] == max(0, clerk.expected_shortfall(losses, 975_000))
        assert var[owner] == max(0, clerk.value_at_risk(losses, 990_000))


def test_tails_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, instrument = np.array([0, 0, 2, 3, 3]), np.array([0, 1, 1, 0, 0])
    quantity, unit = np.arange(1, 6) * 10**8, np.random.default_rng(1).normal(0, 1, (2, 50))
    whole = historical_tail((bucket, instrument, quantity), unit, 5, level_ppm=975_000)
    monkeypatch.setattr("risk.scenarios.tail.CELLS", 100)
    pieces = historical_tail((bucket, instrument, quantity), unit, 5, level_ppm=975_000)
    assert pieces.tolist() == whole.tolist()


def test_positions_that_are_not_sorted_are_refused() -> None:
    rows = np.array([1, 0])
    with pytest.raises(ValueError, match="sorted"):
        historical_tail((rows, rows * 0, rows), np.zeros((1, 50)), 2, level_ppm=975_000)


def test_components_of_normal_risk_add_up_to_it() -> None:
    correlation = np.array([[1, 0.8, 0.6], [0.8, 1, 0.65], [0.6, 0.65, 1]])
    found = normal_risk(
        np.array([1e6, -6e5, 3e5]), np.array([0.04, 0.05, 0.09]), correlation, 990_000
    )
    assert found.components.sum() == pytest.approx(found.value_at_risk)
    assert 0 < found.diversification_ratio < 1
    assert normal_risk(np.zeros(3), np.ones(3), correlation, 990_000).diversification_ratio == 1
