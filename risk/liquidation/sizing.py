"""How much of which position to close, and at which price at the worst.

Quantities and prices are computed in float64 (relative error about 1e-15) and become integers by
a rounding with a direction: lots up, prices to the tick on the solvent side of bankruptcy.
Sources of the formulas: the closing quantity is Drift v2's, the fillable and the bankruptcy price
are dYdX v4's, both carried over to inverse contracts through the value of the position.
"""

from dataclasses import dataclass

import numpy as np

from risk.compiled import compiled
from risk.holdings import Bools, MarginState, Positions, PositionState, Rules
from risk.liquidation.stages import health_level
from risk.margin.tiers import maintenance_rate
from schemas.units import E8, LIMIT_E8, PPM, Floats, Int64s

# A price this close to a tick, in ticks, lies on it: below it is the noise of float64.
ON_TICK = 1e-9


@dataclass(frozen=True, slots=True)
class Sizing:
    """Parameters of a reduction; amounts in the valuation currency."""

    fee_ppm: int = 500  # of the notional closed: what the fill costs
    insurance_fee_ppm: int = 0  # of the notional closed: what goes to the insurance fund
    full_below_e8: int = 50 * E8  # a smaller shortfall closes the whole position
    minimum_notional_e8: int = 10 * E8  # no smaller rest is left open
    spread_to_maintenance_ppm: int = 100_000  # worst spread to the mark / maintenance margin
    bankruptcy_adjustment_ppm: int = PPM  # how fast the spread opens as equity falls


@dataclass(frozen=True, slots=True)
class Reductions:
    """What to close, one position for each bucket asked for, ascending by bucket; shape [R]."""

    bucket: Int64s
    row: Int64s  # of the position
    quantity_e8: Int64s  # contracts, positive, at most the position
    side: Int64s  # +1 buy, -1 sell: closes the position


@dataclass(frozen=True, slots=True)
class ClosingPrices:
    """Worst acceptable and bankruptcy price, on ticks, 0 where there is none; shape [R]."""

    limit_price_e8: Int64s
    bankruptcy_price_e8: Int64s


def reduce_quantity(
    positions: Positions,
    state: PositionState,
    margin: MarginState,
    *,
    step: Int64s,
    end_health_ppm: int,
    rules: Rules,
    sizing: Sizing,
    averaged: Bools | None = None,
    depth_e8: Int64s | None = None,
) -> Reductions:
    """Which position each bucket closes now, and how much of it.

    Parameters: `step` [N], the number of the step in the episode from 1 on; 0 where a bucket is
    not to be reduced. `end_health_ppm`, the ladder's: the health to land on; a bucket that has it
    is skipped, and so is one of which no position requires margin. `state` and `margin` are
    `evaluate` of these positions. `depth_e8` [I, 2]: contracts observed on the bid and on the ask
    side, 0 where that is not known.

    The position is `_chosen`; of it `closing_quantity` of the shortfall to the end health, times
    (step + 1) / 2, rounded up to lots, at most all of it. All of it where the shortfall is below
    `full_below`, the rest would be worth less than `minimum_notional`, or closing at these fees
    improves nothing. The rate released is that of the tier the position is in: across a tier floor
    a step frees less. Where a position's margin does not follow from tiers (`averaged` [P], none
    where not given) it is its margin / notional.
    """
    aim_e8 = health_level(margin.maintenance_margin_e8, end_health_ppm)
    missing_e8 = aim_e8 - margin.equity_e8
    wanted = (step > 0) & (missing_e8 > 0)
    closes = (positions.quantity_e8 != 0) & (state.maintenance_margin_e8 > 0)
    row = np.flatnonzero(wanted[positions.bucket] & closes)
    instrument, notional_e8 = positions.instrument[row], state.notional_e8[row]
    rate = maintenance_rate(notional_e8, instrument, rules.tiers)
    if averaged is not None:
        notional_e8 = notional_e8.clip(min=1)  # an option may be worth nothing
        average = state.maintenance_margin_e8[row] / notional_e8
        rate = np.where(averaged[row], average, rate)
    unit_value = notional_e8 / np.abs(positions.quantity_e8[row])
    needed = closing_quantity(
        missing_e8[positions.bucket[row]] / E8,
        unit_value,
        rate * (end_health_ppm / PPM),
        fee=sizing.fee_ppm / PPM,
        insurance_fee=sizing.insurance_fee_ppm / PPM,
    )
    best = _chosen(row, needed * E8, positions, state, depth_e8)
    row, needed, unit_value = row[best], needed[best], unit_value[best]
    bucket, held_e8 = positions.bucket[row], np.abs(positions.quantity_e8[row])
    lot_e8 = rules.contracts.lot_e8[positions.instrument[row]]
    capped_e8 = np.minimum(needed * ((step[bucket] + 1) / 2) * E8, held_e8.astype(np.float64))
    lots = np.ceil(capped_e8 / lot_e8).astype(np.int64)
    quantity_e8 = np.minimum(lots * lot_e8, held_e8)
    left = (held_e8 - quantity_e8) * unit_value
    whole = (missing_e8[bucket] < sizing.full_below_e8) | (left < sizing.minimum_notional_e8)
    side = -np.sign(positions.quantity_e8[row])
    return Reductions(bucket, row, np.where(whole, held_e8, quantity_e8), side)


