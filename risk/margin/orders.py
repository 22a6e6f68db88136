"""Open orders in margin: the worst of all bids or all asks filled, and margin locked for orders.

Fills are float64, as the weights they meet; exposures and locked margin are int64 at 1e-8.
"""

from dataclasses import dataclass

import numpy as np

from risk.margin.weights import Number, Weighing, portion_e8
from risk.valuation import sum_by
from schemas.units import Floats, Int64s, multiply_e8


@dataclass(frozen=True, slots=True)
class Fill:
    """What an account holds of each asset or contract after its orders were filled, [P] each."""

    amount: Floats  # signed
    value: Floats  # of the amount, weighted
    cash: Floats  # received for it, negative where paid; in the currency of the prices

    def total(self) -> Floats:
        """What it adds to health [P]."""
        return self.value + self.cash


@dataclass(frozen=True, slots=True)
class Orders:
    """Open orders, those of one bucket all in one instrument, [O] each."""

    bucket: Int64s
    side: Int64s  # +1 buy, -1 sell
    quantity_e8: Int64s  # positive, what is left of it
    price_e8: Int64s  # limit


def worst_fill(amount: Floats, bids: Floats, asks: Floats, weighing: Weighing) -> Fill:
    """The worse, for health, of all bids filled and all asks filled; all arguments [P].

    Bids are paid at the liability price, asks bring the asset price; cash counts at weight 1.
    Without orders it is the holding itself. Source: Mango v4; Drift v2 for spot.
    """
    bought, sold = amount + bids, amount - asks
    after_bids = Fill(bought, weighing.value(bought), -bids * weighing.liability_price)
    after_asks = Fill(sold, weighing.value(sold), asks * weighing.asset_price)
    buying = after_bids.total() <= after_asks.total()
    return Fill(
        np.where(buying, after_bids.amount, after_asks.amount),
        np.where(buying, after_bids.value, after_asks.value),
        np.where(buying, after_bids.cash, after_asks.cash),
    )


def worst_exposure_e8(quantity_e8: Int64s, bids_e8: Int64s, asks_e8: Int64s) -> Int64s:
    """Signed position of the larger size after all bids or all asks are filled, [P], exact.

    For requirements that depend on size alone, such as tiers. A tie is long.
    """
    bought, sold = quantity_e8 + bids_e8, quantity_e8 - asks_e8
    return np.where(np.abs(bought) >= np.abs(sold), bought, sold)


def collateral_and_requirement(
    bucket: Int64s, value: Floats, size: int, *, orders: Floats, order_fee: float
) -> tuple[Floats, Floats]:
    """Weighted values by sign: what buckets 0..size-1 have and what they owe, float64 [N] each.

    `orders` [N] open orders add `order_fee` each to what is owed. Source: Drift v2.
    """
    owned = summed(bucket, value.clip(min=0), size)
    owed = summed(bucket, -value.clip(max=0), size)
    return owned, owed + orders * order_fee


def locked_margin_e8(
    orders: Orders,
    quantity_e8: Int64s,
    factor_ppm: Int64s,
    *,
    least_price_e8: Int64s | None = None,
) -> Int64s:
    """Margin an isolated bucket locks for its orders, [N] int64: factor x price x what adds to it.

    Parameters: `quantity_e8` [N], the open position; `factor_ppm` [N], initial margin over entry
    notional; `least_price_e8` [N], where given: no order counts below it (auctions).

    On the side that reduces the position, orders up to its size need nothing, best price first:
    the highest bid, the lowest ask. Of both sides the larger sum counts, rounded down.
    Source: Vega.
    """
    size = len(quantity_e8)
    if not len(orders.bucket):
        return np.zeros(size, np.int64)
    rows = np.lexsort((-orders.side * orders.price_e8, orders.side, orders.bucket))
    bucket, side = orders.bucket[rows], orders.side[rows]
    quantity, price = orders.quantity_e8[rows], orders.price_e8[rows]
    if least_price_e8 is not None:
        price = np.maximum(price, least_price_e8[bucket])
    queue = np.cumsum(quantity) - quantity
    first = np.r_[True, (np.diff(bucket) != 0) | (np.diff(side) != 0)]
    ahead = queue - np.maximum.accumulate(np.where(first, queue, 0))
    covered = (-side * quantity_e8[bucket]).clip(min=0)
    adding = quantity - (covered - ahead).clip(0, quantity)
    value, fits = multiply_e8(adding, price)
    if not fits.all():
        row = int(bucket[~fits].min())
        raise OverflowError(f"bucket row {row}: value of an order is beyond 9,999,999,999.99999999")
    buys = sum_by(bucket, np.where(side > 0, value, 0), size)
    sells = sum_by(bucket, np.where(side < 0, value, 0), size)
    return portion_e8(np.maximum(buys, sells), factor_ppm)


def summed(index: Int64s, values: Floats, size: int) -> Floats:
    """Sums of float64 values of each index 0..size-1."""
    sums = np.zeros(size)
    np.add.at(sums, index, values)
    return sums


def skewed_fill_price(index: Number, skew: Number, quantity: Number, scale: Number) -> Floats:
    """Price of a fill against a pool: index x (1 + mean skew before and after it / scale).

    Skew is long less short open interest; the trade that widens it pays. Source: Synthetix v3.
    """
    return np.asarray(index * (1 + (skew + np.asarray(quantity, np.float64) / 2) / scale))
