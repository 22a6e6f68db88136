"""How much the book holds near the mark, how orders push it, and how it recovers.

The book of an instrument is linear: the quantity within x of the mid is proportional to x and to
the instrument's daily volume, and thins out while the book is displaced or its price volatile. A
sweep displaces the mid from the undisturbed price by what it consumed; the displacement halves
every `RESILIENCE_S`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.units import E8
from streams.market.exact import ceil_to, floor_to, nearest_tick
from streams.market.listings import Listing

DEPTH_SHARE = 0.005
"""Part of the daily volume that rests within 1 % of the mid on each side."""
RESILIENCE_S = 8.0
HALF_SPREAD = 1e-4
MARK_SHARE = 0.5
"""The mark follows its own book half way; the rest of it is the undisturbed index."""
THINNING = 50.0
QUIET = 2e-4
"""Volatility per square root of a second up to which makers quote in full; beyond it depth falls
as it rises. In the crash of 2025-10-10 the 1 % depth of the largest contract fell to a quarter, at
the worst to a sixth, at five times this volatility."""
MEMORY_S = 30.0
"""Half-life of the volatility that makers see."""
FURTHEST = 0.3
"""No order is filled further than this from the undisturbed price."""


@dataclass(slots=True)
class _Displacement:
    share: float = 0.0
    at_us: int = 0


@dataclass(slots=True)
class _Variance:
    """Of the undisturbed price, per second."""

    price_e8: int
    at_us: int
    per_s: float = 0.0

    def move(self, price_e8: int, now_us: int) -> None:
        elapsed_s = max(now_us - self.at_us, 1) / 1e6
        kept = 0.5 ** (elapsed_s / MEMORY_S)
        squared = math.log(price_e8 / self.price_e8) ** 2
        self.per_s = kept * self.per_s + (1 - kept) * squared / elapsed_s
        self.price_e8, self.at_us = price_e8, now_us


@dataclass(frozen=True, slots=True)
class Sweep:
    """What an order got: contracts on lot, at one depth-weighted price on tick."""

    quantity_e8: int
    price_e8: int


class Depth:
    """Order book depth of every listing."""

    def __init__(self, listings: Mapping[str, Listing]) -> None:
        self._displaced = {instrument_id: _Displacement() for instrument_id in listings}
        self._variances: dict[str, _Variance] = {}

    def observe(self, instrument_id: str, index_e8: int, now_us: int) -> None:
        """An undisturbed price: how much it moves says how much makers dare to quote."""
        variance = self._variances.get(instrument_id)
        if variance is None:
            self._variances[instrument_id] = _Variance(index_e8, now_us)
        else:
            variance.move(index_e8, now_us)

    def displacement(self, instrument_id: str, now_us: int) -> float:
        """Signed share of the undisturbed price by which the mid is off now."""
        state = self._displaced[instrument_id]
        if state.share and now_us > state.at_us:
            state.share *= 0.5 ** ((now_us - state.at_us) / 1e6 / RESILIENCE_S)
            if abs(state.share) < 1e-7:
                state.share = 0.0
        state.at_us = now_us
        return state.share

    def mark_e8(self, listing: Listing, index_e8: int, now_us: int) -> int:
        """The mark on tick: the undisturbed price moved by part of the displacement."""
        share = self.displacement(listing.instrument_id, now_us)
        if share == 0.0:
            return index_e8
        return nearest_tick(index_e8 * (1 + MARK_SHARE * share), listing.tick_e8)

    def within_percent_e8(self, listing: Listing, index_e8: int, now_us: int) -> int:
        """Contracts on lot that rest within 1 % of the mid on one side."""
        share = self.displacement(listing.instrument_id, now_us)
        usd = listing.daily_volume_usd * DEPTH_SHARE / (1 + THINNING * abs(share))
        if (variance := self._variances.get(listing.instrument_id)) is not None:
            usd /= max(math.sqrt(variance.per_s) / QUIET, 1.0)
        contracts_e8 = usd / listing.contract_usd(index_e8) * E8
        return max(floor_to(int(contracts_e8), listing.lot_e8), listing.lot_e8)

    def sweep(
        self,
        listing: Listing,
        index_e8: int,
        now_us: int,
        *,
        buys: bool,
        quantity_e8: int,
        limit_e8: int | None,
    ) -> Sweep | None:
        """Fill what the book gives up to the limit price; None where it gives no lot."""
        sign = 1 if buys else -1
        per_percent_e8 = self.within_percent_e8(listing, index_e8, now_us)
        share = self.displacement(listing.instrument_id, now_us)
        best = 1 + share + sign * HALF_SPREAD
        limit = 1 + sign * FURTHEST if limit_e8 is None else limit_e8 / index_e8
        reach = min(sign * (limit - best), FURTHEST - sign * share)
        if reach < 0:
            return None
        filled_e8 = min(quantity_e8, int(reach * 100 * per_percent_e8))
        filled_e8 = floor_to(filled_e8, listing.lot_e8)
        if filled_e8 <= 0:
            return None
        used = filled_e8 / per_percent_e8 / 100
        price_e8 = _on_tick(listing, index_e8 * (best + sign * used / 2), limit_e8, buys=buys)
        if price_e8 is None:
            return None
        self._displaced[listing.instrument_id].share = share + sign * used
        return Sweep(filled_e8, price_e8)


def _on_tick(listing: Listing, price_e8: float, limit_e8: int | None, *, buys: bool) -> int | None:
    """On tick in the direction that costs, but never worse than the limit."""
    tick_e8 = listing.tick_e8
    if buys:
        price = ceil_to(int(price_e8), tick_e8)
        price = price if limit_e8 is None else min(price, floor_to(limit_e8, tick_e8))
    else:
        price = floor_to(int(price_e8), tick_e8)
        price = price if limit_e8 is None else max(price, ceil_to(limit_e8, tick_e8))
    return price if price > 0 else None
