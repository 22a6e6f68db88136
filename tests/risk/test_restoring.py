"""Closing and settling restore health, take no more than that needs, and lose only the fees."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.restoring import Holding, Perpetual, Token, restored
from tests.reference import health as slow

tenths = st.integers(-400, 400).map(lambda n: n / 10)
tokens = st.builds(Token, st.sampled_from([0.8, 1.0]), st.sampled_from([1.0, 1.3]))
perpetuals = st.builds(
    Perpetual,
    st.sampled_from([1.0, 2.5]),
    st.sampled_from([0.5, 0.8]),
    st.sampled_from([1.2, 1.5]),
    st.sampled_from([0.0, 0.5, 0.7]),
    st.sampled_from([0.0, 0.05]),
    st.sampled_from([0.0, 0.25]),
)
holdings = st.builds(Holding, tenths, st.integers(-60, 60), tenths)


def health(held: Holding, other: float, token: Token, perpetual: Perpetual) -> float:
    """The slow twin's, with what all else adds as a token of its own."""
    price = Fraction(1)
    settled = slow.Token(price, price, Fraction(token.asset_value), Fraction(token.liability_value))
    plain = slow.Token(price, price, price, price)
    lot = Fraction(perpetual.lot_value)
    base = slow.Token(
        lot, lot, Fraction(perpetual.asset_weight), Fraction(perpetual.liability_weight)
    )
    position = slow.Perpetual(
        0,
        Fraction(held.lots),
        Fraction(held.quote),
        Fraction(0),
        Fraction(0),
        base,
        Fraction(perpetual.profit_weight),
    )
    balances = [(0, Fraction(held.balance)), (1, Fraction(other))]
    return float(slow.health([settled, plain], balances, [position], []))


@given(holdings, tenths, tokens, perpetuals, st.tuples(st.integers(0, 80), st.integers(0, 80)))
def test_health_rises_to_zero_or_to_a_limit_and_no_further(held, other, token, perpetual, limits):
    most_lots, most_settled = limits
    after = restored(
        held,
        other,
        token=token,
        perpetual=perpetual,
        most_lots=most_lots,
        most_settled=most_settled,
    )
    before = health(held, other, token, perpetual)
    end = health(after, other, token, perpetual)
    closed = abs(held.lots) - abs(after.lots)
    assert end >= before - 1e-9
    assert 0 <= closed <= most_lots
    assert after.lots * held.lots >= 0
    if before >= 0:
        assert after == held
    # The overshoot is less than what one lot frees.
    a_lot = perpetual.lot_value * token.liability_value
    assert end <= max(before, 0) + a_lot
    if end < -1e-6 and perpetual.profit_weight:
        assert closed == min(abs(held.lots), most_lots)


@given(holdings, tenths, tokens, perpetuals)
def test_only_the_fees_are_lost(held, other, token, perpetual):
    after = restored(held, other, token=token, perpetual=perpetual, most_lots=100, most_settled=100)
    closed = abs(held.lots - after.lots)
    value = closed * perpetual.lot_value
    bought = (after.lots - held.lots) * perpetual.lot_value
    settled = held.quote - bought - value * perpetual.fee - after.quote
    assert -1e-9 <= settled <= 100
    gained = after.balance - held.balance
    assert gained == pytest.approx(settled * (1 - perpetual.settlement_fee), abs=1e-9)


@given(tokens, tenths, st.integers(1, 400).map(lambda n: n / 10))
def test_what_may_leave_or_join_a_balance_moves_health_by_exactly_that(token, balance, health):
    left = token.health(balance - token.takeable(health, balance))
    assert token.health(balance) - left == pytest.approx(health)
    joined = token.health(balance + token.givable(-health, balance))
    assert joined - token.health(balance) == pytest.approx(health)
    assert token.takeable(-health, balance) == token.givable(health, balance) == 0


def test_profit_that_counts_for_nothing_is_settled_and_only_then_closed():
    perpetual = Perpetual(1, 0.5, 1.5, 0.0)
    plain = Token(1, 1)
    held = Holding(-25, 20, 10)
    kept = restored(held, 0, token=plain, perpetual=perpetual, most_lots=99, most_settled=0)
    assert kept == held
    whole = restored(held, 0, token=plain, perpetual=perpetual, most_lots=99, most_settled=99)
    assert whole == Holding(0, 10, -5)


def test_slack_leaves_a_shortfall_that_does_not_matter():
    perpetual, plain = Perpetual(1, 0.5, 1.5, 0.5), Token(1, 1)
    held = Holding(-10.3, 20, 10)
    limits = {"token": plain, "perpetual": perpetual, "most_lots": 20, "most_settled": 0}
    assert restored(held, 0, **limits, slack=0.5) == held
    assert restored(held, 0, **limits) == Holding(-10.3, 18, 12)
