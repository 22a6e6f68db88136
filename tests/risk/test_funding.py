"""Longs pay shorts, at every stamp they are open for."""

import numpy as np

from risk.funding import paid_while_open, payments
from tests.risk.books import ints


def test_longs_pay_shorts_a_positive_rate_of_their_notional():
    quantity, value = np.array([10.0, -10.0]), np.array([20.0, -20.0])
    assert payments(quantity, value, np.array(0.0002)).tolist() == [0.004, -0.004]
    assert payments(quantity, value, np.array(-0.0002)).tolist() == [-0.004, 0.004]


def test_of_an_inverse_contract_the_long_pays_too_although_its_value_is_negative():
    assert payments(np.array([100.0]), np.array([-0.002]), np.array(0.001)).tolist() == [2e-6]


def test_both_ends_of_holding_count():
    paid = paid_while_open(
        np.array([[1.0, 10.0, 100.0]]),
        ints([0, 8, 16]),
        ints([0, 1, 0, 9]),
        ints([8, 16, 7, 15]),
    )
    assert paid.tolist() == [11, 110, 1, 0]
