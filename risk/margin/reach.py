"""How far marks may move, each its own way, before a bucket can come to another level of health.

What is further away need not be looked at. The bound is on the safe side, never exact: equity and
margin are taken to change as fast as they can.
"""

import numpy as np

from risk.book import Book, Evaluation, Kind
from risk.holdings import Bools, Rules, StepTable, Terms
from schemas.units import E8, PPM, Floats, Int64s

NO_LEVEL = 0
MOST = 0.25
"""No bucket is said to reach further: the slopes below hold for moves up to it."""
EQUITY_SLOPE, NOTIONAL_SLOPE = 5 / 3, 8 / 3
"""Of an inverse contract, 1 / (1 - MOST) = 4 / 3, and of one whose settlement asset has a mark that
moves too: r (4 / 3) (1 + MOST) of equity, and r (4 / 3 + 1 + 4 / 3 MOST) of notional."""
ROUNDING_E8 = E8
"""More than what the rounding of a bucket's amounts may come to, at the price of any coin."""
SAFETY = 0.999
PPB = 10**9


def reach(
    book: Book,
    pricer: Int64s,
    rules: Rules,
    terms: Terms,
    evaluation: Evaluation,
    *,
    above_ppm: Int64s,
    below_ppm: Int64s | None = None,
) -> Floats:
    """A fraction r of each bucket [N]: while no mark has moved by r of itself, health is above one
    level, and below another where there is one.

    Parameters: what was evaluated, and its result; `pricer`, the instrument that prices each asset
    or below 0 [A]; the healths [N], in ppm of the maintenance margin, `below_ppm` NO_LEVEL where
    there is none. 0 where nothing is known: of portfolios, options, and tiers that jump.

    Let every mark move by at most r. A linear contract's value then changes by at most r of itself
    and an asset by at most r of its value, which counts for no more than 1 + its borrow weight; a
    margin by no more than its highest rate x the change of the notional. The sum of it all over a
    bucket, times r, is less than what it has above the one level, or is short of the other.
    """
    positions, balances, size = book.positions, book.balances, len(book.kind)
    instrument, asset = positions.instrument, balances.asset
    state, of_positions = evaluation.state, evaluation.positions
    below_ppm = np.full(size, NO_LEVEL) if below_ppm is None else below_ppm
    highest_ppm = int(max(above_ppm.max(initial=0), below_ppm.max(initial=0)))
    of_notional, of_profit = _slopes(pricer, rules, highest_ppm)
    cost = of_notional[instrument] * of_positions.notional_e8
    cost += of_profit[instrument] * np.abs(of_positions.profit_e8)
    of_balances = _asset_slopes(pricer, rules)[asset] * np.abs(balances.amount_e8)
    slope: Floats = np.zeros(size)
    for bucket, weights in ((positions.bucket, cost), (balances.bucket, of_balances)):
        slope = slope + np.bincount(bucket, weights, size)
    margin_e8 = state.maintenance_margin_e8
    above_e8 = state.equity_e8 - margin_e8 * (above_ppm / PPM)
    short_e8 = margin_e8 * (below_ppm / PPM) - state.equity_e8
    room_e8 = np.where(below_ppm == NO_LEVEL, above_e8, np.minimum(above_e8, short_e8))
    room_e8 -= ROUNDING_E8
    result: Floats = np.minimum(room_e8 * SAFETY, slope * MOST).clip(0) / np.maximum(slope, 1)
    result[(slope == 0) & (room_e8 > 0)] = MOST
    result[positions.bucket[~_smooth(rules, terms)[instrument]]] = 0
    result[book.kind == Kind.PORTFOLIO] = 0
    return result


def _slopes(pricer: Int64s, rules: Rules, health_ppm: int) -> tuple[Floats, Floats]:
    """What a move r of all marks may cost a position, as a part of its notional and of its profit,
    each over r [I]."""
    contracts, settlement = rules.contracts, rules.contracts.settlement
    counts = (1 + rules.assets.borrow_weight_ppm / PPM)[settlement]
    moves = pricer[settlement] >= 0
    both = contracts.inverse | moves
    rate = rules.tiers.maintenance.rate_ppb.max(axis=1, initial=0) / PPB * (health_ppm / PPM)
    equity = counts * np.where(both, EQUITY_SLOPE, 1.0)
    return (
        equity + rate * np.where(both, NOTIONAL_SLOPE, 1.0),
        np.where(moves, counts * (rules.assets.price_e8[settlement] / E8), 0.0),
    )


def _asset_slopes(pricer: Int64s, rules: Rules) -> Floats:
    """The same of a unit of an asset, in the valuation currency [A]."""
    assets = rules.assets
    counts = (1 + assets.borrow_weight_ppm / PPM) * (assets.price_e8 / E8)
    return np.where(pricer >= 0, counts, 0.0)


def _smooth(rules: Rules, terms: Terms) -> Bools:
    """bool[I]: margin follows from tiers, and nowhere jumps with the notional."""
    tiers = rules.tiers
    smooth: Bools = tiers.known & (terms.side == 0) & (tiers.maintenance_factor_ppb == 0)
    return smooth & _progressive(tiers.maintenance)


def _progressive(table: StepTable) -> Bools:
    """bool[S]: where the rate rises, the step deducts what makes it meet the one before."""
    rises = table.rate_ppb[:, 1:] > table.rate_ppb[:, :-1]
    deducts = (table.cum_e8[:, 1:] > 0) | (table.cum_rest_ppb[:, 1:] > 0)
    progressive: Bools = np.all(~rises | deducts, axis=1)
    return progressive