def closing_quantity(
    shortfall: Floats, unit_value: Floats, release: Floats, *, fee: float, insurance_fee: float
) -> Floats:
    """Contracts to close so that a shortfall is covered; +inf where no quantity covers it.

    shortfall / (unit value x (release - fee - insurance fee)): a closed contract releases
    `release` = end health x maintenance rate of its value, and costs both fees.
    Shortfall and unit value in the valuation currency, rates as fractions.
    """
    gain = unit_value * (release - fee - insurance_fee)
    contracts: Floats = np.full(len(gain), np.inf)
    np.divide(shortfall, gain, out=contracts, where=gain > 0)
    return contracts


def closing_prices(
    row: Int64s,
    positions: Positions,
    state: PositionState,
    margin: MarginState,
    *,
    marks_e8: Int64s,
    rules: Rules,
    sizing: Sizing,
    urgency: Floats | None = None,
) -> ClosingPrices:
    """Limit and bankruptcy price of each named position row.

    The limit is the fillable price, never beyond bankruptcy. A long, which is sold, rounds up to
    the tick and a short down: the fill never costs more than the bucket has. 0 where there is none,
    such as the bankruptcy price of a long that is fully paid for.
    """
    fillable, bankruptcy = raw_prices(
        row,
        positions,
        state,
        margin,
        marks_e8=marks_e8,
        rules=rules,
        sizing=sizing,
        urgency=urgency,
    )
    long = positions.quantity_e8[row] > 0
    limit = np.where(long, np.maximum(fillable, bankruptcy), np.minimum(fillable, bankruptcy))
    tick_e8 = rules.contracts.tick_e8[positions.instrument[row]]
    return ClosingPrices(_on_tick(limit, tick_e8, long), _on_tick(bankruptcy, tick_e8, long))


