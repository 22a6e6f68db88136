"""What open orders add to the initial margin: the worst of all bids or all asks filled."""

import numpy as np

from risk.book import Market, OpenOrders
from risk.holdings import Bools, Rules
from risk.margin.tiers import requirement
from risk.requirements.rows import Held
from risk.valuation import contract_value, sum_by
from schemas.units import Int64s, multiply_e8


def tiered_addition(
    held: Held, orders: OpenOrders, market: Market, rules: Rules, size: int
) -> Int64s:
    """What the orders of instruments with tiers add to the initial margin of buckets [size].

    Of each bucket and instrument the larger of what all bids and all asks, filled at the mark, add
    to the initial margin of its position; where it holds both sides, to that of the side it adds
    to. Orders that only reduce add nothing.

    Raises OverflowError naming the lowest bucket whose position after its orders does not fit.
    """
    cell, bucket, instrument = _cells(orders, len(market.mark_e8))
    bids_e8, asks_e8 = (sum_by(cell, one, len(bucket)) for one in (orders.bids_e8, orders.asks_e8))
    long_e8, short_e8 = _legs(held, bucket, instrument, len(market.mark_e8))
    both = (long_e8 > 0) & (short_e8 < 0)
    bought = np.where(both, long_e8, long_e8 + short_e8)
    sold = np.where(both, short_e8, long_e8 + short_e8)
    added = np.zeros(len(bucket), np.int64)
    for now_e8, then_e8 in ((bought, bought + bids_e8), (sold, sold - asks_e8)):
        now, _ = _initial(now_e8, instrument, market, rules)
        then, fits = _initial(then_e8, instrument, market, rules)
        if not fits.all():
            raise OverflowError(
                f"bucket row {bucket[~fits].min()}: a position after its orders is beyond"
                " 9,999,999,999.99999999"
            )
        added = np.maximum(added, then - now)
    return sum_by(bucket, added, size)


def _cells(orders: OpenOrders, instruments: int) -> tuple[Int64s, Int64s, Int64s]:
    """Distinct pairs of bucket and instrument that have orders, and that of each row."""
    key, cell = np.unique(orders.bucket * instruments + orders.instrument, return_inverse=True)
    return cell, key // instruments, key % instruments


def _legs(
    held: Held, bucket: Int64s, instrument: Int64s, instruments: int
) -> tuple[Int64s, Int64s]:
    """Sums of the long and of the short rows of each pair."""
    key = bucket * instruments + instrument
    own = held.bucket * instruments + held.instrument
    at = np.searchsorted(key, own).clip(max=len(key) - 1)
    found: Bools = key[at] == own if len(key) else np.zeros(len(own), np.bool_)
    quantity_e8 = held.quantity_e8[found]
    return (
        sum_by(at[found], quantity_e8.clip(min=0), len(key)),
        sum_by(at[found], quantity_e8.clip(max=0), len(key)),
    )


def _initial(
    quantity_e8: Int64s, instrument: Int64s, market: Market, rules: Rules
) -> tuple[Int64s, Bools]:
    """Initial margin of a position of each size, and whether it fits."""
    contracts = rules.contracts
    inverse, multiplier_e8 = contracts.inverse[instrument], contracts.multiplier_e8[instrument]
    value_e8, fits = contract_value(inverse, multiplier_e8, quantity_e8, market.mark_e8[instrument])
    price_e8 = rules.assets.price_e8[contracts.settlement[instrument]]
    notional_e8, notional_fits = multiply_e8(np.abs(value_e8), price_e8)
    units_e8, _ = multiply_e8(np.abs(quantity_e8), multiplier_e8)
    size_e8 = np.where(inverse, np.abs(value_e8), units_e8)
    initial_e8, _, margin_fits = requirement(notional_e8, instrument, rules.tiers, size_e8)
    return initial_e8, fits & notional_fits & margin_fits
