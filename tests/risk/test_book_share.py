"""The share of a book that is closed, against fractions and by its purpose."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import PositionState
from risk.liquidation.book_share import Shares, book_shares, closing_cost_e8, reduce_books
from risk.liquidation.sizing import Reductions, Sizing
from schemas.units import E8, PPM
from tests.reference import sizing as slow
from tests.risk.books import book, holdings_of, ints, run
from tests.risk.test_sizing import FREE, trading

END = 1_100_000


def share(equity: int, margins: list[int], cost: int = 0) -> Fraction:
    got = book_shares(ints([equity]), ints([margins]), ints([cost]), end_health_ppm=END)
    return Fraction(got.part[0], got.whole[0])


def test_a_margin_that_falls_with_the_book_lands_on_the_end_health():
    assert share(88, [100, 0]) == Fraction(1, 5)
    assert share(880, [1_000, 750, 500, 250, 0], 100) == Fraction(22, 100)
    assert share(0, [100, 0]) == 1


def test_where_coins_lose_their_hedge_the_share_stops_at_the_best():
    """Closing half of the shorts hedges the coins exactly; closing all leaves them bare."""
    assert share(55, [100, 50, 0, 50, 100]) == Fraction(1, 4)
    assert share(-5, [100, 50, 0, 50, 100]) == Fraction(1, 2)


def test_nothing_helps_where_closing_costs_more_than_it_frees():
    assert share(90, [100, 100, 100, 100, 100]) == 0
    assert share(90, [100, 90, 80, 70, 60], 1_000) == 0


MARGINS = st.lists(st.integers(0, 10**17), min_size=2, max_size=6)


@given(st.integers(-(10**17), 10**17), MARGINS, st.integers(0, 10**15))
def test_it_is_the_twins(equity, margins, cost):
    pieces = len(margins) - 1
    cost *= pieces  # a share of it is whole
    aim = -(-margins[0] * END // PPM)
    if equity < aim:
        assert share(equity, margins, cost) == slow.book_share(equity, margins, Fraction(cost), END)


@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=4),
    st.integers(1, 10**9),
    st.integers(0, 1_099_999),
)
def test_closing_the_share_brings_at_least_the_end_health(sizes, lot, health_ppm):
    sample = book(positions=[(0, 0, size, 0) for size in sizes], tiers=[[(0, 50_000, 30_000)]])
    _, state = run(sample)
    margin = int(state.maintenance_margin_e8.sum())
    equity = margin * health_ppm // PPM
    shares = book_shares(ints([equity]), ints([[margin, 0]]), ints([0]), end_health_ppm=END)
    got = closed(sample, state, shares, lot=lot)
    assert got.row.tolist() == list(range(len(sizes)))
    left = [size - taken for size, taken in zip(sizes, got.quantity_e8.tolist(), strict=True)]
    kept = sum(Fraction(one * int(m), size) for one, m, size in
               zip(left, state.maintenance_margin_e8, sizes, strict=True))  # fmt: skip
    assert equity * PPM >= kept * END
    part = Fraction(shares.part[0], shares.whole[0])
    for size, taken in zip(sizes, got.quantity_e8.tolist(), strict=True):
        assert taken == min(size, -(-size * part // lot) * lot)


def closed(
    sample, state: PositionState, shares: Shares, *, lot=1, step=1, sizing=FREE
) -> Reductions:
    positions, _ = holdings_of(sample)
    return reduce_books(
        positions,
        state,
        shares,
        bucket=ints(range(len(shares.part))),
        step=ints([step] * len(shares.part)),
        rules=trading(sample, lot=lot),
        sizing=sizing,
    )


def test_every_position_shrinks_by_the_share_and_by_more_at_later_steps():
    sample = book(positions=[(0, 0, 10 * E8, 0), (0, 0, -7 * E8, 0), (1, 0, E8, 0)], size=2)
    _, state = run(sample)
    got = closed(sample, state, Shares([1, 0], [4, 1]), lot=E8)
    assert got.bucket.tolist() == [0, 0]
    assert got.quantity_e8.tolist() == [3 * E8, 2 * E8]
    assert got.side.tolist() == [-1, 1]
    later = closed(sample, state, Shares([1, 0], [4, 1]), lot=E8, step=3)
    assert later.quantity_e8.tolist() == [5 * E8, 4 * E8]
    assert closed(sample, state, Shares([1, 0], [4, 1]), step=9).quantity_e8[0] == 10 * E8


def test_a_rest_that_is_worth_little_goes_too():
    sample = book(positions=[(0, 0, 10 * E8, 0)])
    _, state = run(sample)
    dust = Sizing(minimum_notional_e8=600 * E8)
    assert closed(sample, state, Shares([1], [2]), sizing=dust).quantity_e8.tolist() == [10 * E8]


def test_the_cost_is_rounded_up():
    sizing = Sizing(fee_ppm=500, insurance_fee_ppm=100)
    assert closing_cost_e8(ints([10**17, 1, 0]), sizing).tolist() == [6 * 10**13, 1, 0]
