"""Initial and maintenance margin of a notional, by its tier.

Marginal, as Binance, Bybit and Hyperliquid: MM = N x mmr_k - cum_k, k the tier of N; whole, as OKX:
MM = N x mmr_k; by the root of the size, as Drift: MM = N x max(mmr, 0.8 mmr + k sqrt(size)).
"""

import numpy as np

from risk.holdings import Bools, Tiers
from risk.margin import columns, steps
from risk.margin.rows import require
from risk.tables import PPB
from schemas.units import LIMIT_E8, Floats, Int64s


def requirement(
    notional_e8: Int64s, instrument: Int64s, tiers: Tiers, size_e8: Int64s | None = None
) -> tuple[Int64s, Int64s, Bools]:
    """Initial and maintenance margin of each notional >= 0, and whether both fit.

    N x rate_k - cum_k at the effective rates, exact, rounded up to the unit of 1e-8 once; the tier
    k of N is the last whose floor is <= N. 0 for an instrument whose table is not known, and where
    it does not fit. `size_e8` [N], in units of the base, is what the method `sqrt` looks at.

    Raises ValueError where an instrument needs sizes and none are given.
    """
    if size_e8 is None:
        if tiers.initial_factor_ppb[instrument].any():
            raise ValueError("the margin method sqrt needs size_e8, the sizes in units of the base")
        size_e8 = np.zeros(len(notional_e8), np.int64)
    initial_e8, maintenance_e8 = result = tuple(np.empty((2, len(notional_e8)), np.int64))
    plain, of_tiers = columns.plain, columns.tiers(tiers)
    tables = columns.first(of_tiers), of_tiers, columns.premiums(tiers)
    require(plain(notional_e8), plain(size_e8), plain(instrument), tables, result)
    fits = initial_e8 <= LIMIT_E8  # no maintenance rate is above its initial rate
    return initial_e8 * fits, maintenance_e8 * fits, fits


def maintenance_rate(notional_e8: Int64s, instrument: Int64s, tiers: Tiers) -> Floats:
    """Effective maintenance rate of the tier of each notional, a fraction, before a size premium.

    By the marginal method it is what one more unit of notional requires.
    """
    step = steps.level(notional_e8, instrument, tiers.maintenance)
    return tiers.maintenance.rate_ppb[instrument, step] / PPB
