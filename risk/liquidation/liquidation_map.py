"""How much would be liquidated at each price of an instrument, and how far that would carry it.

Notionals are those at the present mark, in the valuation currency, so that parts add up and a step
further never counts less; contracts are notional / mark.
"""

from dataclasses import dataclass

import numpy as np

from risk.compiled import compiled
from risk.holdings import Bools
from risk.margin.exposures import Book
from risk.margin.liquidation_price import liquidation_prices
from schemas.units import E8, LIMIT_E8, PPM, Floats, Int64s

REACH_PPM = 300_000
STEP_PPM = 5_000
SHOCKS_PPM: Int64s = np.arange(-REACH_PPM, REACH_PPM + 1, STEP_PPM)
"""The steps of a map [S]: moves of the mark from -30% to +30%, ascending through 0."""
PPM_A_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class Triggers:
    """Factors on the mark of its instrument beyond which a position's bucket has E < MM [P].

    nan: no such factor. A bucket that is there already: below +inf and above 0.
    """

    below: Floats
    above: Floats


@dataclass(frozen=True, slots=True)
class LiquidationMap:
    """What the moves of each instrument liquidate on the way, long and short positions apart."""

    instrument: Int64s  # [M] rows of the instruments that are held, ascending
    long_e8: Int64s  # [M, S] notional, never less a step further from 0
    short_e8: Int64s  # [M, S]


@dataclass(frozen=True, slots=True)
class Cascade:
    """Where a first move of each step ends when what it liquidates moves the price on [S]."""

    end_ppm: Int64s  # from the mark; never nearer than the first move
    long_e8: Int64s  # liquidated by then
    short_e8: Int64s


def triggers(book: Book) -> Triggers:
    """Of each position, the mark of its instrument moving and everything else fixed.

    For buckets that are margined by tiers; with options or scenarios the present state does not
    tell. A bucket that requires no maintenance margin is never liquidated.
    """
    positions, state = book.positions, book.margin
    if not len(positions.bucket):
        return Triggers(np.empty(0), np.empty(0))
    found = liquidation_prices(book, positions.bucket, positions.instrument)
    mark = book.marks_e8[positions.instrument] / E8
    below, above = found.below / mark, found.above / mark
    now = state.liquidatable()[positions.bucket]
    never = (state.maintenance_margin_e8 == 0)[positions.bucket]
    below[now], above[now] = np.inf, 0.0
    below[never], above[never] = np.nan, np.nan
    return Triggers(below, above)


def liquidation_map(
    instrument: Int64s,
    long: Bools,
    notional_e8: Int64s,
    reached: Triggers,
    *,
    shocks_ppm: Int64s = SHOCKS_PPM,
) -> LiquidationMap:
    """Sums over positions [P] by instrument: the maps of disjoint sets of accounts add up.

    `notional_e8` is at the present mark. A position counts at every step from its trigger outwards,
    in whole. A sum beyond 9,999,999,999.99999999 is told as that.
    """
    names, row = np.unique(instrument, return_inverse=True)
    cells_e8 = np.zeros((len(names), 2, len(shocks_ppm)), np.int64)
    add_triggers(cells_e8, row, long, notional_e8, reached, shocks_ppm=shocks_ppm)
    sides = outward(cells_e8, shocks_ppm=shocks_ppm)
    return LiquidationMap(names, sides[:, 0], sides[:, 1])


def add_triggers(
    cells_e8: Int64s,
    instrument: Int64s,
    long: Bools,
    notional_e8: Int64s,
    reached: Triggers,
    *,
    shocks_ppm: Int64s = SHOCKS_PPM,
) -> None:
    """Add positions [P] to the cells [I, 2, S] of the first steps that liquidate them: longs, then
    shorts. For books that are gone over bit by bit; `outward` makes the map of them."""
    zero = int(np.searchsorted(shocks_ppm, 0))
    rows = instrument.astype(np.int64, copy=False), long, notional_e8
    _add(rows, (reached.below, reached.above), (1 + shocks_ppm / PPM, zero), cells_e8)


