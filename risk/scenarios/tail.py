"""Tails of historical joint scenarios: value at risk and expected shortfall, in integers."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from risk.margin.portfolio import scenario_profits
from risk.scenarios.offsets import aggregate, components
from schemas.units import PPM, Floats, Int64s

CELLS = 4_000_000
"""Profits held at a time: the rest of memory stays free for a large book."""


def filtered_moves(returns: Floats, volatility: Floats, today: Floats) -> Floats:
    """Each day's joint move as it would be at today's volatility [D, U].

    Parameters: `returns` [D, U] relative moves of all underlyings, `volatility` [D, U] what was
    forecast for each day from the days before it, `today` [U]. A day keeps its own dependence
    between underlyings (filtered historical simulation; Barone-Adesi 1999).

    Raises ValueError where a volatility is not positive.
    """
    if not (volatility > 0).all():
        day, underlying = np.argwhere(~(volatility > 0))[0]
        raise ValueError(
            f"day {day}, underlying {underlying}: volatility {volatility[day, underlying]} must be"
            " positive"
        )
    return returns / volatility * today


def rank(days: int, level_ppm: int) -> int:
    """Which largest loss is the value at risk: floor((n + 1)(1 - level)).

    It is exceeded with a probability of at most 1 - level. Raises ValueError where there are too
    few days for the level.
    """
    place = (days + 1) * (PPM - level_ppm) // PPM
    if place < 1:
        least = -(-PPM // (PPM - level_ppm)) - 1 if level_ppm < PPM else "infinitely many"
        raise ValueError(f"{days} days are too few for a level of {level_ppm} ppm, {least} needed")
    return place


def value_at_risk(loss_e8: Int64s, level_ppm: int) -> Int64s:
    """The `rank`-th largest loss of each row [N] of losses [N, D]."""
    place = rank(loss_e8.shape[1], level_ppm)
    return np.partition(loss_e8, -place, axis=1)[:, -place]


def expected_shortfall(loss_e8: Int64s, level_ppm: int) -> Int64s:
    """Mean of the worst 1 - level of each row [N] of losses [N, D], rounded up.

    The loss at the edge counts with the share that is left for it, which keeps the measure
    subadditive for any number of days (Acerbi and Tasche 2002). Raises ValueError for a level
    outside 0..1e6 ppm, OverflowError where the sum of the tail does not fit.
    """
    if not 0 <= level_ppm < PPM:
        raise ValueError(f"level {level_ppm} ppm must be at least 0 and below {PPM}")
    days = loss_e8.shape[1]
    mass = days * (PPM - level_ppm)  # of the tail, in millionths of a day
    whole, rest = divmod(mass, PPM)
    ordered = np.sort(loss_e8, axis=1)
    if (np.abs(ordered[:, days - whole :].astype(np.float64)).sum(axis=1) > 9e18).any():
        raise OverflowError("the sum of a tail is beyond 64 bits")
    edge = ordered[:, days - whole - 1] if rest else np.zeros(len(loss_e8), np.int64)
    # (sum x 1e6 + edge x rest) / mass, with the parts below one unit kept apart.
    total, total_rest = np.divmod(ordered[:, days - whole :].sum(axis=1), mass)
    last, last_rest = np.divmod(edge, mass)
    result: Int64s = total * PPM + last * rest - (-(total_rest * PPM + last_rest * rest) // mass)
    return result


def historical_tail(
    positions: tuple[Int64s, Int64s, Int64s],
    unit_profit: Floats,
    size: int,
    *,
    level_ppm: int,
    shortfall: bool = True,
) -> Int64s:
    """Expected shortfall, or value at risk, of buckets 0..size-1, never negative [size].

    Parameters: `positions` (bucket, instrument, quantity_e8) sorted by bucket, `unit_profit` [I, D]
    from `shock.unit_profit_of_moves`. Design: ES at 975,000 ppm, or VaR at 990,000 or 995,000.

    Raises ValueError where positions are not sorted or days too few.
    """
    bucket, instrument, quantity_e8 = positions
    if (np.diff(bucket) < 0).any():
        raise ValueError("positions must be sorted by bucket")
    measure = expected_shortfall if shortfall else value_at_risk
    step = max(1, CELLS // max(1, unit_profit.shape[1]))
    tails = [np.zeros(0, np.int64)]
    for first in range(0, size, step):
        end = min(first + step, size)
        rows = slice(*np.searchsorted(bucket, (first, end)))
        profit_e8 = scenario_profits(
            bucket[rows] - first, instrument[rows], quantity_e8[rows], unit_profit, end - first
        )
        tails.append(np.maximum(0, measure(-profit_e8, level_ppm)))
    return np.concatenate(tails)


@dataclass(frozen=True, slots=True)
class NormalRisk:
    """Value at risk of one book under jointly normal moves, and what each exposure adds to it."""

    value_at_risk: float
    components: Floats
    undiversified: float
    """The sum of what each exposure risks alone."""

    @property
    def diversification_ratio(self) -> float:
        """Value at risk / undiversified; 1 where nothing offsets."""
        return self.value_at_risk / self.undiversified if self.undiversified else 1.0


def normal_risk(
    exposures: Floats, volatilities: Floats, correlation: Floats, level_ppm: int
) -> NormalRisk:
    """z sqrt(w' S w), its Euler components w_i (S w)_i z / sigma, and the undiversified sum."""
    z = float(ndtri(level_ppm / PPM))
    amounts = (exposures * volatilities)[None, :]
    return NormalRisk(
        z * float(aggregate(amounts, correlation)[0]),
        z * components(amounts, correlation)[0],
        z * float(np.abs(amounts).sum()),
    )
