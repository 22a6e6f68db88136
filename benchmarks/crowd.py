"""The accounts of prices to decisions: three long positions each among 200 instruments."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.workload import OPENED_US, TIERS, USDT, account_name
from schemas.block import Int64s
from schemas.units import E8, PPM, Floats
from streams.market.events import Event
from streams.market.listings import Asset, Catalogue, Listing, listing_events

INSTRUMENTS = 200
HELD = 3
END_DROP = 0.02
"""How far all prices have fallen together when all have broken that are to break."""
FIRST_BREAK = 0.0025
SAFE_DROPS = (0.05, 0.50)
"""The others would break at drops between these: leverage from about 2 to 14."""
MAINTENANCE = TIERS[0][2] / PPM
LOT_E8 = E8 // 100


@dataclass(frozen=True, slots=True)
class Crowd:
    """Accounts a row each [N], with HELD positions [N, HELD] in distinct instruments, all long.

    All long: prices that fall one after the other break the accounts that they break together,
    and no others on the way.
    """

    instrument: Int64s
    quantity_e8: Int64s
    cost_e8: Int64s
    cash_e8: Int64s
    breaks: Floats
    """The drop of all prices at which equity is the maintenance margin."""

    def broken(self, drop: float) -> set[str]:
        """Who is liquidated when all prices have fallen so far."""
        return {account_name(row) for row in np.flatnonzero(self.breaks < drop).tolist()}

    def drop_of(self, broken: int) -> float:
        """A drop at which so many have broken, with nobody close to it."""
        first, last = np.sort(self.breaks)[broken - 1 : broken + 1].tolist()
        return float(first + last) / 2


def crowd(seed: int, accounts: int, breaking: int) -> Crowd:
    """`breaking` of the accounts, anywhere among them, break between FIRST_BREAK and END_DROP."""
    rng = np.random.default_rng(seed)
    prices_e8 = np.array([one.first_price_e8 for one in listed()])
    first = rng.integers(0, INSTRUMENTS, accounts)
    gaps = rng.integers(1, INSTRUMENTS // HELD, (accounts, HELD - 1))
    ranks = np.concatenate((np.zeros((accounts, 1), np.int64), gaps), axis=1).cumsum(axis=1)
    instrument = (first[:, None] + ranks) % INSTRUMENTS
    usd = rng.integers(500, 10_000, (accounts, HELD))
    lots = np.maximum(usd * E8 * (E8 // LOT_E8) // prices_e8[instrument], 1)
    cost_e8 = lots * prices_e8[instrument] // (E8 // LOT_E8)
    breaks = rng.uniform(*SAFE_DROPS, accounts)
    chosen = rng.choice(accounts, breaking, replace=False)
    breaks[chosen] = np.linspace(FIRST_BREAK, END_DROP, breaking, endpoint=False)
    share = breaks + (1 - breaks) * MAINTENANCE
    cash_e8 = np.round(cost_e8.sum(axis=1) * share).astype(np.int64)
    return Crowd(instrument, lots * LOT_E8, cost_e8, cash_e8, breaks)


def listed() -> list[Listing]:
    """Prices from 10 to 2,000; a lot is 0.01, so that values are whole in 1e-8."""
    return [_listing(number) for number in range(INSTRUMENTS)]


def opening() -> Iterator[Event]:
    listings = {one.instrument_id: one for one in listed()}
    assets = {USDT: Asset(USDT, None, ((0, 0),), 0, 1.0)}
    return listing_events(Catalogue(listings, assets), OPENED_US)


def _listing(number: int) -> Listing:
    return Listing(
        instrument_id=f"C{number:03d}-PERP",
        kind="LINEAR_PERP",
        base=f"C{number:03d}",
        quote=USDT,
        settlement_asset=USDT,
        multiplier_e8=E8,
        tick_e8=E8 // 1_000,
        lot_e8=LOT_E8,
        first_price_e8=(number + 1) * 10 * E8,
        daily_volume_usd=1e9,
        tiers=TIERS,
    )
