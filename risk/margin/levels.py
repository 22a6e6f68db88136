"""The levels of margin: what a position requires, where a bucket stands, what moves between them.

Money is int64 at 1e-8; risk factors and volatilities are float64. Sources: Vega for the levels,
their scaling and the transfers; the warning and the call by health are ours.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from risk.liquidation.stages import health_level
from risk.margin.weights import Number, portion_e8, rounded_up_e8
from schemas.units import E8, PPM, Floats, Int64s, multiply_e8

MAX_SCALING_PPM = 9 * PPM


class Standing(IntEnum):
    """Where a bucket stands, from the lowest to the highest."""

    BANKRUPT = 0  # equity below 0; without a requirement it is a debt, and nothing to close
    LIQUIDATABLE = 1  # below maintenance
    CALLED = 2  # below the search level, or below the call health
    WARNED = 3  # below the warning health
    REDUCE_ONLY = 4  # below initial: may not open
    OPEN = 5  # may open
    EXCESS = 6  # above release: the excess may leave


@dataclass(frozen=True, slots=True)
class RiskFactors:
    """Requirement per unit of notional, by side, and slippage of a close-out; float64, broadcast.

    Slippage of V contracts = price x (linear |V| + quadratic V^2).
    """

    long: Number
    short: Number
    linear_slippage: Number = 0.0
    quadratic_slippage: Number = 0.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """The levels above maintenance, in ppm of it.

    Raises ValueError where they do not ascend within 1e6..9e6.
    """

    search_ppm: int = 1_100_000
    initial_ppm: int = 1_500_000
    release_ppm: int = 1_700_000

    def __post_init__(self) -> None:
        if not PPM <= self.search_ppm <= self.initial_ppm <= self.release_ppm <= MAX_SCALING_PPM:
            raise ValueError(
                f"search {self.search_ppm}, initial {self.initial_ppm} and release "
                f"{self.release_ppm} ppm must ascend within 1e6..9e6"
            )


@dataclass(frozen=True, slots=True)
class MarginLevels:
    """The levels of each bucket, int64 [N] each."""

    maintenance_e8: Int64s
    search_e8: Int64s
    initial_e8: Int64s
    release_e8: Int64s


def log_normal_factors(
    volatility: Number, years: Number, tail: Number, *, drift: Number = 0.0
) -> RiskFactors:
    """Expected shortfall of a log-normal price at level `tail`, per unit of notional.

    `volatility` a year, `years` the time to close out, `tail` such as 1e-6: the mean loss of the
    worst such share of outcomes. With s = volatility x sqrt(years):
    long 1 - g Phi(z - s) / tail, short g Phi(z + s) / tail - 1, z = Phi^-1(tail),
    g = exp(drift x years).
    """
    spread = np.multiply(volatility, np.sqrt(years))
    quantile, growth = ndtri(tail), np.exp(np.multiply(drift, years))
    return RiskFactors(
        1 - growth * ndtr(quantile - spread) / tail, growth * ndtr(quantile + spread) / tail - 1
    )


def maintenance_margin_e8(
    quantity_e8: Int64s,
    bids_e8: Int64s,
    asks_e8: Int64s,
    *,
    price_e8: Int64s,
    factors: RiskFactors,
) -> Int64s:
    """The larger of what the long and the short side require, [P] int64, rounded up once.

    A side counts where its orders could leave the position on it. It requires the risk factor on
    position and orders, and on the position, which is what a close-out trades, slippage as well.
    Quantities in units of the underlying, `bids_e8` and `asks_e8` what is open on either side.
    """
    volume = quantity_e8 / E8
    held = np.abs(volume) * maintenance_rate(volume, factors)
    long = np.where(volume > 0, held, 0) + factors.long * (bids_e8 / E8)
    short = np.where(volume < 0, held, 0) + factors.short * (asks_e8 / E8)
    worse = np.maximum(
        np.where(quantity_e8 + bids_e8 > 0, long, 0), np.where(quantity_e8 - asks_e8 < 0, short, 0)
    )
    return rounded_up_e8(worse * price_e8)


def maintenance_rate(volume: Floats, factors: RiskFactors) -> Floats:
    """What a position of signed volume requires per unit of notional [P], float64."""
    factor = np.where(volume < 0, factors.short, factors.long)
    return factor + factors.linear_slippage + factors.quadratic_slippage * np.abs(volume)


def funding_addition_e8(quantity_e8: Int64s, payment_e8: Int64s, factor_ppm: int) -> Int64s:
    """What funding owed so far adds to maintenance, [P] int64, rounded up; never negative.

    `payment_e8` [P] per unit of the underlying, positive where longs pay.
    """
    owed_e8, fits = multiply_e8(quantity_e8, payment_e8)
    if not fits.all():
        raise OverflowError(f"row {int(np.argmin(fits))}: funding is beyond 9,999,999,999.99999999")
    return -portion_e8(-owed_e8.clip(min=0), factor_ppm)


def scaled_levels(maintenance_e8: Int64s, scaling: Scaling) -> MarginLevels:
    """All levels from maintenance [N], each rounded down to 1e-8, exact."""
    return MarginLevels(
        maintenance_e8,
        portion_e8(maintenance_e8, scaling.search_ppm),
        portion_e8(maintenance_e8, scaling.initial_ppm),
        portion_e8(maintenance_e8, scaling.release_ppm),
    )


def standing(
    equity_e8: Int64s,
    levels: MarginLevels,
    *,
    warning_health_ppm: int = 1_500_000,
    call_health_ppm: int = 1_200_000,
) -> NDArray[np.int8]:
    """`Standing` of each bucket [N]: the lowest that applies, in integers.

    Equity = a level is not below it. Without maintenance margin nothing is ever liquidatable.
    """
    maintenance_e8 = levels.maintenance_e8
    called = equity_e8 < np.maximum(levels.search_e8, health_level(maintenance_e8, call_health_ppm))
    lines = [
        (equity_e8 < 0, Standing.BANKRUPT),
        (equity_e8 < maintenance_e8, Standing.LIQUIDATABLE),
        (called, Standing.CALLED),
        (equity_e8 < health_level(maintenance_e8, warning_health_ppm), Standing.WARNED),
        (equity_e8 < levels.initial_e8, Standing.REDUCE_ONLY),
        (equity_e8 <= levels.release_e8, Standing.OPEN),
    ]
    conditions = [condition for condition, _ in lines]
    return np.select(conditions, [np.int8(stands) for _, stands in lines], np.int8(Standing.EXCESS))


def transfer_to_initial_e8(
    balance_e8: Int64s, available_e8: Int64s, levels: MarginLevels
) -> Int64s:
    """What moves into a bucket [N], negative where it leaves; otherwise 0.

    Below search: up to initial, as far as the rest of the account has it (`available_e8`); a
    balance that stays below maintenance is to be closed out. Above release: down to initial.
    """
    missing = levels.initial_e8 - balance_e8
    top_up = np.minimum(missing, available_e8.clip(min=0))
    settled = np.where(balance_e8 > levels.release_e8, missing, 0)
    return np.where(balance_e8 < levels.search_e8, top_up, settled)


def withdrawable_e8(equity_e8: Int64s, initial_e8: Int64s, reserve_e8: Int64s) -> Int64s:
    """What may leave [N]: equity above initial margin and a reserve for the cost of liquidation."""
    return (equity_e8 - initial_e8 - reserve_e8).clip(min=0)


def entry_margin_e8(cost_e8: Int64s, factor_ppm: Int64s) -> Int64s:
    """Margin an isolated position is given: factor x notional at entry [P], rounded down.

    Less its balance: what switching to isolated mode moves in, or out where it is negative.
    """
    return portion_e8(np.abs(cost_e8), factor_ppm)


def released_e8(
    balance_e8: Int64s,
    quantity_e8: Int64s,
    closed_e8: Int64s,
    *,
    mark_e8: Int64s,
    trade_price_e8: Int64s,
) -> Int64s:
    """Margin an isolated position gives back when part of it closes [P] int64, rounded down.

    The balance is carried from the mark to the trade price first, then released pro rata:
    (balance + quantity x (trade price - mark)) x closed / |quantity|, never negative.
    `closed_e8` positive, at most |quantity|; quantities in units of the underlying.
    """
    moved_e8, fits = multiply_e8(quantity_e8, trade_price_e8 - mark_e8)
    if not fits.all():
        raise OverflowError(f"row {int(np.argmin(fits))}: profit is beyond 9,999,999,999.99999999")
    # Python's integers: the product needs 120 bits.
    marked = (balance_e8 + moved_e8).clip(min=0).astype(object)
    released: Int64s = (marked * closed_e8 // np.abs(quantity_e8)).astype(np.int64)
    return released
