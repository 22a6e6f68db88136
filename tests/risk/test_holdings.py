"""Step tables refuse what is no table, and the margin state knows its edges."""

import numpy as np
import pytest

from risk.holdings import MarginState, StepTable, Tiers
from schemas.units import E8, PPM
from tests.risk.books import ints


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([(1, 10)], "first floor is 1, it must be 0"),
        ([(0, 10), (5, 20), (5, 30)], "floor 5 follows 5, floors must ascend"),
        ([(0, 10), (7, 20), (5, 30)], "floor 5 follows 7, floors must ascend"),
        ([(0, -1)], "rate -1 ppm is outside 0..1000000"),
        ([(0, PPM + 1)], "rate 1000001 ppm is outside 0..1000000"),
        ([(0, 20), (5, 10)], "rate 10 ppm follows 20, rates must not decrease"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_with_value_and_rule(table, message):
    with pytest.raises(ValueError, match=message):
        StepTable.of([[(0, 1)], table])
    with pytest.raises(ValueError, match=message):
        Tiers.of([[(floor, rate, rate) for floor, rate in table]], [PPM])


def test_tiers_refuse_maintenance_above_initial_and_scalars_that_do_not_fit():
    with pytest.raises(ValueError, match="maintenance rate 11 ppm is above the initial 10 ppm"):
        Tiers.of([[(0, 10, 11)]], [PPM])
    with pytest.raises(ValueError, match="scalar -1 ppm"):
        Tiers.of([[(0, 10, 5)]], [-1])
    with pytest.raises(ValueError, match="scalar 100000001 ppm"):
        Tiers.of([[(0, 10, 5)]], [100 * PPM + 1])
    with pytest.raises(ValueError, match="0 scalars for 1 tables"):
        Tiers.of([[(0, 10, 5)]], [])


def test_tiers_refuse_what_is_no_reading_of_them():
    table = [(0, 10, 5)]
    refused = {
        "method 'cube' is none of marginal, whole, sqrt": {"method": ["cube"]},
        "size factor 5 ppb is for method sqrt, not for whole": {
            "method": ["whole"], "size_factor_ppb": [(5, 5)]
        },
        "size factors 4 and 5 ppb": {"method": ["sqrt"], "size_factor_ppb": [(4, 5)]},
        "fee 1000001 ppm is outside": {"fee_ppm": [PPM + 1]},
        "open interest -1 ppm is outside": {"open_interest_ppm": [-1]},
        "2 fees for 1 tables": {"fee_ppm": [1, 2]},
    }  # fmt: skip
    for message, reading in refused.items():
        with pytest.raises(ValueError, match=message):
            Tiers.of([table], [PPM], **reading)


def test_effective_rates_above_four_times_the_notional_are_refused():
    assert Tiers.of([[(0, PPM, PPM)]], [4 * PPM]).initial.rate_ppb.tolist() == [[4 * 10**9]]
    with pytest.raises(ValueError, match="effective rate 4000004000 ppb is above 4000000000"):
        Tiers.of([[(0, PPM, PPM)]], [4 * PPM + 4])
    with pytest.raises(ValueError, match="effective rate"):
        Tiers.of([[(0, PPM, 0)]], [4 * PPM], fee_ppm=[1])


def test_deductions_are_the_published_maintenance_amounts():
    table = [(0, 4_000), (50_000 * E8, 5_000), (250_000 * E8, 10_000), (1_000_000 * E8, 25_000)]
    steps = StepTable.of([table])
    assert steps.cum_e8.tolist() == [[0, 50 * E8, 1_300 * E8, 16_300 * E8]]
    assert not steps.cum_rest_ppb.any()


def test_an_empty_table_is_not_known():
    assert StepTable.of([[], [(0, 5)]]).known.tolist() == [False, True]
    assert Tiers.of([[], [(0, 5, 5)]], [PPM, PPM]).known.tolist() == [False, True]
    assert StepTable.of([]).known.tolist() == []


EDGES = {
    "equity > maintenance: not liquidatable": (11, 10, False, False, 1.1),
    "equity = maintenance: not liquidatable": (10, 10, False, False, 1.0),
    "equity < maintenance: liquidatable": (9, 10, True, False, 0.9),
    "equity = 0: not bankrupt": (0, 10, True, False, 0.0),
    "equity < 0: bankrupt": (-1, 10, True, True, -0.1),
    "maintenance = 0, equity > 0: nothing to close": (5, 0, False, False, np.inf),
    "maintenance = 0, equity = 0: nothing to close": (0, 0, False, False, np.inf),
    "maintenance = 0, equity < 0: a debt, nothing to close": (-5, 0, False, True, -np.inf),
}


@pytest.mark.parametrize("relation", EDGES)
def test_margin_state_at(relation):
    equity, maintenance, liquidatable, bankrupt, health = EDGES[relation]
    state = MarginState(
        ints([equity]), ints([2 * maintenance]), ints([maintenance]), ints([equity])
    )
    assert state.liquidatable().tolist() == [liquidatable]
    assert state.bankrupt().tolist() == [bankrupt]
    assert state.health().tolist() == [health]
    assert state.shortfall_maintenance_e8().tolist() == [max(maintenance - equity, 0)]
    assert state.shortfall_initial_e8().tolist() == [max(2 * maintenance - equity, 0)]
