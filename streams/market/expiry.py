"""Contracts that expire: settled at the price of what they are written on, then gone."""

from streams.market.books import Books
from streams.market.events import Event, settlement_event
from streams.market.listings import Catalogue, instrument_event
from streams.market.options import settlement_e8
from streams.market.quotes import Quotes


class Expiries:
    """What has still to expire, the next one first."""

    def __init__(self, catalogue: Catalogue, books: Books, quotes: Quotes) -> None:
        self._books = books
        self._quotes = quotes
        self._coming = sorted(
            (each for each in catalogue.listings.values() if each.expiry_us is not None),
            key=lambda each: each.expiry_us or 0,
            reverse=True,
        )

    def due(self, now_us: int) -> list[Event]:
        """The settlements that fall until now, each followed by the end of its listing."""
        events = []
        while self._coming and (self._coming[-1].expiry_us or 0) <= now_us:
            listing = self._coming.pop()
            price_e8 = settlement_e8(listing, self._quotes.indices_e8[listing.underlying or ""])
            self._books.settle(listing, price_e8)
            self._quotes.forget(listing.instrument_id)
            events.append(settlement_event(now_us, listing.instrument_id, price_e8))
            events.append(instrument_event(listing, now_us, "SETTLED"))
        return events
