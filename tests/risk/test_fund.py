"""The fund: what it may lose in a window, and how much of its book that carries."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation import fund
from schemas.units import LIMIT_E8, PPM
from tests.reference import waterfall as slow
from tests.risk.books import ints

amounts = st.integers(0, LIMIT_E8)
signed = st.integers(-LIMIT_E8, LIMIT_E8)


@given(signed, signed, amounts, amounts)
def test_a_loss_takes_as_much_of_the_allowance(equity, start, cap, loss):
    allowance = fund.allowance_e8(equity, start, cap)
    assert fund.allowance_e8(equity - loss, start, cap) == allowance - loss


def test_the_allowance_is_the_cap_as_far_as_the_fund_has_it():
    assert fund.allowance_e8(1_000, 1_000, 300) == 300
    assert fund.allowance_e8(900, 1_000, 300) == 200
    assert fund.allowance_e8(650, 1_000, 300) == -50
    assert fund.allowance_e8(1_100, 1_000, 300) == 400
    assert fund.allowance_e8(200, 200, 300) == 200


@given(signed, amounts, st.integers(0, 5 * PPM))
def test_the_share_is_the_least_that_the_allowance_carries(allowance, margin, carry):
    share = Fraction(*fund.excess_share(allowance, margin, carry))
    assert share == slow.excess_share(allowance, margin, Fraction(carry, PPM))
    assert 0 <= share <= 1
    if allowance > 0:
        assert allowance >= Fraction(carry, PPM) * margin * (1 - share)


def test_all_or_nothing_at_the_ends():
    assert fund.excess_share(0, 100, PPM) == fund.ALL
    assert fund.excess_share(-1, 0, 0) == fund.ALL
    assert fund.excess_share(100, 100, PPM) == fund.NONE
    assert fund.excess_share(50, 100, PPM) == (50 * PPM, 100 * PPM)


@given(
    st.lists(st.tuples(signed, st.integers(1, 10**12)), max_size=5),
    amounts,
    st.integers(1, LIMIT_E8),
)
def test_shedding_is_its_slow_twin(rows, numerator, denominator):
    share = min(numerator, denominator), denominator
    held, lots = ints([row[0] for row in rows]), ints([row[1] for row in rows])
    found = fund.shed_e8(held, share, lots).tolist()
    assert found == [slow.shed(quantity, Fraction(*share), lot) for quantity, lot in rows]


def test_shedding_rounds_up_to_lots_and_never_beyond_the_position():
    held, lots = ints([100, -100, 7, 0]), ints([10, 30, 10, 1])
    assert fund.shed_e8(held, (1, 3), lots).tolist() == [40, 60, 7, 0]
    assert fund.shed_e8(held, fund.NONE, lots).tolist() == [0, 0, 0, 0]
    assert fund.shed_e8(held, fund.ALL, lots).tolist() == [100, 100, 7, 0]
