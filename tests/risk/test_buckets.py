"""Buckets are evaluated as the twin does it, in any order, and refuse what does not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import Balances, Positions
from risk.margin import buckets
from risk.margin.buckets import evaluate
from schemas.units import E8, PPM
from tests.reference import margin as slow
from tests.risk.books import book, books, crowd, holdings_of, ints, rows, rules_of, run


@given(books())
def test_evaluate_is_the_twins(sample):
    margin, state = run(sample)
    expected_margin, expected_state = slow.evaluate(sample)
    assert rows(margin) == expected_margin
    assert rows(state) == expected_state


@given(books(), st.randoms())
def test_the_order_of_rows_does_not_matter(sample, random):
    positions, balances = sample.positions[:], sample.balances[:]
    random.shuffle(positions)
    random.shuffle(balances)
    shuffled = sample._replace(positions=positions, balances=balances)
    assert rows(run(shuffled)[0]) == rows(run(sample)[0])


@given(books(), st.integers(-(10**12), 10**12))
def test_splitting_a_balance_into_rows_changes_nothing(sample, part):
    pieces = [
        piece
        for bucket, asset, amount in sample.balances
        for piece in ((bucket, asset, part), (bucket, asset, amount - part))
    ]
    assert rows(run(sample._replace(balances=pieces))[0]) == rows(run(sample)[0])


@given(books())
def test_a_bucket_does_not_see_its_neighbours(sample):
    whole, _ = run(sample)
    for bucket in range(sample.size):
        alone = sample._replace(
            positions=[row for row in sample.positions if row[0] == bucket],
            balances=[row for row in sample.balances if row[0] == bucket],
        )
        assert rows(run(alone)[0])[bucket] == rows(whole)[bucket]


def test_zero_one_unit_and_ten_billion():
    assert rows(run(book())[0]) == [(0, 0, 0, 0)]
    assert rows(run(book(positions=[(0, 0, 0, 0)]))[0]) == [(0, 0, 0, 0)]
    # One unit of quantity at 100 is worth 1e-6; margins round up to the unit.
    assert rows(run(book(positions=[(0, 0, 1, 100)]))[0]) == [(0, 2, 1, 0)]
    # Dust: worth less than a unit, so it requires nothing.
    dust = book(marks=[10_000], positions=[(0, 0, 1, 0)])
    assert rows(run(dust)[0]) == [(0, 0, 0, 0)]
    most = 9_999_999_999 * E8
    assert rows(run(book(balances=[(0, 0, most)]))[0]) == [(most, 0, 0, most)]


def test_a_loss_meets_the_balance_of_its_own_asset_first():
    # 100 of a coin at 10 with a haircut of 10%, a loss of 40 coins: 60 x 10 x 0.9 count.
    sample = book(
        prices=[10 * E8],
        haircuts=[[(0, 100_000)]],
        borrow_weights=[PPM],
        positions=[(0, 0, E8, 140 * E8)],
        balances=[(0, 0, 100 * E8)],
    )
    assert run(sample)[0].equity_e8.tolist() == [540 * E8]


def test_a_profit_in_one_asset_does_not_hide_a_debt_in_another():
    sample = book(
        prices=[E8, 2 * E8],
        borrow_weights=[0, 500_000],
        haircuts=[[], [(0, 100_000)]],
        positions=[(0, 0, E8, 0)],
        balances=[(0, 1, -10 * E8)],
    )
    # 100 profit, a debt of 20 weighing 30.
    assert run(sample)[0].equity_e8.tolist() == [70 * E8]


def test_cross_pools_what_isolated_buckets_keep_apart():
    legs = [(E8, 110 * E8), (-E8, -110 * E8)]
    cross = book(
        positions=[(0, 0, quantity, cost) for quantity, cost in legs], balances=[(0, 0, 5 * E8)]
    )
    isolated = book(
        positions=[(row, 0, quantity, cost) for row, (quantity, cost) in enumerate(legs)],
        balances=[(0, 0, 5 * E8)],
        size=2,
    )
    assert run(cross)[0].liquidatable().tolist() == [False]
    assert run(isolated)[0].liquidatable().tolist() == [True, False]
    assert run(isolated)[0].equity_e8.tolist() == [-5 * E8, 10 * E8]


OVERFLOWS = {
    "value of a position": book(positions=[(0, 0, 10**17, 0)]),
    "profit of a position": book(positions=[(0, 0, 9 * 10**15, -2 * 10**17)]),
    "notional of a position": book(prices=[10 * E8], positions=[(0, 0, 2 * 10**15, 0)]),
    "margin of a position": book(
        tiers=[[(0, PPM, PPM)]], scalars=[2 * PPM], positions=[(0, 0, 6 * 10**15, 0)]
    ),
    "net balance of an asset": book(balances=[(0, 0, 6 * 10**17), (0, 0, 6 * 10**17)]),
    "value of an asset": book(prices=[10 * E8], balances=[(0, 0, 2 * 10**17)]),
    "equity": book(
        prices=[E8, E8],
        borrow_weights=[0, 0],
        haircuts=[[], []],
        balances=[(0, 0, 6 * 10**17), (0, 1, 6 * 10**17)],
    ),
    "initial margin": book(
        tiers=[[(0, PPM, 0)]], positions=[(0, 0, 6 * 10**15, 0), (0, 0, -6 * 10**15, 0)]
    ),
}


@pytest.mark.parametrize("what", OVERFLOWS)
def test_an_amount_that_does_not_fit_names_its_bucket(what):
    sample = OVERFLOWS[what]
    # Bucket 3 breaks too, and comes first.
    moved = sample._replace(
        positions=[(place, *row[1:]) for place in (3, 2) for row in sample.positions],
        balances=[(place, *row[1:]) for place in (3, 2) for row in sample.balances],
        size=4,
    )
    with pytest.raises(OverflowError, match=f"bucket row 2: {what} "):
        run(moved)


def test_a_mark_of_zero_on_an_inverse_contract_does_not_fit():
    with pytest.raises(OverflowError, match="bucket row 0: value of a position"):
        run(book(contracts=[(True, E8, 0)], marks=[0], positions=[(0, 0, E8, 0)]))


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_positions_under_every_rule_agree_with_the_twin(seed):
    sample = crowd(seed, positions=4_000, size=300)
    margin, state = run(sample)
    assert (rows(margin), rows(state)) == slow.evaluate(sample)


@pytest.mark.parametrize("least", [0, 10**9])
def test_parts_and_cores_do_not_show_in_the_result(monkeypatch, least):
    """Enough rows to be cut into parts, shared and not; the same in order, bucket by bucket."""
    monkeypatch.setattr(buckets, "WORTH_SHARING", least)
    sample = crowd(7, positions=30_000, size=9_000)
    margin, state = run(sample)
    ordered = sample._replace(
        positions=sorted(sample.positions), balances=sorted(sample.balances, reverse=True)
    )
    assert rows(run(ordered)[0]) == rows(margin)
    paired = zip(sample.positions, rows(state), strict=True)
    again = zip(ordered.positions, rows(run(ordered)[1]), strict=True)
    assert sorted(paired) == sorted(again)
    few = sample._replace(
        positions=[row for row in sample.positions if row[0] < 40],
        balances=[row for row in sample.balances if row[0] < 40],
        size=40,
    )
    assert rows(margin)[:40] == slow.evaluate(few)[0]


def test_many_assets_of_which_each_bucket_has_few():
    """Some that half of the buckets have, some that few have, some that nobody has."""
    base, random = crowd(4, positions=300, size=60), np.random.default_rng(4)
    assets = 40
    paid = [0, 1, 7, 7, 7, 7, 7, 7, 7, 31, 39]
    sample = base._replace(
        contracts=[(inverse, m, asset * 9) for inverse, m, asset in base.contracts],
        prices=(base.prices * assets)[:assets],
        slow_prices=(base.slow_prices * assets)[:assets],
        borrow_weights=(base.borrow_weights * assets)[:assets],
        haircuts=(base.haircuts * assets)[:assets],
        balances=[
            (int(random.integers(60)), paid[k % len(paid)], int(random.integers(-(10**10), 10**11)))
            for k in range(120)
        ],
    )
    margin, state = run(sample)
    assert (rows(margin), rows(state)) == slow.evaluate(sample)


def test_of_a_hedge_both_legs_are_charged_or_the_larger():
    hedge = book(positions=[(0, 0, 5 * E8, 0), (0, 0, -3 * E8, 0), (0, 0, -1 * E8, 0)])
    margin, _ = run(hedge)
    assert margin.initial_margin_e8.tolist() == [18 * E8]
    margin, state = run(hedge._replace(larger_leg=True))
    assert margin.initial_margin_e8.tolist() == [10 * E8]
    assert margin.maintenance_margin_e8.tolist() == [5 * E8]
    assert state.initial_margin_e8.tolist() == [10 * E8, 6 * E8, 2 * E8]


def test_the_initial_equity_counts_at_the_worse_of_two_prices():
    sample = book(
        prices=[10 * E8], slow_prices=[8 * E8], balances=[(0, 0, E8), (1, 0, -E8)], size=2
    )
    margin, _ = run(sample)
    assert margin.equity_e8.tolist() == [10 * E8, -10 * E8]
    assert margin.initial_equity_e8.tolist() == [8 * E8, -10 * E8]
    margin, _ = run(sample._replace(slow_prices=[12 * E8]))
    assert margin.initial_equity_e8.tolist() == [10 * E8, -12 * E8]


def test_profit_counts_for_the_initial_equity_within_its_limits_and_loss_in_full():
    held = [(0, 0, E8, 0), (0, 0, -E8, -60 * E8), (1, 0, E8, 170 * E8)]
    sample = book(positions=held, size=2)  # profits of 100 - 40 in bucket 0, a loss of 70 in 1
    for limit, counts in {(PPM, 10**18): 60, (500_000, 10**18): 30, (500_000, 7 * E8): 7}.items():
        margin, _ = run(sample._replace(profit_limits=[limit]))
        assert margin.equity_e8.tolist() == [60 * E8, -70 * E8]
        assert margin.initial_equity_e8.tolist() == [counts * E8, -70 * E8]
        assert margin.shortfall_initial_e8()[0] == max(4 - counts, 0) * E8


def test_without_such_rules_the_initial_equity_is_the_equity():
    margin, _ = run(crowd(1, positions=50, size=5)._replace(slow_prices=None, profit_limits=None))
    assert margin.initial_equity_e8.tolist() == margin.equity_e8.tolist()


@pytest.mark.parametrize("rule", [{}, {"slow_prices": None, "profit_limits": None}])
def test_states_that_are_done_with_take_the_next_ones(rule):
    before, after = crowd(1, positions=200, size=30), crowd(2, positions=200, size=30)
    for first in (before, before._replace(slow_prices=None, profit_limits=None)):
        sample = after._replace(**rule)
        held, rules = holdings_of(sample), rules_of(sample)
        states = evaluate(*held, ints(sample.marks), rules, 30, into=run(first))
        assert tuple(rows(state) for state in states) == slow.evaluate(sample)
    with pytest.raises(ValueError, match="states of 200 positions and 30 buckets cannot take"):
        evaluate(*held, ints(sample.marks), rules, 31, into=run(before))


@pytest.mark.parametrize(
    "wrong",
    [
        {"positions": [(0, 1, E8, 0)]},
        {"positions": [(0, -1, E8, 0)]},
        {"positions": [(1, 0, E8, 0)]},
        {"positions": [(0, 0, E8, 0), (-1, 0, E8, 0)]},
        {"balances": [(0, 1, E8)]},
        {"balances": [(1, 0, E8)]},
    ],
)
def test_a_row_of_nothing_known_is_refused(wrong):
    with pytest.raises(IndexError):
        run(book(**wrong))


def test_the_inputs_are_left_as_they_were():
    sample = book(positions=[(0, 0, E8, 5)], balances=[(0, 0, 7)])
    positions, balances = holdings_of(sample)
    marks, rules = ints(sample.marks), rules_of(sample)
    evaluate(positions, balances, marks, rules, 1)
    again_positions, again_balances = holdings_of(sample)
    for name in Positions.__slots__:
        assert (getattr(positions, name) == getattr(again_positions, name)).all()
    for name in Balances.__slots__:
        assert (getattr(balances, name) == getattr(again_balances, name)).all()
    assert marks.tolist() == sample.marks
