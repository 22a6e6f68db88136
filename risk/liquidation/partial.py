"""Sizes, fees and pace of a partial liquidation beyond one perpetual: borrows, insurance, limits.

Amounts and rates are float64 and broadcast unless the name says `_e8` or `_ppm`. `grain` is a unit
to round to, 0: none.
"""

from collections.abc import Sequence

import numpy as np

from risk.liquidation.sizing import closing_quantity
from risk.margin.weights import Number, portion_e8
from schemas.units import Floats, Int64s

ON_GRAIN = 1e-9  # a value this close to a grain, in grains, lies on it


def swap_release(
    asset_weight: Number,
    liability_weight: Number,
    *,
    asset_multiplier: Number,
    liability_multiplier: Number,
    grain: float = 0,
) -> Floats:
    """Requirement freed per unit of value when collateral pays off a borrow.

    liability weight - asset weight x asset multiplier / liability multiplier: the multipliers are
    what the liquidator is given, above 1 more collateral, below 1 less debt taken. Negative where
    the swap makes the account worse. Source: Drift v2.
    """
    given = np.divide(np.multiply(asset_weight, asset_multiplier), liability_multiplier)
    return np.asarray(liability_weight - _down(given, grain))


def liability_to_take(
    shortfall: Floats, price: Floats, release: Floats, *, weight: Number, insurance_fee: Number
) -> Floats:
    """Units of a borrow to take over so that a shortfall is covered; +inf where none covers it.

    `release` as `swap_release` gives it; the insurance fee, a share of the value, weighs as the
    liability does.
    """
    freed = np.asarray(release - np.multiply(insurance_fee, weight))
    return closing_quantity(shortfall, price, freed, fee=0, insurance_fee=0)


def liability_for_asset(
    asset_value: Number, price: Number, *, asset_multiplier: Number, liability_multiplier: Number
) -> Floats:
    """Units of a borrow at `price` that collateral of a value pays for."""
    worth = np.multiply(asset_value, liability_multiplier)
    return np.asarray(worth / np.multiply(price, asset_multiplier))


def affordable_insurance_fee(
    shortfall: Number,
    value: Number,
    release: Number,
    *,
    highest: Number,
    fee: Number = 0.0,
    share: Number = 1.0,
    weight: Number = 1.0,
) -> Floats:
    """Insurance fee that a liquidation of a value can bear, as a rate, at most `highest`.

    share x max(0, release - fee - shortfall / value) / weight, `fee` the liquidator's and `weight`
    that of a borrow: so the account ends no further down. A value of 0 bears none.
    Source: Drift v2.
    """
    missing, worth = np.broadcast_arrays(np.float64(shortfall), np.float64(value))
    needed = np.divide(missing, worth, out=np.full(worth.shape, np.inf), where=worth != 0)
    spare = np.maximum(np.subtract(release, fee) - needed, 0)
    return np.asarray(np.minimum(highest, share * spare / weight))


def allowed_share(
    shortfall: Number,
    elapsed: Number,
    *,
    initial: float,
    duration: float,
    full_below: float,
    grain: float = 0,
) -> Floats:
    """Share of a shortfall that may be liquidated by now: min(1, initial + elapsed / duration).

    All of one below `full_below`. Source: Drift v2.
    """
    share = np.minimum(1, initial + _down(np.divide(elapsed, duration), grain))
    return np.where(np.less(shortfall, full_below), 1.0, share)


def share_left(shortfall: Number, freed: Number, allowed: Number, *, grain: float = 0) -> Floats:
    """Share of a present shortfall that may be liquidated now, what was freed before it counted in.

    max(0, (shortfall + freed) x allowed - freed) / shortfall, never above 1; 0 where there is no
    shortfall. Source: Drift v2.
    """
    due = np.maximum(np.multiply(np.add(shortfall, freed), allowed) - freed, 0)
    share = np.divide(due, shortfall, out=np.zeros(due.shape), where=np.greater(shortfall, 0))
    return _down(np.minimum(share, 1), grain)


def window_limit(
    maker_fee: Number,
    taker_fee: Number,
    depth: Number,
    *,
    seconds: Number,
    multiplier: Number = 1.0,
) -> Floats:
    """Units of a market that may be liquidated in a window of time: what its depth absorbs.

    Source: Synthetix v3, whose depth is the skew scale.
    """
    return np.asarray((maker_fee + taker_fee) * np.multiply(depth, multiplier) * seconds)


def throttled(
    size: Sequence[float],
    account: Sequence[int],
    time: Sequence[float],
    limit: float,
    window: float,
) -> Floats:
    """Size left of the account after each call, in order, float64 [C].

    A call closes what is left of its account, as far as `limit` less all that was closed in this
    market within the `window` before it allows.
    """
    left = list(size)
    closed: list[tuple[float, float]] = []
    after = []
    for one, now in zip(account, time, strict=True):
        used = sum(amount for then, amount in closed if now - then < window)
        amount = min(left[one], max(limit - used, 0))
        left[one] -= amount
        closed.append((now, amount))
        after.append(left[one])
    return np.array(after)


def disposal_e8(
    quantity_e8: Int64s,
    available_e8: Int64s,
    lot_e8: Int64s,
    *,
    share_ppm: int,
    depth_ppm: int,
    full_below_e8: int = 0,
) -> Int64s:
    """Contracts of each position [P] to dispose of in one step, positive, at most all of it.

    A share of the position, all of one up to `full_below`; at most a share of what the book has
    for it, `available_e8`. Both in whole lots, rounded up, so that no position is too small to
    go. Exact integers. Source: Vega.
    """
    held_e8 = np.abs(quantity_e8)
    wanted_e8 = np.where(held_e8 <= full_below_e8, held_e8, -portion_e8(-held_e8, share_ppm))
    most_e8 = -portion_e8(-available_e8, depth_ppm)
    lots = -(-np.minimum(wanted_e8, most_e8) // lot_e8)
    return np.asarray(np.minimum(lots * lot_e8, held_e8))


def liquidation_reward(notional: Floats, rate: Floats, *, lowest: float, highest: float) -> float:
    """Reward for liquidating a whole account: the sum of notional x rate within its bounds."""
    return float(np.clip(notional @ rate, lowest, highest))


def loss_per_contract(loss: Number, open_long: Number, open_short: Number, grain: float) -> Floats:
    """Loss that every open contract bears, both sides alike, rounded up to the grain."""
    open_contracts = np.add(open_long, np.abs(open_short))
    return np.asarray(np.ceil(np.divide(loss, open_contracts) / grain - ON_GRAIN) * grain)


def insurance_payment_e8(
    fill_quote_e8: Int64s, bankruptcy_quote_e8: Int64s, fee_ppm: Int64s | int
) -> Int64s:
    """What the insurance fund receives for a fill, negative where it pays, exact integers.

    Both quotes positive where the bucket is paid. A fill worse than bankruptcy is made good by the
    fund; a better one leaves it the excess, at most a fee on the fill. Source: dYdX v4.
    """
    excess_e8 = fill_quote_e8 - bankruptcy_quote_e8
    return np.asarray(np.minimum(excess_e8, portion_e8(np.abs(fill_quote_e8), fee_ppm)))


def _down(value: Floats, grain: float) -> Floats:
    """The value rounded down to the grain; within 1e-9 of a grain below it, it is that one."""
    return np.asarray(np.floor(value / grain + ON_GRAIN) * grain if grain else value)
