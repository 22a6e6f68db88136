"""The map adds up position by position, and a cascade only ever goes further."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from risk.liquidation.liquidation_map import (
    SHOCKS_PPM,
    LiquidationMap,
    cascade,
    liquidation_map,
    triggers,
)
from schemas.units import E8, LIMIT_E8, PPM
from tests.reference import liquidation_map as slow
from tests.reference.margin import Book
from tests.risk.books import book, ints
from tests.risk.priced_books import Sample, tier_tables

COARSE: list[int] = list(range(-300_000, 300_001, 50_000))


def mapped(sample: Book, pricer: list[int], shocks: list[int] = COARSE) -> LiquidationMap:
    held = Sample(sample, pricer).evaluated()
    return liquidation_map(
        held.positions.instrument,
        held.positions.quantity_e8 > 0,
        held.state.notional_e8,
        triggers(held),
        shocks_ppm=ints(shocks),
    )


def as_lists(made: LiquidationMap) -> slow.Map:
    rows = zip(made.instrument.tolist(), made.long_e8, made.short_e8, strict=True)
    return {row: (longs.tolist(), shorts.tolist()) for row, longs, shorts in rows}


@st.composite
def crowds(draw: st.DrawFn) -> tuple[Book, list[int]]:
    """Buckets in two perpetuals, one linear and one inverse and settled in its own coin."""
    marks = [draw(st.integers(10 * E8, 10**5 * E8)) for _ in range(2)]
    size = draw(st.integers(1, 4))
    positions, balances = [], []
    for _ in range(draw(st.integers(1, 6))):
        bucket, inverse = draw(st.integers(0, size - 1)), draw(st.booleans())
        value = draw(st.integers(100, 10_000)) * draw(st.sampled_from([-1, 1]))
        quantity = value * E8 if inverse else value * E8 * E8 // marks[0]
        paid = draw(st.integers(900, 1_100))
        cost = -value * E8 * E8 // marks[1] if inverse else value * E8
        positions.append((bucket, int(inverse), quantity, cost * paid // 1_000))
    for _ in range(draw(st.integers(0, 6))):
        bucket, asset = draw(st.integers(0, size - 1)), draw(st.integers(0, 1))
        value = draw(st.integers(0, 5_000))
        amount = value * E8 * E8 // marks[1] if asset else value * E8
        balances.append((bucket, asset, amount))
    made = book(
        contracts=[(False, E8, 0), (True, E8, 1)],
        marks=marks,
        tiers=[draw(tier_tables()) for _ in range(2)],
        scalars=[PPM] * 2,
        prices=[E8, marks[1]],
        borrow_weights=[0, 100_000],
        haircuts=[[], [(0, 50_000)]],
        positions=positions,
        balances=balances,
        size=size,
    )
    return made, [-1, 1]


@settings(max_examples=60, deadline=None)
@given(crowds())
def test_the_map_is_that_of_the_book_evaluated_at_every_step(crowd: tuple[Book, list[int]]) -> None:
    sample, pricer = crowd
    for instrument in (0, 1):
        for shock in COARSE:
            left = slow.surpluses(sample, pricer, instrument, shock)
            assume(all(one is None or abs(one) > 100 * E8 // 10**4 for one in left))
    assert as_lists(mapped(sample, pricer)) == slow.liquidation_map(sample, pricer, COARSE)


@settings(max_examples=60, deadline=None)
@given(crowds())
def test_a_step_further_never_counts_less_and_accounts_add_up(
    crowd: tuple[Book, list[int]],
) -> None:
    sample, pricer = crowd
    whole = as_lists(mapped(sample, pricer))
    zero = COARSE.index(0)
    for sides in whole.values():
        for side in sides:
            assert side[zero:] == sorted(side[zero:])
            assert side[: zero + 1] == sorted(side[: zero + 1], reverse=True)
    added = {row: np.zeros((2, len(COARSE)), np.int64) for row in whole}
    for bucket in range(sample.size):
        alone = sample._replace(
            positions=[row for row in sample.positions if row[0] == bucket],
            balances=[row for row in sample.balances if row[0] == bucket],
        )
        for row, sides in as_lists(mapped(alone, pricer)).items():
            added[row] += np.array(sides)
    assert {row: tuple(sums.tolist()) for row, sums in added.items()} == whole


def test_a_long_and_a_short_by_hand() -> None:
    """E = MM at 100 (1 - 0.09) / 0.99 = 91.92 for the long, at 100 x 1.09 / 1.01 = 107.92."""
    sample = book(
        positions=[(0, 0, 10 * E8, 1_000 * E8), (1, 0, -10 * E8, -1_000 * E8)],
        balances=[(0, 0, 90 * E8), (1, 0, 90 * E8)],
        size=2,
    )
    made = mapped(sample, [-1], SHOCKS_PPM.tolist())
    (long,), (short,) = made.long_e8, made.short_e8
    assert SHOCKS_PPM[long > 0].max() == -85_000
    assert SHOCKS_PPM[short > 0].min() == 80_000
    assert set(long.tolist()) == set(short.tolist()) == {0, 1_000 * E8}


def test_who_is_liquidatable_now_counts_at_every_step_and_who_owes_no_margin_at_none() -> None:
    now = book(positions=[(0, 0, 10 * E8, 1_000 * E8)], balances=[(0, 0, 9 * E8)])
    made = mapped(now, [-1])
    assert set(made.long_e8[0].tolist()) == {1_000 * E8}
    assert not made.short_e8.any()
    free = now._replace(tiers=[[(0, 0, 0)]], balances=[])
    assert not mapped(free, [-1]).long_e8.any()


def test_without_positions_there_is_no_map() -> None:
    made = mapped(book(), [-1])
    assert made.long_e8.shape == made.short_e8.shape == (0, len(COARSE))


def test_a_sum_that_does_not_fit_is_told_as_the_largest_amount() -> None:
    ten = np.zeros(20, np.int64)
    held = triggers(Sample(book(positions=[(0, 0, E8, 0)]), [-1]).evaluated())
    reached = type(held)(np.full(20, 0.9), np.full(20, np.nan))
    made = liquidation_map(ten, ten == 0, ten + LIMIT_E8, reached)
    assert made.long_e8.max() == LIMIT_E8
    assert made.long_e8.min() == 0


SIDE = st.lists(st.integers(0, 10**15), min_size=7, max_size=7)
SHOCKS = [-300_000, -100_000, -50_000, 0, 50_000, 100_000, 300_000]


def outward(amounts: list[int]) -> list[int]:
    """Amounts of one side made a map: never less a step further from 0."""
    down = np.maximum.accumulate(amounts[3::-1])[::-1].tolist()
    return [*down, *np.maximum.accumulate(amounts[3:]).tolist()[1:]]


@given(SIDE, SIDE, st.integers(1, 10**15))
def test_a_cascade_is_what_a_walk_step_by_step_finds(
    longs: list[int], shorts: list[int], depth: int
) -> None:
    longs, shorts = outward(longs), outward(shorts)
    made = cascade(ints(longs), ints(shorts), depth, shocks_ppm=ints(SHOCKS))
    columns = (made.end_ppm, made.long_e8, made.short_e8)
    assert list(zip(*(one.tolist() for one in columns), strict=True)) == slow.cascade(
        SHOCKS, longs, shorts, depth
    )
    assert made.end_ppm.tolist() == sorted(made.end_ppm.tolist()), "monotone in the first move"
    assert (made.long_e8 >= longs).all()
    assert (made.short_e8 >= shorts).all()
    assert ((made.end_ppm <= SHOCKS) | (ints(SHOCKS) >= 0)).all()
    deeper = cascade(ints(longs), ints(shorts), 2 * depth, shocks_ppm=ints(SHOCKS))
    assert (np.abs(deeper.end_ppm) <= np.abs(made.end_ppm)).all(), "a deeper book gives way less"


def test_a_cascade_by_hand() -> None:
    """2 sold at -5% take a depth of 1 a percent down to -7%, 6 sold at -7% to -11%, and so on."""
    longs = np.zeros(len(SHOCKS_PPM), np.int64)
    longs[SHOCKS_PPM <= -50_000] = 2
    longs[SHOCKS_PPM <= -65_000] = 6
    longs[SHOCKS_PPM <= -115_000] = 9
    made = cascade(longs, longs * 0, 1)
    ends = dict(zip(SHOCKS_PPM.tolist(), (made.end_ppm / 10_000).tolist(), strict=True))
    assert ends[-45_000] == -4.5, "nothing is liquidated"
    assert ends[-50_000] == -11, "and -11.5% is not reached"
    assert ends[-55_000] == -14.5
    assert ends[50_000] == 5
    with pytest.raises(ValueError, match="a depth of 0 is not positive"):
        cascade(longs, longs, 0)


def test_what_is_liquidatable_now_presses_the_price_without_a_first_move() -> None:
    longs = np.full(len(SHOCKS_PPM), 3)
    none = np.zeros(len(SHOCKS_PPM), np.int64)
    zero = len(SHOCKS_PPM) // 2
    assert cascade(longs, none, 1).end_ppm[zero] == -30_000
    assert cascade(none, longs, 1).end_ppm[zero] == 30_000
