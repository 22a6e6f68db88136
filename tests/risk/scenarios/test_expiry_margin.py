"""Portfolio margin by expiry against the clerk, for many accounts at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.margin.expiry_margin import (
    NO_EXPIRY,
    ExpiryBook,
    ExpiryMargin,
    ExpiryRule,
    expiry_margin,
)
from risk.scenarios.grid import ScenarioSet, parameters
from risk.scenarios.shock import PricedContracts
from schemas.units import E8
from tests.reference.expiry_margin import Account, Expiry, requirements
from tests.risk.scenarios.test_grid import preset

TABLES = preset("derive-pmrm2")
GRID = TABLES["scenarios"].pop("grid")
TABLES["scenarios"]["scenario"] += [
    {"spot": spot, "volatility": move} for spot in GRID["spot"] for move in GRID["volatility"]
]
TABLES["expiry_margin"]["settlement_s"] = 0
SCENARIOS = ScenarioSet.of(TABLES["scenarios"])
RULE = parameters(ExpiryRule, TABLES["expiry_margin"])

# A perpetual, two collaterals, then options of two expiries: (expiry, strike, call, volatility).
SPOT = 2_000.0
EXPIRIES = [(0.02, 2_010.0, 0.1, 0.9), (0.6, 2_100.0, 0.04, 0.4)]
PERPETUAL = (2_001.0, 0.5)
COLLATERAL = [(2_050.0, 0.95, True, 0.03, 0.01), (1.01, 0.3, False, 0.02, 0.03)]
OPTIONS = [
    (0, 2_000.0, True, 0.6), (0, 2_000.0, False, 0.6), (0, 2_600.0, True, 0.8),
    (1, 1_500.0, False, 0.7), (1, 2_000.0, True, 0.65), (1, 4_000.0, True, 0.75),
]  # fmt: skip
LAST = 2 + len(OPTIONS)


def book() -> ExpiryBook:
    at = [EXPIRIES[row] for row, *_ in OPTIONS]
    plain = [0.0] * 3
    contracts = PricedContracts.of(
        [PERPETUAL[0], *(row[0] for row in COLLATERAL), *(row[1] for row in at)],
        side=[0, 0, 0, *(1 if call else -1 for _, _, call, _ in OPTIONS)],
        strike=plain + [strike for _, strike, _, _ in OPTIONS],
        years=plain + [row[0] for row in at],
        volatility=plain + [volatility for *_, volatility in OPTIONS],
    )
    others = [False] * len(OPTIONS)
    return ExpiryBook(
        contracts,
        np.array([NO_EXPIRY] * 3 + [row for row, *_ in OPTIONS]),
        np.array(plain + [row[2] for row in at]),
        np.array([PERPETUAL[1], *(row[1] for row in COLLATERAL), *(row[3] for row in at)]),
        np.full(3 + len(OPTIONS), SPOT),
        np.array([False, True, True, *others]),
        np.array([False, True, False, *others]),
        np.array([0.0, *(row[3] for row in COLLATERAL), *others]),
        np.array([0.0, *(row[4] for row in COLLATERAL), *others]),
    )


def margin(
    held: list[tuple[int, int, int]], confidence: list[float], stable: float = 1.0
) -> ExpiryMargin:
    positions = tuple(np.array(held, np.int64).reshape(-1, 3).T)
    return expiry_margin(
        positions,
        book(),
        SCENARIOS,
        RULE,
        spot_confidence=np.array(confidence),
        stable_price=stable,
    )


def account(held: list[tuple[int, int, int]], owner: int, confidence: float) -> Account:
    own = [(row, quantity / E8) for bucket, row, quantity in held if bucket == owner]
    expiries = [
        Expiry(
            *EXPIRIES[place],
            [
                (*OPTIONS[row - 3][1:], quantity)
                for row, quantity in own
                if row >= 3 and OPTIONS[row - 3][0] == place
            ],
        )
        for place in range(len(EXPIRIES))
    ]
    perpetuals = [(PERPETUAL[0], quantity, PERPETUAL[1]) for row, quantity in own if row == 0]
    collateral = [
        (price, quantity, *rest)
        for row, quantity in own
        if 0 < row < 3
        for price, *rest in [COLLATERAL[row - 1]]
    ]
    return Account(SPOT, confidence, expiries, perpetuals, collateral)


def quantities(row: int) -> st.SearchStrategy[int]:
    return st.integers(1 if row in (1, 2) else -(10**10), 10**10)


HELD = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, LAST)).flatmap(
        lambda at: quantities(at[1]).map(lambda quantity: (*at, quantity))
    ),
    max_size=12,
    unique_by=lambda row: row[:2],
)
CONFIDENCE = st.lists(st.sampled_from([1.0, 0.54, 0.2]), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(held=HELD, confidence=CONFIDENCE, stable=st.sampled_from([1.0, 0.9]))
def test_requirements_agree_with_the_clerk(
    held: list[tuple[int, int, int]], confidence: list[float], stable: float
) -> None:
    found = margin(held, confidence, stable)
    for owner in range(3):
        maintenance, initial = requirements(account(held, owner, confidence[owner]), TABLES, stable)
        assert found.maintenance_margin_e8[owner] / E8 == pytest.approx(maintenance, 1e-8, 2e-8)
        assert found.initial_margin_e8[owner] / E8 == pytest.approx(initial, 1e-8, 2e-8)


@settings(max_examples=40, deadline=None)
@given(held=HELD, confidence=CONFIDENCE, seed=st.randoms(use_true_random=False))
def test_neither_order_nor_other_accounts_matter(
    held: list[tuple[int, int, int]], confidence: list[float], seed
) -> None:
    shuffled = list(held)
    seed.shuffle(shuffled)
    found, again = margin(held, confidence), margin(shuffled, confidence)
    for name in ExpiryMargin.__slots__:
        assert getattr(found, name).tolist() == getattr(again, name).tolist()
    own = margin([(0, *row[1:]) for row in held if row[0] == 1], confidence[1:2])
    assert own.maintenance_margin_e8[0] == found.maintenance_margin_e8[1]
    assert own.initial_margin_e8[0] == found.initial_margin_e8[1]


def test_an_empty_account_requires_nothing() -> None:
    found = margin([], [1.0, 0.1])
    assert found.maintenance_margin_e8.tolist() == found.initial_margin_e8.tolist() == [0, 0]


def test_the_basis_charge_is_named_after_the_last_scenario() -> None:
    rule = parameters(ExpiryRule, TABLES["expiry_margin"] | {"basis_base": 100.0})
    positions = tuple(np.array([[0], [3], [-E8]]))
    found = expiry_margin(positions, book(), SCENARIOS, rule, spot_confidence=np.ones(1))
    assert found.worst.tolist() == [len(SCENARIOS)]
    assert found.maintenance_margin_e8[0] / E8 >= -0.8 * found.basis[0]


def test_a_settled_option_moves_no_more() -> None:
    rule = parameters(ExpiryRule, TABLES["expiry_margin"] | {"settlement_s": 1e9})
    positions = tuple(np.array([[0], [4], [-E8]]))
    fixed = expiry_margin(positions, book(), SCENARIOS, rule, spot_confidence=np.ones(1))
    free = margin([(0, 4, -E8)], [1.0])
    assert fixed.maintenance_margin_e8[0] < free.maintenance_margin_e8[0]


def test_a_requirement_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError, match="row 1"):
        margin([(1, 0, 10**16), (1, 1, 10**17)], [1.0, 0.1], 0.5)
