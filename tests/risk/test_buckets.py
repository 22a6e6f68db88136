"""Buckets are evaluated as the twin does it, in any order, and refuse what does not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.holdings import Balances, Positions
from risk.margin.buckets import evaluate
from schemas.units import E8, PPM
from tests.reference import margin as slow
from tests.risk.books import book, books, holdings_of, ints, rows, rules_of, run


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
    assert rows(run(book())[0]) == [(0, 0, 0)]
    assert rows(run(book(positions=[(0, 0, 0, 0)]))[0]) == [(0, 0, 0)]
    # One unit of quantity at 100 is worth 1e-6; margins round up to the unit.
    assert rows(run(book(positions=[(0, 0, 1, 100)]))[0]) == [(0, 2, 1)]
    # Dust: worth less than a unit, so it requires nothing.
    dust = book(marks=[10_000], positions=[(0, 0, 1, 0)])
    assert rows(run(dust)[0]) == [(0, 0, 0)]
    most = 9_999_999_999 * E8
    assert rows(run(book(balances=[(0, 0, most)]))[0]) == [(most, 0, 0)]


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
    moved = sample._replace(
        positions=[(2, *row[1:]) for row in sample.positions],
        balances=[(2, *row[1:]) for row in sample.balances],
        size=4,
    )
    with pytest.raises(OverflowError, match=f"bucket row 2: {what} "):
        run(moved)


def test_a_mark_of_zero_on_an_inverse_contract_does_not_fit():
    with pytest.raises(OverflowError, match="bucket row 0: value of a position"):
        run(book(contracts=[(True, E8, 0)], marks=[0], positions=[(0, 0, E8, 0)]))


def test_thousands_of_positions_agree_with_the_twin():
    random = np.random.default_rng(7)
    count, size = 4_000, 300
    sample = book(
        contracts=[(False, E8, 0), (True, 100 * E8, 1)],
        marks=[60_000 * E8, 60_000 * E8],
        tiers=[[(0, 20_000, 10_000), (10**13, 50_000, 25_000)], [(0, 30_000, 15_000)]],
        scalars=[PPM, 1_234_567],
        prices=[E8, 60_000 * E8],
        borrow_weights=[0, 100_000],
        haircuts=[[], [(0, 20_000), (10**14, 70_000)]],
        positions=np.column_stack(
            (
                random.integers(0, size, count),
                random.integers(0, 2, count),
                random.integers(-(10**9), 10**9, count),
                random.integers(-(10**9), 10**9, count),
            )
        ).tolist(),
        balances=np.column_stack(
            (
                random.integers(0, size, count),
                random.integers(0, 2, count),
                random.integers(-(10**12), 10**12, count),
            )
        ).tolist(),
        size=size,
    )
    margin, state = run(sample)
    assert (rows(margin), rows(state)) == slow.evaluate(sample)


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
