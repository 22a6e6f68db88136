"""Amounts of buckets are exact at every magnitude, and noticed where 64 bits do not hold them."""

import numpy as np
import pytest

from risk.holdings import Assets, Balances, Contracts, Positions, Rules, StepTable, Tiers
from risk.margin.buckets import evaluate
from risk.valuation import contract_value
from schemas.units import E8, multiply_e8
from tests.reference import margin as slow
from tests.reference.margin import Reading
from tests.risk.books import book, rows, run


def test_amounts_whose_sum_leaves_64_bits_are_noticed_and_cancel_out():
    most = 9_999_999_999 * E8
    for count in (19, 37):  # 19 of them wrap around once, 37 twice
        with pytest.raises(OverflowError, match="bucket row 0: net balance of an asset"):
            run(book(balances=[(0, 0, most)] * count))
    there_and_back = [(0, 0, most)] * 19 + [(0, 0, -most)] * 19 + [(0, 0, 7)]
    assert run(book(balances=there_and_back))[0].equity_e8.tolist() == [7]


def test_values_and_margins_are_exact_at_every_magnitude():
    """One position a bucket, of any size between one unit and what does not fit."""
    random = np.random.default_rng(3)
    count = 20_000

    def any_size(top: float) -> np.ndarray:
        return np.exp(random.uniform(0, np.log(top), count)).astype(np.int64)

    inverse, multiplier, marks = random.random(count) < 0.5, any_size(1e10), any_size(1e17)
    quantity, prices = any_size(1e17) * random.choice([-1, 1], count), any_size(1e11)[:50]
    asset = random.integers(0, 50, count)
    value, fits = contract_value(inverse, multiplier, quantity, marks)
    notional, priced = multiply_e8(np.abs(value), prices[asset])
    kept = np.flatnonzero(fits & priced & (notional < 10**17))
    assert len(kept) > 5_000
    place = np.arange(len(kept))
    ones, zeros = np.ones_like(place), np.zeros_like(place)
    table = [(0, 1, 1), (7 * E8, 123_457, 99_991), (10**12, 654_321, 500_000)]
    rules = Rules(
        Contracts(inverse[kept], multiplier[kept], asset[kept], ones, ones),
        Tiers.of([table] * len(place), [1_000_003] * len(place)),
        Assets(prices, zeros[:50], StepTable.of([[]] * 50)),
    )
    positions = Positions(place, place, quantity[kept], zeros)
    nothing = Balances(*[np.zeros(0, np.int64)] * 3)
    _, state = evaluate(positions, nothing, marks[kept], rules, len(place))
    assert state.profit_e8.tolist() == value[kept].tolist()
    assert state.notional_e8.tolist() == notional[kept].tolist()
    for got, column in ((state.initial_margin_e8, 1), (state.maintenance_margin_e8, 2)):
        steps = [(row[0], row[column]) for row in table]
        assert got.tolist() == [
            slow.requirement(n, 0, steps, Reading(1_000_003), initial=column == 1)
            for n in notional[kept].tolist()
        ]


def test_halves_round_away_from_zero_at_every_magnitude():
    held = [side * (10**power + unit) for power in range(17) for unit in (0, 1) for side in (1, -1)]
    for inverse, mark in ((False, E8 // 2), (True, 2 * E8)):
        positions = [(bucket, 0, quantity, 0) for bucket, quantity in enumerate(held)]
        sample = book(contracts=[(inverse, E8, 0)], marks=[mark], positions=positions, size=68)
        assert (rows(run(sample)[0]), rows(run(sample)[1])) == slow.evaluate(sample)
