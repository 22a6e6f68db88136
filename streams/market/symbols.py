"""The rule that makes a contract of a recorded symbol.

A symbol is `venue:NAME` or `NAME`. NAME splits into base and quote at `-`, `_` or `/`, else before
a known quote currency it ends with, else it is a base quoted in USDT; a last part PERP is no
currency. A name on `USD_PERP` is a coin-margined contract as Binance lists it: an inverse
perpetual of 100 USD on BTC and of 10 USD on any other coin, settled in the coin. Everything else,
spot recordings too, becomes a linear perpetual settled in USDT, one unit of base a contract. The
instrument id is `BASE-QUOTE`, `-INV` where inverse, then `.venue` where there is one. A coin
cheaper than 0.0001 is listed by the million (`1000000PEPE-USD.coinbase`), so that large positions
fit into 18 digits. The tick is the recording's last decimal; a lot is worth 1 to 10 USD.
"""

import re
from dataclasses import dataclass

from schemas.units import E8
from streams.market.contracts import round_lot_e8, tiers_for
from streams.market.listings import INVERSE_PERP, LINEAR_PERP, VALUATION_ASSET, Listing

QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "GBP", "BTC", "ETH")
MILLION_BELOW = 1e-4
MILLION_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Symbol:
    """A recorded symbol taken apart; `venue` is "" where it names none."""

    venue: str
    base: str
    quote: str
    inverse: bool

    def instrument_id(self, *, by_million: bool) -> str:
        parts = [self.listed_base(by_million=by_million), self.quote]
        name = "-".join([*parts, "INV"] if self.inverse else parts)
        return f"{name}.{self.venue}" if self.venue else name

    def listed_base(self, *, by_million: bool) -> str:
        return f"1{'0' * MILLION_DIGITS}{self.base}" if by_million else self.base

    @property
    def multiplier_e8(self) -> int:
        if not self.inverse:
            return E8
        return (100 if self.base == "BTC" else 10) * E8


def parse_symbol(symbol: str) -> Symbol:
    """Venue, base and quote of a recorded symbol; see the rule above."""
    venue, _, name = symbol.rpartition(":")
    inverse = name.endswith("USD_PERP")
    parts = [part for part in re.split(r"[-_/]", name) if part]
    parts = parts[:-1] if len(parts) > 1 and parts[-1] == "PERP" else parts
    if len(parts) > 1:
        return Symbol(venue, parts[0], parts[1], inverse)
    joined = parts[0] if parts else name
    for quote in QUOTES:
        if joined.endswith(quote) and len(joined) > len(quote):
            return Symbol(venue, joined.removesuffix(quote), quote, inverse)
    return Symbol(venue, joined, VALUATION_ASSET, inverse)


def listed_by_million(symbol: Symbol, price: float) -> bool:
    """Whether a coin at this price is listed by the million."""
    return not symbol.inverse and price < MILLION_BELOW


def list_symbol(
    symbol: Symbol, *, by_million: bool, tick_e8: int, first_price_e8: int, daily_volume: float
) -> Listing:
    """The contract of a symbol; `daily_volume` in its own units a day (contracts if inverse)."""
    price = first_price_e8 / E8
    contract_usd = symbol.multiplier_e8 / E8 if symbol.inverse else price
    base = symbol.listed_base(by_million=by_million)
    volume_usd = daily_volume * contract_usd
    return Listing(
        instrument_id=symbol.instrument_id(by_million=by_million),
        kind=INVERSE_PERP if symbol.inverse else LINEAR_PERP,
        base=base,
        quote=symbol.quote,
        settlement_asset=base if symbol.inverse else VALUATION_ASSET,
        multiplier_e8=symbol.multiplier_e8,
        tick_e8=tick_e8,
        lot_e8=E8 if symbol.inverse else round_lot_e8(contract_usd),
        first_price_e8=first_price_e8,
        daily_volume_usd=volume_usd,
        tiers=tiers_for(base, volume_usd),
    )
