"""Seeded records of the benchmarks: an exchange of perpetuals, deposits, trades, holdings."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from schemas.units import E8
from streams.market.events import FILLS, Cashier, Event
from streams.market.listings import Asset, Catalogue, Listing, listing_events

OPENED_US = 1_760_000_000_000_000
"""Event time of the listing; everything else happens after it."""
USDT = "USDT"
TIERS = ((0, 50_000, 25_000),)
LISTED = (  # base, first price, tick, lot: lot x tick is whole in 1e-8, so no value needs rounding
    ("BTC", 60_000 * E8, E8 // 10, E8 // 1_000),
    ("ETH", 3_000 * E8, E8 // 100, E8 // 100),
    ("SOL", 150 * E8, E8 // 100, E8 // 10),
    ("BNB", 600 * E8, E8 // 100, E8 // 100),
    ("XRP", E8 // 2, E8 // 10_000, E8),
    ("DOGE", E8 // 10, E8 // 100_000, E8),
    ("ADA", E8 // 2, E8 // 10_000, E8),
    ("AVAX", 30 * E8, E8 // 1_000, E8 // 10),
    ("LINK", 15 * E8, E8 // 1_000, E8 // 10),
    ("LTC", 80 * E8, E8 // 100, E8 // 10),
    ("DOT", 6 * E8, E8 // 1_000, E8 // 10),
    ("SUI", 2 * E8, E8 // 10_000, E8),
)
TRADE_USD = 2_000
"""About what a trade is worth."""
DRAWN_AT_ONCE = 50_000


def catalogue() -> Catalogue:
    listings = [
        Listing(
            instrument_id=f"{base}-PERP",
            kind="LINEAR_PERP",
            base=base,
            quote=USDT,
            settlement_asset=USDT,
            multiplier_e8=E8,
            tick_e8=tick_e8,
            lot_e8=lot_e8,
            first_price_e8=price_e8,
            daily_volume_usd=1e9,
            tiers=TIERS,
        )
        for base, price_e8, tick_e8, lot_e8 in LISTED
    ]
    return Catalogue(
        {listing.instrument_id: listing for listing in listings},
        {USDT: Asset(USDT, None, ((0, 0),), 0, 1.0)},
    )


def listed() -> list[Listing]:
    return list(catalogue().listings.values())


def opening() -> list[Event]:
    """The listing itself."""
    return list(listing_events(catalogue(), OPENED_US))


def account_name(number: int) -> str:
    return f"a-{number:06d}"


def deposits(accounts: int, usd: int) -> list[Event]:
    """One deposit an account."""
    cashier = Cashier()
    return [
        cashier.deposit(OPENED_US + n, account_name(n), USDT, usd * E8) for n in range(accounts)
    ]


def trades(seed: int, accounts: int, fills: int) -> Iterator[Event]:
    """Fills in pairs, the two sides of each trade, with ascending times.

    An account's activity falls with its rank as 1 / (rank + 20): of 5,000 accounts the busiest
    hundredth trades a fifth of all. Prices walk tick by tick; a third of the sizes are one lot
    quantity of each instrument, so that positions often close exactly.
    """
    rng = np.random.default_rng(seed)
    listings = listed()
    weights = 1 / (np.arange(accounts) + 20)
    weights /= weights.sum()
    ticks = [listing.first_price_e8 // listing.tick_e8 for listing in listings]
    number = 0
    while number < fills:
        n = min(DRAWN_AT_ONCE, (fills - number) // 2)
        rows = zip(
            rng.integers(0, len(listings), n).tolist(),
            rng.choice(accounts, n, p=weights).tolist(),
            rng.choice(accounts, n, p=weights).tolist(),
            np.where(rng.random(n) < 1 / 3, 4, rng.geometric(0.25, n)).tolist(),
            rng.integers(-3, 4, n).tolist(),
            strict=True,
        )
        for instrument, buyer, seller, size, move in rows:
            listing = listings[instrument]
            ticks[instrument] = max(ticks[instrument] + move, 1_000)
            price_e8 = ticks[instrument] * listing.tick_e8
            quantity_e8 = size * _unit_e8(listing)
            yield _fill(number, buyer, listing, price_e8, quantity_e8)
            yield _fill(number + 1, seller, listing, price_e8, -quantity_e8)
            number += 2


def holdings(seed: int, accounts: int, *, least: int, most: int) -> Iterator[Event]:
    """Fills that leave each account `least` to `most` open positions, each another instrument.

    The smallest quarter of an account's positions is short, so that it falls with the market.
    """
    rng = np.random.default_rng(seed)
    listings = listed()
    number = 0
    for account, held in enumerate(rng.integers(least, most + 1, accounts).tolist()):
        chosen = rng.choice(len(listings), held, replace=False).tolist()
        sizes = np.sort(rng.geometric(0.25, held)).tolist()
        for rank, (place, size) in enumerate(zip(chosen, sizes, strict=True)):
            listing = listings[place]
            quantity_e8 = size * _unit_e8(listing) * (-1 if rank < held // 4 else 1)
            yield _fill(number, account, listing, listing.first_price_e8, quantity_e8)
            number += 1


def _unit_e8(listing: Listing) -> int:
    """Whole lots worth about an eighth of a trade."""
    lots = TRADE_USD * E8 * E8 // 8 // (listing.first_price_e8 * listing.lot_e8)
    return max(lots, 1) * listing.lot_e8


def _fill(number: int, account: int, listing: Listing, price_e8: int, quantity_e8: int) -> Event:
    """`quantity_e8` is signed here. The buyer takes and pays 0.05 %, the seller makes, for 0.02."""
    buys = quantity_e8 > 0
    record: dict[str, Any] = {
        "event_time": OPENED_US + 1_000_000 + number * 10,
        "account_id": account_name(account),
        "fill_id": f"f-{number:012d}",
        "instrument_id": listing.instrument_id,
        "side": "BUY" if buys else "SELL",
        "price_e8": price_e8,
        "quantity_e8": abs(quantity_e8),
        "fee_e8": abs(quantity_e8) * price_e8 // E8 * (5 if buys else 2) // 10_000,
        "fee_asset": USDT,
        "liquidity": "TAKER" if buys else "MAKER",
        "margin_mode": "CROSS",
        "isolated_margin_e8": 0,
        "liquidation_id": None,
    }
    return Event(FILLS, record["account_id"], record)


def mark(
    listing: Listing, sequence: int, event_time_us: int, drop: float, *, depth_usd: int = 0
) -> Event:
    """A tick; `depth_usd` rests on each side of the book, 0: that is not known."""
    price_e8 = round(listing.first_price_e8 * (1 - drop))
    record = {
        "event_time": event_time_us,
        "instrument_id": listing.instrument_id,
        "source": "probe",
        "sequence": sequence,
        "mark_e8": price_e8,
        "index_e8": price_e8,
    }
    missing = ("bid_e8", "ask_e8", "implied_volatility", "funding_rate_estimate")
    resting = depth_e8(listing, depth_usd) if depth_usd else None
    depths = dict.fromkeys(("bid_depth_e8", "ask_depth_e8"), resting)
    return Event("prices", listing.instrument_id, record | dict.fromkeys(missing) | depths)


def depth_e8(listing: Listing, depth_usd: int) -> int:
    """Whole lots worth about so much at the first price."""
    lots = depth_usd * E8 * E8 // (listing.first_price_e8 * listing.lot_e8)
    return lots * listing.lot_e8
