"""Expected bad debt against a plain sum over outcomes."""

import numpy as np
import pytest
from scipy.special import ndtri

from risk.liquidation.bad_debt import expected_bad_debt

OUTCOMES = ndtri((np.arange(400_000) + 0.5) / 400_000)


@pytest.mark.parametrize(("equity", "cost", "years"), [(0.02, 0.001, 0.002), (0.001, 0.003, 0.001)])
def test_bad_debt_is_the_mean_of_what_the_price_moved_beyond_the_equity(equity, cost, years):
    spread = 0.8 * np.sqrt(years)
    moved = np.exp(spread * OUTCOMES - spread**2 / 2)
    found = expected_bad_debt(equity, cost, 0.8, years)
    long, short = 1 - equity + cost - moved, moved - (1 + equity - cost)
    assert found.long == pytest.approx(long.clip(0).mean(), rel=1e-3)
    assert found.short == pytest.approx(short.clip(0).mean(), rel=1e-3)
    assert found.chance_long == pytest.approx((long > 0).mean(), rel=1e-3)
    assert found.chance_short == pytest.approx((short > 0).mean(), rel=1e-3)