def raw_prices(
    row: Int64s,
    positions: Positions,
    state: PositionState,
    margin: MarginState,
    *,
    marks_e8: Int64s,
    rules: Rules,
    sizing: Sizing,
    urgency: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Fillable and bankruptcy price of each named open position, 1e-8, not bounded, not rounded.

    With V the value of the position at its mark, M its and MM its bucket's maintenance margin, and
    E the bucket's equity, all over the price of the settlement asset:
    bankruptcy: the price at which the value is V - E M / MM, so that each position bears its share
    of the equity; fillable: at which it is V - clamp(a (1 - E / MM) + u, 0, 1) x spread x M, with a
    the bankruptcy adjustment, spread the spread to maintenance, and u the `urgency` [R] (0 where
    not given: dYdX's formula), by which each further step of an episode offers more.
    Haircuts and borrow weights on the loss are left out. NaN where MM or a price is 0; a bankruptcy
    price may be negative or infinite.
    """
    bucket, instrument = positions.bucket[row], positions.instrument[row]
    settlement = rules.contracts.settlement[instrument]
    required = _ratio(state.maintenance_margin_e8[row], rules.assets.price_e8[settlement]) * E8
    health = _ratio(margin.equity_e8[bucket], margin.maintenance_margin_e8[bucket])
    offered = sizing.bankruptcy_adjustment_ppm / PPM * (1 - health)
    opening = np.clip(offered if urgency is None else offered + urgency, 0, 1)
    spread = opening * (sizing.spread_to_maintenance_ppm / PPM) * required
    quantity = positions.quantity_e8[row] / E8 * rules.contracts.multiplier_e8[instrument]
    mark = marks_e8[instrument]
    linear_fillable = mark - spread / quantity * E8
    linear_bankruptcy = mark - health * required / quantity * E8
    inverse = rules.contracts.inverse[instrument]
    if not inverse.any():
        return linear_fillable, linear_bankruptcy
    value = -_ratio(quantity, mark) * E8
    return (
        np.where(inverse, _inverse_price(quantity, value - spread), linear_fillable),
        np.where(inverse, _inverse_price(quantity, value - health * required), linear_bankruptcy),
    )


def _chosen(
    row: Int64s,
    needed_e8: Floats,
    positions: Positions,
    state: PositionState,
    depth_e8: Int64s | None,
) -> Int64s:
    """Place in `row` of the position that each bucket closes, of which it would need so much.

    Of those that cover the shortfall alone the one whose margin release per unit of expected
    impact is largest: margin x depth / quantity, an impact being the share of the observed depth
    that is traded through; without known depth, and where none covers it alone, the largest
    margin. Ties: lower instrument, then lower row.
    """
    held_e8, release_e8 = np.abs(positions.quantity_e8[row]), state.maintenance_margin_e8[row]
    covers = needed_e8 <= held_e8
    per_impact = np.zeros(len(row))
    if depth_e8 is not None:
        side = (positions.quantity_e8[row] < 0).astype(np.int64)
        depth = depth_e8[positions.instrument[row], side]
        per_impact = np.where(covers, release_e8 / held_e8 * depth, 0)
    return best_of_each(
        positions.bucket[row], covers, per_impact, release_e8, positions.instrument[row]
    )


@compiled
def best_of_each(
    bucket: Int64s, covers: Bools, per_impact: Floats, release_e8: Int64s, instrument: Int64s
) -> Int64s:
    """Of each bucket, ascending, the place whose other columns are best; the first of equals."""
    best = np.full(bucket.max() + 1 if len(bucket) else 0, -1)
    for place in range(len(bucket)):
        other = best[bucket[place]]
        if other >= 0:
            if covers[place] != covers[other]:
                better = covers[place]
            elif per_impact[place] != per_impact[other]:
                better = per_impact[place] > per_impact[other]
            elif release_e8[place] != release_e8[other]:
                better = release_e8[place] > release_e8[other]
            else:
                better = instrument[place] < instrument[other]
            if not better:
                continue
        best[bucket[place]] = place
    return best[best >= 0]


def _ratio(left: Int64s | Floats, right: Int64s) -> Floats:
    """Left / right, NaN where right is 0."""
    quotient: Floats = np.full(len(right), np.nan)
    np.divide(left, right, out=quotient, where=right != 0)
    return quotient


def _inverse_price(quantity: Floats, value: Floats) -> Floats:
    """Price in 1e-8 at which an inverse position has a value; +inf where none is high enough."""
    reachable = quantity * value < 0
    price = np.divide(-quantity, value, out=np.full(len(value), np.inf), where=reachable)
    return np.where(np.isnan(value), np.nan, price * E8)


def _on_tick(price_e8: Floats, tick_e8: Int64s, upward: Bools) -> Int64s:
    ticks = price_e8 / tick_e8
    rounded = np.where(upward, np.ceil(ticks - ON_TICK), np.floor(ticks + ON_TICK))
    sound = np.isfinite(rounded) & (rounded * tick_e8 > 0) & (rounded * tick_e8 <= LIMIT_E8)
    return np.where(sound, rounded, 0).astype(np.int64) * tick_e8
