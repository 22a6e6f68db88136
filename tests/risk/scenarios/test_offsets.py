"""Offsets across underlyings: what is credited, and what never is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.scenarios.offsets import (
    Netting,
    across,
    aggregate,
    components,
    concentration,
    stressed_correlation,
)
from tests.reference import portfolio as clerk

RHO = [[1.0, 0.8, 0.3], [0.8, 1.0, 0.5], [0.3, 0.5, 1.0]]
AMOUNTS = st.integers(0, 10**15)
SIDES = st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=3, max_size=3)


def required(sides: list[tuple[int, int]], netting: Netting, joint: int = 0) -> int:
    down, up = np.array(sides, np.int64).T
    return int(across(down[None, :], up[None, :], np.array([joint]), netting)[0])


@given(sides=SIDES, joint=AMOUNTS, largest=st.floats(0, 1))
def test_the_requirement_agrees_with_the_clerk(
    sides: list[tuple[int, int]], joint: int, largest: float
) -> None:
    netting = Netting.of(RHO, largest=largest)
    stressed = netting.stressed.tolist()
    expected = clerk.across(sides, joint, [RHO, stressed], largest)
    assert required(sides, netting, joint) == pytest.approx(expected, rel=1e-9, abs=1)


@given(sides=SIDES)
def test_it_is_between_the_share_that_may_not_offset_and_the_sum(
    sides: list[tuple[int, int]],
) -> None:
    gross = sum(max(side) for side in sides)
    assert 0.2 * gross - 1 <= required(sides, Netting.of(RHO)) <= gross + 1


@given(AMOUNTS, AMOUNTS)
def test_one_underlying_alone_requires_exactly_its_worse_side(down: int, up: int) -> None:
    assert required([(down, up), (0, 0), (0, 0)], Netting.of(RHO)) == max(down, up)


def test_a_hedge_counts_by_the_lower_correlation_and_a_share() -> None:
    # Long 100 of one, short 80 of another; perfect correlation would leave 20.
    sides = [(100, 0), (0, 80)]
    perfect, none = np.ones((2, 2)), np.eye(2)
    assert required(sides, Netting.of(perfect, largest=1.0)) == 20
    assert required(sides, Netting.of(perfect, perfect, largest=0.8)) == 52
    alone = required(sides, Netting.of(none, none, largest=1.0))
    assert alone == pytest.approx(np.hypot(100, 80), abs=1)
    assert required(sides, Netting.of(perfect, none, largest=1.0)) == alone


def test_what_is_lost_on_both_sides_offsets_nothing() -> None:
    straddles = [(50, 50), (70, 70)]
    assert required(straddles, Netting.of(np.eye(2), largest=1.0)) == 120


def test_the_joint_loss_is_a_floor() -> None:
    assert required([(100, 0), (0, 100)], Netting.of(np.ones((2, 2)), largest=1.0), 30) == 30


def test_no_underlying_requires_nothing() -> None:
    empty = np.zeros((2, 0), np.int64)
    netting = Netting.of(np.zeros((0, 0)))
    assert across(empty, empty, np.zeros(2, np.int64), netting).tolist() == [0, 0]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_row_aggregates_alike_whatever_is_beside_it(rows: list[list[float]]) -> None:
    table, rho = np.array(rows), np.array(RHO)
    together = aggregate(table, rho)
    assert together.tolist() == [float(aggregate(table[[row]], rho)[0]) for row in range(len(rows))]
    assert components(table, rho).sum(axis=1) == pytest.approx(together, rel=1e-6, abs=1e-3)


def test_a_large_net_sensitivity_weighs_more() -> None:
    assert concentration([100, -900, 400], 400).tolist() == [1, 1.5, 1]


def test_stress_goes_half_way_to_one() -> None:
    assert stressed_correlation(np.array([0.5, -0.25, 0.0])).tolist() == [0.75, -0.625, 0.0]


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[1.0, 0.5]], "square"),
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ([[0.9]], "diagonal"),
        ([[1.0, 1.5], [1.5, 1.0]], "-1..1"),
        ([[1.0, float("nan")], [float("nan"), 1.0]], "-1..1"),
    ],
)
def test_what_is_no_correlation_is_refused(matrix: list[list[float]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Netting.of(matrix)


def test_netting_must_fit_together() -> None:
    with pytest.raises(ValueError, match="differ"):
        Netting.of(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=r"0\.\.1"):
        Netting.of(np.eye(2), largest=1.2)
