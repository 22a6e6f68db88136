"""Evaluation of whole books: independent of order and company, and equal to a clerk's."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.evaluation import (
    Book,
    Evaluation,
    Kind,
    Market,
    evaluate,
)
from risk.holdings import Terms
from risk.margin import buckets
from risk.scenario_rule import TailRule
from schemas.units import E8
from streams.state.profiles import load_profile
from tests.reference.evaluation import requirement
from tests.risk.books import books, holdings_of, ints, rules_of
from tests.risk.desks import Asset, Desk, Listed
from tests.risk.random_desks import DEFAULT, KINDS, LISTED, PROFILES, desk, desks


def rows_of(found: Evaluation, bucket: int) -> list[Any]:
    """All that is said of one bucket."""
    said = [getattr(found.state, name)[bucket] for name in found.state.__slots__]
    greeks = found.greeks
    if greeks is not None:
        of = greeks.bucket == bucket
        names = greeks.__slots__[1:]
        said += np.stack([getattr(greeks, name)[of] for name in names]).T.tolist()
    return [*said, found.worst[bucket]]


@settings(deadline=None, max_examples=60)
@given(desks(PROFILES), st.randoms(use_true_random=False))
def test_no_result_depends_on_the_order_of_rows(book: Desk, random: Any) -> None:
    order = list(range(len(book.positions)))
    random.shuffle(order)
    shuffled = book.with_(
        positions=[book.positions[row] for row in order], balances=book.balances[::-1]
    )
    first, second = book.evaluate(), shuffled.evaluate()
    for bucket in range(len(KINDS)):
        assert rows_of(first, bucket) == rows_of(second, bucket)
    for name in first.positions.__slots__:
        column = getattr(first.positions, name)[np.array(order, np.int64)]
        assert (column == getattr(second.positions, name)).all()


@settings(deadline=None, max_examples=60)
@given(desks(PROFILES))
def test_no_result_depends_on_which_other_buckets_are_in_the_call(book: Desk) -> None:
    together = book.evaluate()
    for bucket in range(len(KINDS)):
        alone = book.with_(
            kinds=[KINDS[bucket]],
            positions=[(0, *row[1:]) for row in book.positions if row[0] == bucket],
            balances=[(0, *row[1:]) for row in book.balances if row[0] == bucket],
            orders=book.orders and [(0, *row[1:]) for row in book.orders if row[0] == bucket],
        ).evaluate()
        assert rows_of(alone, 0) == rows_of(together, bucket)
        own = [place for place, row in enumerate(book.positions) if row[0] == bucket]
        for name in together.positions.__slots__:
            assert (getattr(together.positions, name)[own] == getattr(alone.positions, name)).all()


def test_offsets_among_many_underlyings_do_not_depend_on_other_buckets() -> None:
    random = np.random.default_rng(5)
    listed = {f"U{row}": Listed(float(random.integers(1, 50_000))) for row in range(24)}
    held = [
        (bucket, name, round(float(amount), 4), None)
        for bucket in range(40)
        for name, amount in zip(listed, random.normal(0, 3, 24), strict=True)
        if random.random() < bucket / 40
    ]
    kinds = [Kind.PORTFOLIO] * 40
    together = desk(listed=listed, assets={"USD": Asset()}, kinds=kinds, positions=held).evaluate()
    for bucket in range(40):
        alone = desk(
            listed=listed,
            assets={"USD": Asset()},
            kinds=kinds[:1],
            positions=[(0, *row[1:]) for row in held if row[0] == bucket],
        ).evaluate()
        assert rows_of(alone, 0) == rows_of(together, bucket)


@settings(deadline=None, max_examples=60)
@given(desks())
def test_every_bucket_requires_what_a_clerk_works_out(book: Desk) -> None:
    state = book.with_(orders=None).evaluate().state
    for bucket in range(len(KINDS)):
        # An inverse value is rounded to 1e-8 of a coin before it is priced.
        initial, maintenance = requirement(book, bucket)
        assert state.initial_margin_e8[bucket] / E8 == pytest.approx(initial, rel=1e-9, abs=2e-5)
        found = state.maintenance_margin_e8[bucket] / E8
        assert found == pytest.approx(maintenance, rel=1e-9, abs=2e-5)


@settings(deadline=None, max_examples=60)
@given(desks(PROFILES))
def test_positions_share_exactly_what_their_bucket_requires(book: Desk) -> None:
    found = book.with_(orders=None).evaluate()
    bucket = book.book().positions.bucket
    for name in ("initial_margin_e8", "maintenance_margin_e8"):
        total = np.zeros(len(KINDS), np.int64)
        np.add.at(total, bucket, getattr(found.positions, name))
        holding = np.isin(np.arange(len(KINDS)), bucket)
        assert (total == getattr(found.state, name))[holding].all()
        assert (getattr(found.positions, name) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(desks(PROFILES))
def test_orders_raise_the_initial_margin_and_nothing_else(book: Desk) -> None:
    without, found = book.with_(orders=None).evaluate(), book.evaluate()
    assert (found.state.initial_margin_e8 >= without.state.initial_margin_e8).all()
    for name in ("equity_e8", "maintenance_margin_e8", "initial_equity_e8"):
        assert (getattr(found.state, name) == getattr(without.state, name)).all()


@settings(deadline=None)
@given(books())
def test_without_options_and_portfolios_it_is_the_tiers(book: Any) -> None:
    """By `default`; as `risk.margin.buckets` has it, whatever the rules."""
    positions, balances = holdings_of(book)
    rules, instruments = rules_of(book), len(book.contracts)
    nothing = ints([0] * instruments)
    market = Market(ints(book.marks), nothing, np.full(instruments, np.nan), 0)
    terms = Terms(np.arange(instruments), nothing, nothing, nothing)
    kind = ints([Kind.CROSS] * book.size)
    try:
        expected = buckets.evaluate(positions, balances, ints(book.marks), rules, book.size)
    except OverflowError as error:
        with pytest.raises(OverflowError, match=str(error)):
            evaluate(Book(positions, balances, kind), market, rules, terms, DEFAULT)
        return
    found = evaluate(Book(positions, balances, kind), market, rules, terms, DEFAULT)
    for was, now in zip(expected, (found.state, found.positions), strict=True):
        for name in was.__slots__:
            assert (getattr(was, name) == getattr(now, name)).all()
    assert found.greeks is None


def test_what_is_paid_for_is_never_called_for() -> None:
    """A bought option is in the equity; half of its value is required, so health is 2."""
    found = desk(positions=[(0, "BTC-C", 1, None)], balances=[(0, "USD", 2400)]).evaluate()
    assert found.state.equity_e8[0] == 2400 * E8
    assert found.state.maintenance_margin_e8[0] == 1200 * E8
    assert found.state.initial_margin_e8[0] == 2400 * E8


def test_orders_that_only_reduce_add_nothing_and_others_add_what_they_open() -> None:
    reducing = desk(positions=[(0, "BTC", 1, None)], orders=[(0, "BTC", 0, 2, 1)])
    assert reducing.evaluate().state.initial_margin_e8[0] == 1_200 * E8
    turning = desk(positions=[(0, "BTC", 1, None)], orders=[(0, "BTC", 0, 3, 1)])
    assert turning.evaluate().state.initial_margin_e8[0] == 2_400 * E8
    adding = desk(positions=[(0, "BTC", 1, None)], orders=[(0, "BTC", 1, 0, 1)])
    assert adding.evaluate().state.initial_margin_e8[0] == 2_400 * E8


def test_a_sold_option_that_waits_is_margined_as_if_filled() -> None:
    waiting = desk(orders=[(0, "BTC-C", 0, 1, 1), (2, "BTC-C", 0, 1, 1)]).evaluate().state
    filled = desk(positions=[(0, "BTC-C", -1, None), (2, "BTC-C", -1, None)]).evaluate().state
    for bucket in (0, 2):
        # The premium is in the equity of the one, and in the margin of the other.
        assert waiting.initial_margin_e8[bucket] == filled.initial_margin_e8[bucket]
        assert waiting.maintenance_margin_e8[bucket] == 0


def test_greeks_are_sums_by_bucket_and_underlying() -> None:
    held = [
        (2, "BTC", 2, None),
        (2, "BTC-I", 600, None),
        (2, "ETH-C", -1, None),
        (3, "SOL", 5, None),
    ]
    greeks = desk(positions=held).evaluate().greeks
    assert greeks is not None
    names = list(LISTED)
    found = [names[row] for row in greeks.underlying.tolist()]
    assert list(zip(greeks.bucket.tolist(), found, strict=True)) == [
        (2, "BTC"), (2, "ETH"), (3, "SOL"),
    ]  # fmt: skip
    assert greeks.delta[0] == pytest.approx(2 + 600 * 100 / 60_000)
    assert greeks.delta[1] < 0
    assert greeks.vega[1] < 0 < greeks.theta[1]
    assert greeks.gamma.tolist()[2] == 0


def test_a_hedge_across_underlyings_counts_as_far_as_the_profile_lets_it() -> None:
    def maintenance(*held: tuple[str, float]) -> int:
        rows = [(2, name, quantity, None) for name, quantity in held]
        return int(desk(positions=rows).evaluate().state.maintenance_margin_e8[2])

    long, short = maintenance(("BTC", 1.0)), maintenance(("ETH", -20.0))
    both = maintenance(("BTC", 1.0), ("ETH", -20.0))
    assert abs(long - short) < both < long + short


def test_the_historical_tail_is_the_requirement_where_it_is_worse() -> None:
    days = np.zeros((40, len(LISTED)))
    days[7, 0] = -0.6
    profile = replace(
        DEFAULT, portfolio=replace(DEFAULT.portfolio, tail=TailRule(975_000, shortfall=True))
    )
    found = desk(profile=profile, moves=days, positions=[(2, "BTC", 1, None)]).evaluate()
    # The mean of the worst 2.5% of 40 days is the worst day.
    assert found.state.maintenance_margin_e8[2] == round(0.8 * 0.6 * 60_000 * E8)
    assert found.worst[2] == -2
    assert profile.scenario_name(-2) == "historical days"


def test_a_holding_without_a_rule_is_refused_by_name() -> None:
    linear = load_profile("binance-usdm")
    sold = desk(profile=linear, positions=[(1, "BTC-C", -1, None)])
    with pytest.raises(
        ValueError, match="bucket row 1: profile 'binance-usdm' has no rule for opt"
    ):
        sold.evaluate()
    with pytest.raises(ValueError, match=r"bucket row 2: .* has no rule for portfolios"):
        desk(profile=linear, positions=[(2, "BTC", 1, None)]).evaluate()


def test_an_option_whose_underlying_has_no_mark_is_refused() -> None:
    listed = LISTED | {"BTC": replace(LISTED["BTC"], mark=0.0), "BTC-F": LISTED["ETH"]}
    with pytest.raises(ValueError, match="row 0 has no mark"):
        desk(listed=listed, positions=[(0, "BTC-C", -1, None)]).evaluate()
