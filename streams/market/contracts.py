"""The catalogue of the seeded market, and margin tiers and assets for any catalogue."""

from collections.abc import Iterable

from schemas.units import E8, e8
from streams.market.listings import (
    INVERSE_PERP,
    LINEAR_PERP,
    SPOT,
    VALUATION_ASSET,
    Asset,
    Catalogue,
    Haircuts,
    Listing,
    Tiers,
)
from streams.market.options import BASE_VOLATILITY, option_listings
from streams.market.paths import START_US

MAJOR_TIERS: Tiers = (
    (0, 10_000, 4_000),
    (100_000, 10_000, 5_000),
    (1_000_000, 20_000, 10_000),
    (10_000_000, 50_000, 25_000),
    (50_000_000, 100_000, 50_000),
    (200_000_000, 200_000, 100_000),
    (500_000_000, 333_000, 166_000),
)
LIQUID_TIERS: Tiers = (
    (0, 13_300, 6_500),
    (25_000, 20_000, 10_000),
    (250_000, 50_000, 25_000),
    (2_500_000, 100_000, 50_000),
    (10_000_000, 200_000, 100_000),
    (30_000_000, 500_000, 250_000),
)
SMALL_TIERS: Tiers = (
    (0, 20_000, 10_000),
    (10_000, 50_000, 25_000),
    (100_000, 100_000, 50_000),
    (1_000_000, 200_000, 100_000),
    (5_000_000, 500_000, 250_000),
)
PAIR_TIERS: Tiers = ((0, 1_000_000, 1_000_000),)
"""A pair is paid in full."""

NO_HAIRCUT: Haircuts = ((0, 0),)
STABLE_HAIRCUTS: Haircuts = ((0, 5_000), (5_000_000, 20_000), (50_000_000, 100_000))
MAJOR_HAIRCUTS: Haircuts = ((0, 50_000), (2_000_000, 100_000), (20_000_000, 250_000))
ALT_HAIRCUTS: Haircuts = ((0, 100_000), (500_000, 200_000), (5_000_000, 500_000))
MAJORS = frozenset({"BTC", "ETH"})

# instrument, kind, base, multiplier, tick, lot, first price, daily volume in USD
_SEEDED = (
    ("BTC-PERP", LINEAR_PERP, "BTC", "1", "0.1", "0.0001", "100000", 2e9),
    ("ETH-PERP", LINEAR_PERP, "ETH", "1", "0.01", "0.001", "3600", 1.2e9),
    ("SOL-PERP", LINEAR_PERP, "SOL", "1", "0.01", "0.01", "200", 5e8),
    ("XRP-PERP", LINEAR_PERP, "XRP", "1", "0.0001", "1", "2.4", 3e8),
    ("DOGE-PERP", LINEAR_PERP, "DOGE", "1", "0.00001", "10", "0.36", 2e8),
    ("LINK-PERP", LINEAR_PERP, "LINK", "1", "0.001", "0.1", "23", 1.2e8),
    ("AVAX-PERP", LINEAR_PERP, "AVAX", "1", "0.001", "0.1", "40", 1e8),
    ("BTC-USD-INV", INVERSE_PERP, "BTC", "100", "0.1", "1", "100000", 4e8),
    ("ETH-USD-INV", INVERSE_PERP, "ETH", "10", "0.01", "1", "3600", 2e8),
    ("BTC-USDT", SPOT, "BTC", "1", "0.01", "0.00001", "100000", 1e9),
    ("ETH-USDT", SPOT, "ETH", "1", "0.01", "0.0001", "3600", 5e8),
    ("SOL-USDT", SPOT, "SOL", "1", "0.01", "0.001", "200", 2e8),
    ("USDC-USDT", SPOT, "USDC", "1", "0.0001", "0.01", "1", 1e9),
)


def seeded_catalogue(*, options: bool = False) -> Catalogue:
    """Nine perpetuals, the four pairs that price their collateral, and on request options."""
    listings: dict[str, Listing] = {}
    for instrument_id, kind, base, multiplier, tick, lot, price, volume in _SEEDED:
        inverse = kind == INVERSE_PERP
        listings[instrument_id] = Listing(
            instrument_id=instrument_id,
            kind=kind,
            base=base,
            quote="USD" if inverse else VALUATION_ASSET,
            settlement_asset=base if inverse else VALUATION_ASSET,
            multiplier_e8=e8(multiplier),
            tick_e8=e8(tick),
            lot_e8=e8(lot),
            first_price_e8=e8(price),
            daily_volume_usd=volume,
            tiers=PAIR_TIERS if kind == SPOT else tiers_for(base, volume),
            underlying=f"{base}-PERP" if inverse else None,
        )
    if options:
        underlyings = {coin: listings[f"{coin}-PERP"] for coin in BASE_VOLATILITY}
        for listing in option_listings(underlyings, START_US):
            listings[listing.instrument_id] = listing
    pricers = {"USDC": "USDC-USDT", "BTC": "BTC-USDT", "ETH": "ETH-USDT", "SOL": "SOL-USDT"}
    return Catalogue(listings, assets_for(pricers))


def tiers_for(base: str, daily_volume_usd: float) -> Tiers:
    """Leverage to 100 on the majors, to 75 on liquid contracts, to 50 on the rest."""
    if base in MAJORS:
        return MAJOR_TIERS
    return LIQUID_TIERS if daily_volume_usd >= 1e8 else SMALL_TIERS


def assets_for(pricers: dict[str, str]) -> dict[str, Asset]:
    """The valuation currency and every asset that an instrument prices."""
    assets = {VALUATION_ASSET: Asset(VALUATION_ASSET, None, NO_HAIRCUT, 0, 1.0)}
    for name, instrument_id in pricers.items():
        stable = name == "USDC"
        assets[name] = Asset(
            name=name,
            price_instrument_id=instrument_id,
            haircuts=STABLE_HAIRCUTS
            if stable
            else MAJOR_HAIRCUTS
            if name in MAJORS
            else ALT_HAIRCUTS,
            borrow_weight_ppm=5_000 if stable else 50_000,
            appeal=0.3 if stable or name in MAJORS else 0.15,
        )
    return assets


def catalogue_of(listings: Iterable[Listing]) -> Catalogue:
    """A catalogue of derivatives alone, as a replay has it.

    An inverse contract's coin is priced by the most traded linear contract on it, and where there
    is none by the inverse contract itself.
    """
    by_id = {listing.instrument_id: listing for listing in listings}
    ranked = sorted(
        by_id.values(),
        key=lambda each: (each.kind == INVERSE_PERP, -each.daily_volume_usd, each.instrument_id),
    )
    coins = sorted({each.base for each in ranked if each.kind == INVERSE_PERP})
    pricers = {
        coin: next(each.instrument_id for each in ranked if each.base == coin) for coin in coins
    }
    return Catalogue(by_id, assets_for(pricers))


def round_lot_e8(contract_usd: float) -> int:
    """The power of ten of contracts that is worth 1 to 10 USD, at most 1e8 contracts."""
    lot_e8 = E8
    while lot_e8 > 1 and contract_usd * lot_e8 / E8 >= 10:
        lot_e8 //= 10
    while lot_e8 < E8 * E8 and contract_usd * lot_e8 / E8 < 1:
        lot_e8 *= 10
    return lot_e8
