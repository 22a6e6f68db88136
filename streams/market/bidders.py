"""Who buys at auctions: a few solvent accounts, each at the discount that it wants."""

import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.units import E8
from streams.market.books import Books
from streams.market.events import CROSS, Event, bid_event
from streams.market.exact import ceil_to, floor_to
from streams.market.listings import Catalogue, Listing
from streams.market.population import Trader

BIDDER_SHARE = 0.02
"""Of the accounts margined as one pool."""
MEDIAN_DISCOUNT = 0.01
DISCOUNT_SPREAD = 0.8
MOST_LEVERAGE = 3.0
"""An account bids for as much as leaves it below this leverage, or below a habit that is lower."""
MOST_LOOKING = 20
"""Bidders that look at an auction."""
QUICKEST_S, SLOWEST_S = 0.2, 3.0
IN_TIME = 0.7
"""Nobody bids after this part of an auction's time: the bid might arrive after its end."""


@dataclass(frozen=True, slots=True)
class Taste:
    """The discount (a fraction of the mark) below which an account stays away, and its leverage."""

    discount: float
    leverage: float


class Bidders:
    """Bids on their way; what an account bids follows from the auction's id and its own books."""

    def __init__(
        self,
        catalogue: Catalogue,
        traders: tuple[Trader, ...],
        *,
        books: Books,
        marks_e8: Mapping[str, int],
        seed: int,
    ) -> None:
        self._listings = catalogue.listings
        self._books = books
        self._marks_e8 = marks_e8
        self._seed = seed
        self._tastes = _tastes(traders, random.Random(f"{seed}/bidders"))
        self._due: list[tuple[int, str, str]] = []
        self._open: dict[str, Mapping[str, Any]] = {}
        self._offered: dict[str, dict[str, float]] = {}
        """Notional that each account bids for in an open auction."""

    def hear(self, auction: Mapping[str, Any], now_us: int) -> None:
        """An auction opens: some look at it, each in its own time; CLOSED ends it."""
        auction_id = auction["auction_id"]
        if auction["event"] == "CLOSED":
            self._open.pop(auction_id, None)
            self._offered.pop(auction_id, None)
        if auction["event"] != "OPENED" or auction_id in self._open:
            return
        if auction["instrument_id"] not in self._listings or not auction["quantity_e8"]:
            return
        self._open[auction_id], self._offered[auction_id] = auction, {}
        rng = random.Random(f"{self._seed}/{auction_id}")
        for bidder in rng.sample(list(self._tastes), min(MOST_LOOKING, len(self._tastes))):
            due_us = now_us + round(rng.uniform(QUICKEST_S, SLOWEST_S) * 1e6)
            heapq.heappush(self._due, (due_us, auction_id, bidder))

    def due(self, now_us: int) -> list[Event]:
        """The bids that are made by now."""
        events: list[Event] = []
        while self._due and self._due[0][0] <= now_us:
            _, auction_id, bidder = heapq.heappop(self._due)
            auction = self._open.get(auction_id)
            if auction is not None and _in_time(auction, now_us):
                events += self._bid(now_us, auction, bidder)
        return events

    def _bid(self, now_us: int, auction: Mapping[str, Any], bidder: str) -> list[Event]:
        listing = self._listings[auction["instrument_id"]]
        mark_e8 = self._marks_e8.get(listing.instrument_id)
        if mark_e8 is None:
            return []
        sells = auction["quantity_e8"] > 0
        price_e8 = _price_e8(listing, mark_e8, self._tastes[bidder].discount, sells=sells)
        floor_e8 = auction["floor_price_e8"]
        if price_e8 <= 0 or (price_e8 < floor_e8 if sells else price_e8 > floor_e8):
            return []
        usd = self._room_usd(bidder)
        contract_usd = listing.contract_usd(mark_e8)
        wanted_e8 = min(int(usd / contract_usd * E8), abs(auction["quantity_e8"]))
        quantity_e8 = floor_to(wanted_e8, listing.lot_e8)
        if quantity_e8 <= 0:
            return []
        self._offered[auction["auction_id"]][bidder] = quantity_e8 / E8 * contract_usd
        return [bid_event(now_us, auction, bidder, price_e8=price_e8, quantity_e8=quantity_e8)]

    def _room_usd(self, bidder: str) -> float:
        """Notional that the account can still take on, beside what it holds and bids for."""
        if CROSS in self._books.account(bidder).stopped:
            return 0.0
        most = self._books.equity_usd(bidder, CROSS) * self._tastes[bidder].leverage
        offered = sum(bids.get(bidder, 0.0) for bids in self._offered.values())
        return max(most - self._books.notional_usd(bidder, CROSS) - offered, 0.0)


def _tastes(traders: tuple[Trader, ...], rng: random.Random) -> dict[str, Taste]:
    return {
        trader.account_id: Taste(
            discount=MEDIAN_DISCOUNT * rng.lognormvariate(0.0, DISCOUNT_SPREAD),
            leverage=min(trader.leverage, MOST_LEVERAGE),
        )
        for trader in traders
        if not trader.isolated and not trader.portfolio and rng.random() < BIDDER_SHARE
    }


def _in_time(auction: Mapping[str, Any], now_us: int) -> bool:
    opened_us, closes_us = auction["event_time"], auction["closes"]
    return bool(now_us <= opened_us + (closes_us - opened_us) * IN_TIME)


def _price_e8(listing: Listing, mark_e8: int, discount: float, *, sells: bool) -> int:
    """On tick, in the bidder's favour: below the mark where the fund sells, else above it."""
    if sells:
        return floor_to(int(mark_e8 * (1 - discount)), listing.tick_e8)
    return ceil_to(int(mark_e8 * (1 + discount)), listing.tick_e8)