@compiled
def _add(
    rows: tuple[Int64s, Bools, Int64s],
    reached: tuple[Floats, Floats],
    steps: tuple[Floats, int],
    cells_e8: Int64s,
) -> None:
    (instrument, long, notional_e8), (below, above), (factor, zero) = rows, reached, steps
    for row in range(len(instrument)):
        cells = cells_e8[instrument[row], 0 if long[row] else 1]
        if below[row] > 0:
            falls = min(np.searchsorted(factor, below[row]), zero) - 1
            last = zero if below[row] == np.inf else falls
            if last >= 0:
                cells[last] = min(cells[last] + notional_e8[row], LIMIT_E8)
        if above[row] > 0:
            first = max(np.searchsorted(factor, above[row], side="right"), zero + 1)
            if first < len(factor):
                cells[first] = min(cells[first] + notional_e8[row], LIMIT_E8)


def outward(cells_e8: Int64s, *, shocks_ppm: Int64s = SHOCKS_PPM) -> Int64s:
    """Sums of cells [..., S] from 0 outwards on either side; one that does not fit is the largest
    amount."""
    zero = int(np.searchsorted(shocks_ppm, 0))
    sums, rough = cells_e8.copy(), cells_e8.astype(np.float64)
    for column in (sums, rough):
        np.cumsum(column[..., zero::-1], axis=-1, out=column[..., zero::-1])
        np.cumsum(column[..., zero:], axis=-1, out=column[..., zero:])
    return np.where(rough > LIMIT_E8, LIMIT_E8, sums)


def cascade(
    long_e8: Int64s,
    short_e8: Int64s,
    depth_per_percent_e8: int,
    *,
    shocks_ppm: Int64s = SHOCKS_PPM,
) -> Cascade:
    """The fixed points of a map [S] with impact fed back.

    A fall to x liquidates the longs of the last step passed; selling them takes the price a percent
    down for each `depth_per_percent_e8`, linearly, so x = first move - impact(longs at x). Rises
    the same with shorts. At 0 it falls, unless more shorts than longs are liquidated already. The
    map says nothing beyond its last step: more is liquidated there than is counted. An impact is
    at most 100%, and no price below 0. Exact integers; monotone in the first move, never less than
    the map. Raises ValueError where the depth is not positive.
    """
    if depth_per_percent_e8 <= 0:
        raise ValueError(f"a depth of {depth_per_percent_e8} is not positive")
    zero = int(np.searchsorted(shocks_ppm, 0))
    falls = np.arange(len(shocks_ppm)) <= zero
    falls[zero] = long_e8[zero] >= short_e8[zero]
    selling = _impact_ppm(long_e8, depth_per_percent_e8)
    buying = _impact_ppm(short_e8, depth_per_percent_e8)
    end, before = shocks_ppm, None
    while before is None or not np.array_equal(end, before):
        before, passed = end, _passed(end, falls, shocks_ppm)
        end = shocks_ppm + np.where(falls, -selling[passed], buying[passed])
    passed = _passed(end, falls, shocks_ppm)
    return Cascade(np.maximum(end, -PPM), long_e8[passed], short_e8[passed])


def _impact_ppm(liquidated_e8: Int64s, depth_e8: int) -> Int64s:
    impacts = [min(one * PPM_A_PERCENT // depth_e8, PPM) for one in liquidated_e8.tolist()]
    return np.array(impacts, np.int64)


def _passed(end_ppm: Int64s, falls: Bools, shocks_ppm: Int64s) -> Int64s:
    """The last step that each move has reached [S]."""
    down = np.searchsorted(shocks_ppm, end_ppm, "left")
    up = np.searchsorted(shocks_ppm, end_ppm, "right") - 1
    return np.where(falls, down, up)
