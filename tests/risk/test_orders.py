"""Open orders count at their worst, whatever order they come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from risk.margin import orders
from risk.margin.orders import Orders
from risk.margin.weights import Weighing
from schemas.units import E8
from tests.reference.orders import locked_margin
from tests.risk.books import ints

amounts = st.floats(-1e6, 1e6)
open_amounts = st.floats(0, 1e6)
books = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(1, 10**12), st.integers(1, 10**12)), max_size=8
)
positions = st.integers(-(10**12), 10**12)


def floats(*values):
    return np.array(values, np.float64)


def weighing(low, high, asset, liability):
    return Weighing(floats(low), floats(high), floats(asset), floats(liability))


@st.composite
def weighings(draw):
    low = draw(st.floats(0.01, 1e4))
    high = low * draw(st.floats(1, 2))
    return weighing(low, high, draw(st.floats(0, 1)), draw(st.floats(1, 2)))


@given(amounts, open_amounts, open_amounts, open_amounts, weighings())
def test_more_orders_never_raise_health(amount, bids, asks, more, of):
    def total(with_bids, with_asks):
        fill = orders.worst_fill(floats(amount), floats(with_bids), floats(with_asks), of)
        return float(fill.total()[0])

    slack = 1e-9 * (1 + abs(amount) + bids + asks + more) * float(of.liability_price[0])
    worst = total(bids, asks)
    assert worst <= float(of.value(floats(amount))[0]) + slack
    assert total(bids + more, asks) <= worst + slack
    assert total(bids, asks + more) <= worst + slack


def test_the_worse_side_is_filled():
    of = weighing(100, 100, 0.8, 1.2)
    bought = orders.worst_fill(floats(0), floats(500), floats(1), of)
    assert (bought.amount, bought.value, bought.cash) == (500, 40_000, -50_000)
    sold = orders.worst_fill(floats(0), floats(0), floats(500), of)
    assert (sold.amount, sold.value, sold.cash) == (-500, -60_000, 50_000)
    held = orders.worst_fill(floats(-3), floats(0), floats(0), of)
    assert (held.amount, held.value, held.cash) == (-3, -360, 0)


def test_exposure_is_the_larger_of_both_sides():
    found = orders.worst_exposure_e8(
        ints([10, 10, -10, 0, 5]), ints([5, 0, 3, 7, 0]), ints([1, 30, 9, 7, 5])
    )
    assert found.tolist() == [15, -20, -19, 7, 5]


def test_what_is_owned_and_owed_is_summed_apart():
    collateral, requirement = orders.collateral_and_requirement(
        ints([0, 0, 1]), floats(10, -4, -1), 2, orders=floats(3, 0), order_fee=0.01
    )
    np.testing.assert_allclose(collateral, [10, 0])
    np.testing.assert_allclose(requirement, [4.03, 1])


@given(
    st.lists(st.tuples(books, positions, st.integers(0, 10**6)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.integers(0, 10**11),
)
def test_locked_margin_agrees_with_the_clerk(buckets, random, least):
    rows = [(at, *order) for at, (book, _, _) in enumerate(buckets) for order in book]
    random.shuffle(rows)
    bucket, side, quantity, price = np.array(rows, np.int64).reshape(-1, 4).T
    found = orders.locked_margin_e8(
        Orders(bucket, side, quantity, price),
        ints([position for _, position, _ in buckets]),
        ints([factor for _, _, factor in buckets]),
        least_price_e8=ints([least] * len(buckets)),
    )
    assert found.tolist() == [
        locked_margin(book, position, factor, least) for book, position, factor in buckets
    ]


def test_orders_that_reduce_lock_nothing_best_price_first():
    book = Orders(ints([0] * 3), ints([1] * 3), ints([30, 10, 20]), ints([20, 50, 40]))

    def locked(position):
        return int(orders.locked_margin_e8(book, ints([position]), ints([50_000]))[0])

    scaled = Orders(book.bucket, book.side, book.quantity_e8 * E8, book.price_e8)
    for position, margin in ((0, 95), (20, 95), (-4, 85), (-20, 50), (-60, 0), (-70, 0)):
        found = orders.locked_margin_e8(scaled, ints([position * E8]), ints([50_000]))
        assert found.tolist() == [margin]
    assert locked(0) == 0  # dust
    nothing = Orders(*(ints([]) for _ in range(4)))
    assert orders.locked_margin_e8(nothing, ints([5, 0]), ints([1, 1])).tolist() == [0, 0]


def test_a_trade_that_widens_the_skew_pays_for_it():
    assert orders.skewed_fill_price(2_000, 0, 20, 1_000) == 2_020
    assert orders.skewed_fill_price(2_000, 20, -20, 1_000) == 2_020  # the way back costs the same
    assert orders.skewed_fill_price(30_000, 0, -1, 100) == 29_850
