"""Revaluation of each instrument under each scenario, once, whoever holds it."""

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import ArrayLike

from risk.holdings import Bools
from risk.pricing import black76
from risk.scenarios.grid import SKEWS, ScenarioSet, SkewShock, VolatilityMove, VolatilityShock
from schemas.units import Floats, Int64s

DAYS_A_YEAR = 365.0
KNOT_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class PricedContracts:
    """What is needed to value one contract of each instrument, now and shocked."""

    forward: Floats  # [I] price of a future or perpetual, forward of an option's expiry
    side: Int64s  # [I] 1 call, -1 put, 0 no option
    strike: Floats  # [I] not read where there is no option, as the next three
    years: Floats  # [I] to expiry
    volatility: Floats  # [I]
    discount: Floats  # [I]
    inverse: Bools  # [I] True: paid in the underlying coin
    multiplier: Floats  # [I] units of the underlying (linear), of quote (inverse future) a contract
    fixed: Floats  # [I] the part of the forward that is already averaged and moves no more

    @staticmethod
    def of(
        forward: ArrayLike,
        *,
        side: ArrayLike = 0,
        strike: ArrayLike = 0.0,
        years: ArrayLike = 0.0,
        volatility: ArrayLike = 0.0,
        discount: ArrayLike = 1.0,
        inverse: ArrayLike = False,
        multiplier: ArrayLike = 1.0,
        fixed: ArrayLike = 0.0,
    ) -> "PricedContracts":
        """Contracts from columns, or from numbers that hold for all of them.

        Raises ValueError where a forward is not positive or a number is not finite.
        """
        price = np.atleast_1d(np.asarray(forward, np.float64))
        floats = [
            np.broadcast_to(np.asarray(column, np.float64), price.shape)
            for column in (strike, years, volatility, discount, multiplier, fixed)
        ]
        for column in (price, *floats):
            if not np.isfinite(column).all():
                raise ValueError(f"{column} must be finite numbers")
        if (price <= 0).any():
            raise ValueError(f"forward {price.min()} must be positive")
        sides = np.broadcast_to(np.asarray(side, np.int64), price.shape)
        paid_in_coin = np.broadcast_to(np.asarray(inverse, np.bool_), price.shape)
        strikes, tenors, volatilities, discounts, multipliers, fixed_parts = floats
        return PricedContracts(
            forward=price,
            side=sides,
            strike=strikes,
            years=tenors,
            volatility=volatilities,
            discount=discounts,
            inverse=paid_in_coin,
            multiplier=multipliers,
            fixed=fixed_parts,
        )

    def __len__(self) -> int:
        return len(self.forward)


def forward_price(spot: float, annual_basis: float, years: float) -> float:
    """spot x exp(basis x years)."""
    return spot * exp(annual_basis * years)


def settled_part(forward: Floats, seconds: Floats, window_s: float) -> Floats:
    """The part of each forward that is fixed once the average it settles at has begun.

    The last `window_s` seconds are averaged: at `seconds` to expiry the share 1 - seconds / window
    of the average is known.
    """
    if not window_s:
        return np.zeros_like(forward)
    return forward * np.clip(1 - seconds / window_s, 0, 1)


def tenor_multipliers(days: ArrayLike, shock: VolatilityShock) -> tuple[Floats, Floats]:
    """What a volatility is multiplied by when it moves up, and down, by days to expiry.

    up   1 + up x (30 / days)^p
    down max(0, 1 - down x (30 / days)^p),  p = short_power to 30 days, long_power beyond,
    days at least `floor_days` (Deribit, Paradex and Derive publish this form).
    """
    tenor = np.asarray(days, np.float64)
    power = np.where(tenor <= KNOT_DAYS, shock.short_power, shock.long_power)
    scale = (KNOT_DAYS / np.maximum(tenor, shock.floor_days)) ** power
    return 1 + shock.up * scale, np.maximum(0, 1 - shock.down * scale)


def shocked_volatility(
    volatility: Floats, days: Floats, move: VolatilityMove, shock: VolatilityShock
) -> Floats:
    """Volatilities after a move up or down; upwards they come to `least_up` at least.

    Where the shock is absolute, up and down are points, and tenor does not matter.
    """
    if move == VolatilityMove.NONE:
        return volatility
    up, down = tenor_multipliers(days, shock)
    if move == VolatilityMove.UP:
        raised = volatility + shock.up if shock.absolute else volatility * up
        return np.maximum(shock.least_up, raised)
    return np.maximum(0, volatility - shock.down) if shock.absolute else volatility * down


