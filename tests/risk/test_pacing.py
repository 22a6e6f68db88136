"""Orders that wait for room in the market: against the slow twin, and by what must hold."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.pacing import NO_CAP, Pace, caps_e8, paced_e8
from tests.reference import pacing as slow
from tests.reference.pacing import Order
from tests.risk.books import ints

LOTS = [10, 1]


def paced(orders: list[Order], room: list[list[int]]) -> list[int]:
    column = {name: [getattr(one, name) for one in orders] for name in Order._fields}
    return paced_e8(
        ints(column["bucket"]),
        ints(column["instrument"]),
        ints(column["side"]),
        wanted_e8=ints(column["wanted"]),
        loss_e8=ints(column["loss"]),
        lot_e8=ints([LOTS[one.instrument] for one in orders]),
        room_e8=ints(room).reshape(-1, 2),
        account=column["account"],
    ).tolist()


def sales(*wanted_and_loss: tuple[int, int]) -> list[Order]:
    """Sales of the first instrument, each of a bucket of its own."""
    return [
        Order(bucket, f"a{bucket}", 0, -1, wanted, loss)
        for bucket, (wanted, loss) in enumerate(wanted_and_loss)
    ]


@st.composite
def queues(draw):
    """Buckets of one to four orders, in one book."""
    orders = []
    for bucket in range(draw(st.integers(0, 8))):
        account, loss = draw(st.sampled_from("abc")), draw(st.integers(0, 3))
        markets = st.sampled_from([(0, -1), (0, 1), (1, -1), (1, 1)])
        for instrument, side in draw(st.lists(markets, min_size=1, max_size=3, unique=True)):
            lots = LOTS[instrument] * draw(st.integers(1, 9))
            dust = draw(st.sampled_from([lots, lots, lots, 3]))
            orders.append(Order(bucket, account, instrument, side, dust, loss))
    return draw(st.permutations(orders))


ROOMS = st.lists(st.lists(st.integers(-5, 120), min_size=2, max_size=2), min_size=2, max_size=2)


@given(queues(), ROOMS)
def test_it_is_the_twins(orders, room):
    assert paced(orders, room) == slow.granted(orders, LOTS, room)


@given(queues(), ROOMS)
def test_no_room_is_exceeded_but_by_less_than_one_lot(orders, room):
    granted = paced(orders, room)
    total: dict[tuple[int, int], int] = defaultdict(int)
    for one, got in zip(orders, granted, strict=True):
        assert 0 <= got <= one.wanted
        assert got == one.wanted or got % LOTS[one.instrument] == 0
        total[one.instrument, one.side] += got
    for (instrument, side), asked in total.items():
        there = max(room[instrument][side > 0], 0)
        assert asked < there + LOTS[instrument]
        assert asked <= there or there < LOTS[instrument]


@given(queues(), ROOMS)
def test_a_bucket_gets_something_of_all_that_it_wants_or_nothing(orders, room):
    some: dict[int, set[bool]] = defaultdict(set)
    for one, got in zip(orders, paced(orders, room), strict=True):
        some[one.bucket].add(got > 0)
    assert all(len(kinds) == 1 for kinds in some.values())


@given(queues(), ROOMS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(orders, room, shuffler):
    granted = dict(zip(orders, paced(orders, room), strict=True))
    others = list(orders)
    shuffler.shuffle(others)
    assert dict(zip(others, paced(others, room), strict=True)) == granted


def test_the_largest_loss_goes_first_and_ties_go_by_account():
    assert paced(sales((50, 1), (50, 3), (50, 2)), [[80, 0]]) == [0, 50, 30]
    assert paced(sales((50, 1), (50, 1)), [[50, 0]]) == [50, 0]


def test_the_first_in_the_queue_has_a_lot_where_there_is_any_room():
    assert paced(sales((50, 1), (50, 2)), [[3, 0]]) == [0, 10]
    assert paced(sales((50, 1), (50, 2)), [[0, 0]]) == [0, 0]
    assert paced(sales((50, 1), (50, 2)), [[53, 0]]) == [0, 50]


def test_a_book_shrinks_by_one_share_of_all_its_positions():
    orders = [Order(0, "a", 0, -1, 100, 5), Order(0, "a", 1, 1, 40, 5)]
    assert paced(orders, [[50, NO_CAP], [NO_CAP, NO_CAP]]) == [50, 20]
    assert paced(orders, [[0, NO_CAP], [NO_CAP, NO_CAP]]) == [0, 0]


def test_a_cap_is_the_workers_part_of_the_depth_and_none_where_no_depth_is_known():
    depth = ints([[1_000, 0], [3, 10**18]])
    caps = caps_e8(depth, Pace(depth_ppm=250_000), held=2, partitions=4)
    assert caps.tolist() == [[125, NO_CAP], [1, 125 * 10**15]]
    assert (caps_e8(depth, Pace(depth_ppm=0), held=1, partitions=1) == NO_CAP).all()


@given(st.integers(1, 10**18), st.integers(1, 4_000_000), st.integers(1, 64))
def test_what_all_workers_may_ask_for_is_no_more_than_the_share(depth, ppm, partitions):
    pace = Pace(depth_ppm=ppm)
    each = int(caps_e8(ints([depth]), pace, held=1, partitions=partitions)[0])
    whole = int(caps_e8(ints([depth]), pace, held=partitions, partitions=partitions)[0])
    assert whole == max(depth * ppm // 10**6, 1)
    assert each == 1 or each * partitions <= whole


@pytest.mark.parametrize(
    ("changes", "message"), [({"window_ms": 0}, "window_ms 0"), ({"depth_ppm": -1}, "depth_ppm -1")]
)
def test_a_pace_that_is_none_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Pace(**changes)


def test_the_result_has_the_shape_of_the_orders():
    assert np.array_equal(paced([], [[0, 0]]), [])
