"""Initial and maintenance margin as a piecewise-linear function of notional.

The marginal method of Binance, Bybit and Hyperliquid: MM = N x mmr_k - cum_k, k the tier of N.
"""

import numpy as np

from risk.holdings import Bools, StepTable, Tiers
from risk.margin import steps
from schemas.units import LIMIT_E8, PPM, Floats, Int64s


def requirement(
    notional_e8: Int64s, instrument: Int64s, tiers: Tiers
) -> tuple[Int64s, Int64s, Bools]:
    """Initial and maintenance margin of each notional >= 0, and whether both fit.

    (N x rate_k - cum_k) x scalar, exact, rounded up to the unit of 1e-8 at the very end; the tier k
    of N is the last whose floor is <= N. 0 for an instrument whose table is not known.
    """
    step = steps.level(notional_e8, instrument, tiers.initial)
    scalar = tiers.scalar_ppm[instrument]
    initial, initial_fits = _scaled_up(notional_e8, instrument, step, tiers.initial, scalar)
    maintenance, fits = _scaled_up(notional_e8, instrument, step, tiers.maintenance, scalar)
    return initial, maintenance, initial_fits & fits


def maintenance_rate(notional_e8: Int64s, instrument: Int64s, tiers: Tiers) -> Floats:
    """Marginal maintenance rate at each notional: the rate of its tier x scalar, a fraction."""
    step = steps.level(notional_e8, instrument, tiers.maintenance)
    rate_ppm = tiers.maintenance.rate_ppm[instrument, step]
    return rate_ppm / PPM * (tiers.scalar_ppm[instrument] / PPM)


def _scaled_up(
    amount_e8: Int64s, subject: Int64s, step: Int64s, table: StepTable, scalar_ppm: Int64s
) -> tuple[Int64s, Bools]:
    whole, rest = steps.charge(amount_e8, subject, step, table)
    fits = whole * (scalar_ppm / PPM) < LIMIT_E8 * (1 - 1e-12)
    whole = np.where(fits, whole, 0)
    high, low = np.divmod(whole, PPM)
    carried, low = np.divmod(low * scalar_ppm, PPM)
    last = -(-(low * PPM + rest * scalar_ppm) // PPM**2)
    return high * scalar_ppm + carried + last, fits
