"""The mark at which a bucket's equity is its maintenance margin, everything else fixed.

Equity and maintenance are followed exactly as the mark moves: the tier is that of the price found,
the settlement asset's haircut or borrow weight that of the balance left by the loss, and collateral
whose price is the same mark moves along. What exchanges publish are cases with one tier:
(W - MM_other + profit_other + cum - q E) / (|q| mmr - q), Binance; the fee added to mmr, OKX; mmr
on the value at entry, Bybit.
"""

import numpy as np
from numpy.typing import ArrayLike

from risk.holdings import Bools
from risk.margin.boundary import Boundaries, Curves, Lines, boundaries, line_values
from risk.margin.exposures import Book
from risk.margin.mark_curves import mark_boundaries
from schemas.units import E8, LIMIT_E8, Floats, Int64s

HIGHEST_MARK = LIMIT_E8 / E8


def liquidation_prices(book: Book, bucket: Int64s, instrument: Int64s) -> Boundaries:
    """The nearest marks of an instrument, below and above its present one, at which E = MM.

    Parameters: pairs of rows, both [Q]: those of a position, or any instrument that prices an
    asset the bucket holds. Marks that the pairs name are above 0.

    Of a bucket that is safe they are where it becomes liquidatable, of one that is liquidatable
    where it ceases to be. nan where no mark up to 9,999,999,999.99999999 does. Where neither
    position nor collateral requires margin (MM = 0) it is where equity is 0. A bucket that holds
    positions on both sides, or its profit in haircut collateral, may have both; `nearest` chooses.
    """
    factors, mark = mark_boundaries(book, bucket, instrument), book.marks_e8[instrument] / E8
    return _in_range(Boundaries(factors.below * mark, factors.above * mark))


def position_prices(
    quantity: Floats,
    mark: Floats,
    equity: Floats,
    maintenance: Lines,
    *,
    other_maintenance: Floats | float = 0.0,
    inverse: Bools | bool = False,
    delta: Floats | float = 0.0,
    at_present_notional: bool = False,
) -> Boundaries:
    """The same from plain numbers: one position in each bucket moves, shapes [Q] or scalars.

    quantity: signed, times multiplier and price of the settlement asset: the value of the position
    is quantity x mark, or -quantity / mark where `inverse`. equity: of the bucket at the mark; a
    change of the position's value changes it in full. maintenance: by notional, one row for all or
    one for each. other_maintenance: of the bucket's other positions. delta: what else the equity
    gains for each unit of the mark, such as coins held as collateral. at_present_notional: the
    maintenance margin stays that of the present notional, as where it is taken on entry.

    Vega's liquidation price is this with the rate slippage(V) / |V| + risk factor, and the funding
    that a position owes as other maintenance.
    """
    count = len(quantity)
    turned = np.broadcast_to(np.asarray(inverse, np.bool_), count)
    size, row = np.abs(quantity), _rows(maintenance, count)
    # Of each query: its value, once as it moves with the mark and once with 1 / mark (line 0, the
    # value itself), and the notional.
    line = np.column_stack((row * 0, row * 0, row + 1))
    constant, slope, pole = (np.zeros((count, 3)) for _ in range(3))
    slope[:, 0] = np.where(turned, 0.0, quantity) + delta
    pole[:, 1] = np.where(turned, -quantity, 0.0)
    if at_present_notional:
        constant[:, 2] = np.where(turned, size / mark, size * mark)
    else:
        slope[:, 2] = np.where(turned, 0.0, size)
        pole[:, 2] = np.where(turned, size, 0.0)
    fixed = equity - other_maintenance - slope[:, 0] * mark - pole[:, 1] / mark
    curves = Curves(
        np.arange(0, 3 * count + 1, 3), line.ravel(), constant.ravel(), slope.ravel(), pole.ravel()
    )
    return _in_range(boundaries(mark, fixed, curves, _with_identity(maintenance)))


def maintenance_lines(
    floor: ArrayLike, rate: ArrayLike, deduction: ArrayLike, *, fee: ArrayLike = 0.0
) -> Lines:
    """Maintenance margin by notional, tables [T, K] or one [K]: N (rate_k + fee) - deduction_k.

    k is the last floor <= N; floors ascend from 0, padded with +inf. Rates and the fee, charged on
    the notional at the close, are fractions. Deductions are the published maintenance amounts, 0
    where a tier prices the whole position.
    """
    floors, rates, deductions = (
        np.atleast_2d(np.array(column, np.float64)) for column in (floor, rate, deduction)
    )
    floors[:, 0] = -np.inf
    return Lines(floors, rates + np.reshape(fee, (-1, 1)), deductions * -1)


def maintenance_margin(notional: Floats, lines: Lines) -> Floats:
    """Margin of each notional [Q] by the one row of the lines, or each by its own."""
    return line_values(lines, _rows(lines, len(notional)), notional)


def warning_price(entry: Floats, price: Floats, side: Int64s, buffer: float) -> Floats:
    """A mark that comes before the liquidation price by `buffer` of its distance to the entry.

    Above it for a long (side 1), below it for a short (-1), never negative.
    """
    moved: Floats = price + side * buffer * np.abs(entry - price)
    return moved.clip(min=0)


def _rows(lines: Lines, count: int) -> Int64s:
    return np.arange(count) if len(lines.floor) > 1 else np.zeros(count, np.int64)


def _with_identity(maintenance: Lines) -> Lines:
    """Row 0 adds a value in full, the rows after it take the maintenance margin."""
    floor, rate, constant = maintenance
    first = np.full((1, floor.shape[1]), np.inf)
    first[0, 0] = -np.inf
    return Lines(
        np.vstack((first, floor)),
        np.vstack((np.ones_like(first), -rate)),
        np.vstack((np.zeros_like(first), -constant)),
    )


def _in_range(found: Boundaries) -> Boundaries:
    return Boundaries(
        *(np.where(side <= HIGHEST_MARK, side, np.nan) for side in (found.below, found.above))
    )
