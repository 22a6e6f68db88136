"""The options of the seeded market: what is listed, at what volatility, and what it is worth."""

import math
from collections.abc import Iterator

from schemas.units import E8
from streams.market.exact import nearest_tick
from streams.market.listings import OPTION, VALUATION_ASSET, Listing, Tiers

YEAR_S = 365 * 86_400.0
EXPIRIES_S = {150.0: (90, 100, 110), 2 * 86_400.0: (80, 90, 100, 110, 120)} | {
    30 * 86_400.0: (80, 90, 100, 110, 120)
}
"""Seconds from the market's start -> strikes, in percent of the first price. The first expiry comes
while one watches."""
BASE_VOLATILITY = {"BTC": 0.55, "ETH": 0.7}
FEAR = 2.0
"""How much volatility rises with the logarithm of a fall."""
MOST_FEAR = 1.5
SKEW = -0.3
CURVATURE = 0.8
PRUDENCE: Tiers = ((0, 250_000, 125_000),)
"""What simulated accounts keep for a unit of notional, in place of their venue's option margin."""


def option_listings(underlyings: dict[str, Listing], start_us: int) -> Iterator[Listing]:
    """Calls and puts on each coin's linear perpetual, settled in the valuation asset."""
    for coin, underlying in underlyings.items():
        for expiry_s, strikes in EXPIRIES_S.items():
            expiry_us = start_us + round(expiry_s * 1e6)
            for percent in strikes:
                strike_e8 = underlying.first_price_e8 * percent // 100
                for option_type in ("CALL", "PUT"):
                    yield Listing(
                        instrument_id=f"{coin}-{expiry_s:.0f}S-{strike_e8 // E8}-{option_type[0]}",
                        kind=OPTION,
                        base=coin,
                        quote=VALUATION_ASSET,
                        settlement_asset=VALUATION_ASSET,
                        multiplier_e8=E8,
                        tick_e8=underlying.tick_e8,
                        lot_e8=underlying.lot_e8,
                        first_price_e8=underlying.tick_e8,
                        daily_volume_usd=underlying.daily_volume_usd / 40,
                        tiers=PRUDENCE,
                        strike_e8=strike_e8,
                        expiry_us=expiry_us,
                        option_type=option_type,
                        underlying=underlying.instrument_id,
                    )


def volatility(listing: Listing, forward_e8: float, level: float) -> float:
    """Annual, by a smile that is higher below the money and rises when the coin has fallen.

    `level` is the coin's log displacement from where it began.
    """
    moneyness = math.log(_strike_e8(listing) / forward_e8)
    at_the_money = BASE_VOLATILITY[listing.base] + min(max(-FEAR * level, 0.0), MOST_FEAR)
    return max(at_the_money + SKEW * moneyness + CURVATURE * moneyness**2, 0.1)


def option_price_e8(listing: Listing, forward_e8: float, sigma: float, now_us: int) -> int:
    """Black's price on tick, at least one tick: what trades has a price."""
    years = max((listing.expiry_us or 0) - now_us, 0) / 1e6 / YEAR_S
    sign = 1.0 if listing.option_type == "CALL" else -1.0
    strike_e8, spread = _strike_e8(listing), sigma * math.sqrt(years)
    if spread < 1e-9:
        value = float(settlement_e8(listing, forward_e8))
    else:
        d1 = math.log(forward_e8 / strike_e8) / spread + spread / 2
        value = forward_e8 * _normal(sign * d1) - strike_e8 * _normal(sign * (d1 - spread))
        value *= sign
    return max(nearest_tick(value, listing.tick_e8), listing.tick_e8)


def settlement_e8(listing: Listing, price_e8: float) -> int:
    """What one unit pays at expiry; 0 where it ends out of the money."""
    sign = 1 if listing.option_type == "CALL" else -1
    return max(round(sign * (price_e8 - _strike_e8(listing))), 0)


def _strike_e8(listing: Listing) -> int:
    assert listing.strike_e8 is not None, f"{listing.instrument_id} is no option"
    return listing.strike_e8


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
