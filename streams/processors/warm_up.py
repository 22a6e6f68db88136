"""Loads the compiled kernels: the first decision must not wait for them."""

import numpy as np

from risk.evaluation import Book, Kind, Market, evaluate, liquidation_prices
from risk.holdings import Assets, Balances, Contracts, Positions, StepTable, Terms, Tiers
from risk.profile import Profile
from schemas.block import Int64s
from schemas.units import E8, PPM

SHARED = 25_000
"""Positions of which the cores share the work."""
MONTH_US = 30 * 86_400 * 1_000_000
PERPETUAL, CALL = 0, 1


def warm_up(profile: Profile) -> None:
    """Evaluate a small book and a large one, with a perpetual, and a call and a portfolio where
    the profile has rules for them."""
    held = [PERPETUAL, CALL] if profile.options else [PERPETUAL]
    _evaluate(profile, _ints(*held), Kind.CROSS)
    _evaluate(profile, np.zeros(SHARED, np.int64), Kind.CROSS)
    if profile.portfolio:
        _evaluate(profile, _ints(PERPETUAL, CALL), Kind.PORTFOLIO)
        _evaluate(profile, np.zeros(SHARED, np.int64), Kind.PORTFOLIO)


def _evaluate(profile: Profile, instrument: Int64s, kind: Kind) -> None:
    none, one = np.zeros_like(instrument), np.ones_like(instrument)
    positions = Positions(none, instrument, one * E8, one * E8)
    book = Book(positions, Balances(_ints(0), _ints(0), _ints(E8)), _ints(kind))
    market = Market(_ints(100 * E8, E8), _ints(0, 0), np.array([np.nan, 0.5]), 0)
    contracts = Contracts(
        np.zeros(2, np.bool_), _ints(E8, E8), _ints(0, 0), _ints(1, 1), _ints(1, 1)
    )
    tiers = Tiers.of([[(0, 10_000, 5_000)], []], [PPM, PPM])
    assets = Assets(_ints(E8), _ints(0), StepTable.of([[]]))
    rules = profile.rules(contracts, tiers, assets)
    terms = Terms(_ints(0, 0), _ints(0, 1), _ints(0, 100 * E8), _ints(0, MONTH_US))
    evaluation = evaluate(book, market, rules, terms, profile)
    liquidation_prices(book, market, rules, terms, profile, evaluation=evaluation, searched=False)


def _ints(*values: int) -> Int64s:
    return np.array(values, np.int64)