def skew_multiplier(
    log_moneyness: Floats, years: Floats, move: VolatilityMove, skew: SkewShock
) -> Floats:
    """What a volatility is multiplied by when the skew turns, by k = ln(strike / forward).

    1 + clip(k x cap / width, +-cap): `linear` takes k, `absolute` |k|;
    cap = c + slope x sqrt(years), width = w x sqrt(years) x (v + v' x sqrt(years)), bounded below.
    Never below 0 (Derive, portfolio margin version 2).
    """
    root = np.sqrt(years)
    linear = move == VolatilityMove.LINEAR
    cap = (skew.linear_cap if linear else skew.absolute_cap) + root * (
        skew.linear_slope if linear else skew.absolute_slope
    )
    width = np.maximum(
        max(skew.least_width, 1e-12),
        root * skew.width * (skew.volatility + root * skew.volatility_slope),
    )
    k = log_moneyness if linear else np.abs(log_moneyness)
    change = k * cap / width
    change = np.where(k >= 0, np.minimum(cap, change), np.maximum(-cap, change))
    return np.maximum(0, 1 + change)


def unit_profit(
    contracts: PricedContracts, scenarios: ScenarioSet, *, spot_range: ArrayLike | None = None
) -> Floats:
    """Change of the value of one contract of each instrument under each scenario [I, S].

    Parameters: `spot_range`, a number or [I], replaces the range of the set where it differs from
    underlying to underlying.

    In the quote currency, or in the coin where the contract is inverse (`in_quote` turns it).
    Options are revalued in full: forward moved with the spot, volatility moved by its tenor.
    Weights are not applied: `unit_profit * scenarios.weight` is what the scan takes.
    """
    shocked = shocked_values(contracts, scenarios, spot_range=spot_range)
    return shocked - value(contracts)[:, None]


def shocked_values(
    contracts: PricedContracts, scenarios: ScenarioSet, *, spot_range: ArrayLike | None = None
) -> Floats:
    """Value of one contract of each instrument under each scenario [I, S], as `unit_profit`."""
    extent = np.asarray(scenarios.spot_range if spot_range is None else spot_range, np.float64)
    moves = np.multiply.outer(np.broadcast_to(extent, contracts.forward.shape), scenarios.spot)
    years = np.maximum(0, contracts.years - scenarios.days_forward / DAYS_A_YEAR)
    volatility = np.empty(moves.shape)
    days = contracts.years * DAYS_A_YEAR
    option = contracts.side != 0
    strike = np.where(option, contracts.strike, contracts.forward)
    for column, move in enumerate(VolatilityMove(code) for code in scenarios.volatility):
        if move in SKEWS:
            k = np.log(strike / contracts.forward)
            turned = skew_multiplier(k, contracts.years, move, scenarios.skew_shock)
            volatility[:, column] = contracts.volatility * turned
        else:
            volatility[:, column] = shocked_volatility(
                contracts.volatility, days, move, scenarios.volatility_shock
            )
    return _value(contracts, moves, years, volatility)


def unit_profit_of_moves(contracts: PricedContracts, moves: Floats, underlying: Int64s) -> Floats:
    """The same under joint moves of all underlyings [I, D], volatilities as they are.

    Parameters: `moves` [D, U] relative moves, a day a row (`tail.filtered_moves` makes them);
    `underlying` [I] the column of each instrument.
    """
    own = moves.T[underlying]
    volatility = np.broadcast_to(contracts.volatility[:, None], own.shape)
    return _value(contracts, own, contracts.years, volatility) - value(contracts)[:, None]


def in_quote(profit: Floats, contracts: PricedContracts, moves: Floats) -> Floats:
    """Profits [I, S] of inverse contracts in the quote currency, at the coin's shocked price.

    `moves` [S] or [I, S]: relative moves of the spot. Linear contracts stay as they are.
    """
    price = _moved(contracts, np.broadcast_to(moves, profit.shape))
    return np.where(contracts.inverse[:, None], profit * price, profit)


def value(contracts: PricedContracts) -> Floats:
    """Value of one contract of each instrument now [I], as `unit_profit` counts it."""
    still = np.zeros((len(contracts), 1))
    return _value(contracts, still, contracts.years, contracts.volatility[:, None])[:, 0]


def _moved(contracts: PricedContracts, moves: Floats) -> Floats:
    """Forwards under moves [I, S]; no price falls below a billionth of what it was."""
    forward, fixed = contracts.forward[:, None], contracts.fixed[:, None]
    return np.maximum((forward - fixed) * (1 + moves) + fixed, 1e-9 * forward)


def _value(contracts: PricedContracts, moves: Floats, years: Floats, volatility: Floats) -> Floats:
    forward = _moved(contracts, moves)
    inverse = contracts.inverse[:, None]
    with np.errstate(over="ignore"):
        unit = np.where(inverse, -1 / forward, forward)
    option = np.flatnonzero(contracts.side)
    if len(option):
        premium = black76.price(
            forward[option],
            contracts.strike[option, None],
            years[option, None],
            volatility[option],
            contracts.side[option, None] == 1,
            discount=contracts.discount[option, None],
        )
        unit[option] = np.where(inverse[option], premium / forward[option], premium)
    return contracts.multiplier[:, None] * unit
