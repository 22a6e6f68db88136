"""A loss is borne by the account, then the fund, then everyone; never by someone out of turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.bankruptcy import Fund, Loss, split
from risk.liquidation.restoring import Token

TOKEN = Token(1.8, 2.2)
tenths = st.integers(0, 500).map(lambda n: n / 10)
signed = st.integers(-500, 500).map(lambda n: n / 10)
losses = st.builds(Loss, st.integers(1, 500).map(lambda n: n / 10), tenths, tenths)
funds = st.builds(Fund, st.integers(0, 30), st.sampled_from([0.5, 1.0, 1.5]))


@given(losses, signed, signed, funds)
def test_every_part_stays_within_its_limit_and_the_loss(loss, balance, other, fund):
    borne = split(loss, balance, other, TOKEN, fund)
    parts = borne.settled, borne.insured, borne.socialised
    assert min(parts) >= 0
    assert sum(parts) <= loss.amount + 1e-9
    assert borne.settled <= min(loss.settleable, loss.transferable)
    assert borne.settled + borne.insured <= loss.transferable + 1e-9
    assert borne.insured <= borne.units * fund.unit_value + 1e-9
    assert borne.units <= fund.units
    assert not borne.socialised or borne.units == fund.units


@given(losses, signed, signed, funds)
def test_what_others_bear_never_lifts_health_above_zero(loss, balance, other, fund):
    """Settling moves a loss from one place of the account to another and changes nothing."""
    before = TOKEN.health(balance - loss.amount) + other
    borne = split(loss, balance, other, TOKEN, fund)
    borne_by_others = borne.insured + borne.socialised
    after = TOKEN.health(balance - loss.amount + borne_by_others) + other
    assert before - 1e-9 <= after <= max(before, 0) + 1e-9
    if borne.socialised > 1e-9:
        whole = TOKEN.health(balance - borne.settled) + other
        assert after == pytest.approx(min(0, whole), abs=1e-6)


def test_the_account_pays_first():
    borne = split(Loss(50, 100, 10), 40, -36, TOKEN, Fund(6, 1.5))
    assert (borne.settled, borne.insured, borne.socialised) == (10, 0, 0)


def test_a_liquidator_who_takes_little_does_not_cause_a_socialised_loss():
    limited = split(Loss(50, 0, 3), 40, -36, TOKEN, Fund(6, 1.5))
    assert (limited.insured, limited.units, limited.socialised) == (3, 2, 0)
    willing = split(Loss(50, 0, 100), 40, -36, TOKEN, Fund(6, 1.5))
    assert (willing.insured, willing.units) == (9, 6)
    assert willing.socialised == pytest.approx(21)


def test_a_profit_is_refused():
    with pytest.raises(ValueError, match="0 is not a loss"):
        split(Loss(0, 1, 1), 1, 1, TOKEN, Fund(1, 1))
