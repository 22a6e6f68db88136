"""What a liquidation is expected to cost beyond the account's equity, per unit of notional."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from risk.margin.weights import Number
from risk.pricing.black76 import price
from schemas.units import Floats


@dataclass(frozen=True, slots=True)
class BadDebt:
    """Expected bad debt of a long and of a short position, and the chances of any."""

    long: Floats
    short: Floats
    chance_long: Floats
    chance_short: Floats


def expected_bad_debt(
    equity_ratio: Number, cost: Number, volatility: Number, years: Number
) -> BadDebt:
    """Expected bad debt when a liquidation starts with equity / notional and ends after a time.

    long E[((1 - e + c) - X)+], short E[(X - (1 + e - c))+], with e the equity ratio, c the cost as
    a share of the notional and X the log-normal price at the end over that at the start, mean 1:
    options on X. `volatility` a year. Arguments broadcast.
    """
    lower = np.asarray(1 - np.subtract(equity_ratio, cost))
    upper = np.asarray(1 + np.subtract(equity_ratio, cost))
    spread = np.multiply(volatility, np.sqrt(years))
    return BadDebt(
        price(1.0, lower, years, volatility, False),
        price(1.0, upper, years, volatility, True),
        np.asarray(ndtr(np.log(lower) / spread + spread / 2)),
        np.asarray(ndtr(-np.log(upper) / spread - spread / 2)),
    )
