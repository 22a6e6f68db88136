"""While marks move by less than a bucket's reach, its health stays above the level."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.book import Book, Evaluation, Kind
from risk.holdings import Terms
from risk.margin.portfolio import NO_SCENARIO
from risk.margin.reach import MOST, NO_LEVEL, reach
from schemas.units import E8, PPM, Floats
from tests.reference import margin as slow
from tests.reference.margin import Reading
from tests.risk.books import book, books, holdings_of, ints, rules_of, run

HEALTH_PPM = 1_500_000


@given(
    books(),
    st.randoms(use_true_random=False),
    st.integers(1_000_000, 3_000_000),
    st.just(NO_LEVEL) | st.integers(3_000_000, 9_000_000),
)
def test_no_move_within_reach_brings_a_bucket_to_a_level(
    sample: slow.Book, random: random.Random, health_ppm: int, below_ppm: int
) -> None:
    pricer = [random.choice([-1, 0]) for _ in sample.prices]
    found = reaches(sample, pricer, health_ppm, below_ppm=below_ppm)
    for bucket, far in enumerate(found.tolist()):
        if not far:
            continue
        moved = sample._replace(
            marks=[moved_by(mark, far, random) for mark in sample.marks],
            prices=[
                price if of < 0 else moved_by(price, far, random)
                for of, price in zip(pricer, sample.prices, strict=True)
            ],
        )
        alone = moved._replace(
            positions=[row for row in moved.positions if row[0] == bucket],
            balances=[row for row in moved.balances if row[0] == bucket],
        )
        equity, _, maintenance, _ = state_of(alone, bucket)
        assert equity * PPM >= maintenance * health_ppm
        assert below_ppm == NO_LEVEL or equity * PPM <= maintenance * below_ppm


@pytest.mark.parametrize(("equity", "fall"), [(500, 125 / 9_625), (2_500, 2_125 / 9_625)])
def test_the_reach_of_a_long_is_near_the_fall_that_warns_it(equity: int, fall: float) -> None:
    """100 contracts at 100: equity - 10,000 f = 1.5 x 2.5 % x 10,000 (1 - f)."""
    held = book(
        tiers=[[(0, 50_000, 25_000)]],
        positions=[(0, 0, 100 * E8, 12_500 * E8)],
        balances=[(0, 0, (equity + 2_500) * E8)],
    )
    assert 0.9 * fall < reaches(held, [-1])[0] <= fall


@pytest.mark.parametrize(("equity", "rise"), [(500, 250 / 9_500), (250, 500 / 9_500)])
def test_the_reach_of_a_long_is_near_the_rise_that_cures_it(equity: int, rise: float) -> None:
    """100 contracts at 100: equity + 10,000 f = 3 x 2.5 % x 10,000 (1 + f), where below 2 x."""
    held = book(
        tiers=[[(0, 50_000, 25_000)]],
        positions=[(0, 0, 100 * E8, 12_500 * E8)],
        balances=[(0, 0, (equity + 2_500) * E8)],
    )
    found = reaches(held, [-1], -PPM, below_ppm=3 * PPM)[0]
    assert 0.8 * rise < found <= rise


@pytest.mark.parametrize(
    "changes",
    [
        {"readings": [Reading(method="whole")]},
        {"readings": [Reading(method="sqrt", factors=(10**6, 10**6))]},
        {"tiers": [[]]},
    ],
)
def test_nothing_is_known_of_margins_that_jump(changes: dict[str, object]) -> None:
    held = {"positions": [(0, 0, E8, 100 * E8)], "balances": [(0, 0, 1_000_000 * E8)]}
    assert reaches(book(**held), [-1]).tolist() == [MOST]
    assert reaches(book(**held, **changes), [-1]).tolist() == [0]


@pytest.mark.parametrize(("kind", "side"), [(Kind.PORTFOLIO, 0), (Kind.CROSS, 1)])
def test_nothing_is_known_of_portfolios_and_options(kind: Kind, side: int) -> None:
    held = book(positions=[(0, 0, E8, 100 * E8)], balances=[(0, 0, 1_000_000 * E8)])
    assert reaches(held, [-1], kind=kind, side=side).tolist() == [0]


def reaches(
    sample: slow.Book,
    pricer: list[int],
    health_ppm: int = HEALTH_PPM,
    *,
    below_ppm: int = NO_LEVEL,
    kind: Kind = Kind.CROSS,
    side: int = 0,
) -> Floats:
    state, positions = run(sample)
    held, owned = holdings_of(sample)
    kinds = np.full(sample.size, kind, np.int64)
    zeros = np.zeros(len(sample.marks), np.int64)
    terms = Terms(np.arange(len(sample.marks)), zeros + side, zeros, zeros)
    worst = np.full(sample.size, NO_SCENARIO, np.int64)
    return reach(
        Book(held, owned, kinds),
        ints(pricer),
        rules_of(sample),
        terms,
        Evaluation(state, positions, worst),
        above_ppm=np.full(sample.size, health_ppm),
        below_ppm=np.full(sample.size, below_ppm),
    )


def moved_by(mark: int, far: float, random: random.Random) -> int:
    """Up to as far as that and no further, often as far as that."""
    part = far * random.choice([-1, 1, random.uniform(-1, 1)])
    return mark + int(mark * part * (1 - 1e-9))


def state_of(sample: slow.Book, bucket: int) -> tuple[int, ...]:
    return tuple(slow.evaluate(sample)[0][bucket])
