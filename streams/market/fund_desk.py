"""The insurance funds' executor: trades what they hold out into the book, slowly."""

from collections.abc import Mapping
from typing import Any

from schemas.units import PPM
from streams.market.books import Books, Holding
from streams.market.depth import Depth
from streams.market.events import CROSS, Event
from streams.market.handovers import FUND
from streams.market.listings import Catalogue, Listing
from streams.market.taker import Taker, Want
from streams.market.tape import Tape

LEAST_US = 1_000_000
"""From one round of orders to the next, at least."""


class FundDesk:
    """Every second, of each position of a fund, `pace_ppm` of the depth within 1 %.

    What is up for auction is left alone until the auction ends.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        books: Books,
        depth: Depth,
        tape: Tape,
        makers: tuple[str, ...],
        pace_ppm: int,
    ) -> None:
        self._funds = [f"{FUND}{name}" for name in catalogue.assets]
        self._books = books
        self._depth = depth
        self._taker = Taker(depth, tape, makers)
        self._pace_ppm = pace_ppm
        self._at_auction: dict[str, tuple[str, str]] = {}
        self._next_us = 0

    def hear(self, auction: Mapping[str, Any]) -> None:
        """An auction that opens or ends."""
        if auction["event"] == "OPENED":
            lot = (auction["account_id"], auction["instrument_id"])
            self._at_auction[auction["auction_id"]] = lot
        elif auction["event"] == "CLOSED":
            self._at_auction.pop(auction["auction_id"], None)

    def trade(self, now_us: int, indices_e8: Mapping[str, int]) -> list[Event]:
        """The fills of this round."""
        if not self._pace_ppm or now_us < self._next_us:
            return []
        self._next_us = now_us + LEAST_US
        aside = set(self._at_auction.values())
        events: list[Event] = []
        for fund in self._funds:
            held = sorted(self._books.positions(fund, CROSS), key=_by_name)
            for listing, holding in held:
                name = listing.instrument_id
                if name in indices_e8 and (fund, name) not in aside:
                    events += self._close(
                        now_us, fund, listing, holding.quantity_e8, indices_e8[name]
                    )
        return events

    def _close(
        self, now_us: int, fund: str, listing: Listing, held_e8: int, index_e8: int
    ) -> tuple[Event, ...]:
        allowed_e8 = self._depth.within_percent_e8(listing, index_e8, now_us)
        allowed_e8 = max(allowed_e8 * self._pace_ppm // PPM, listing.lot_e8)
        want = Want(fund, CROSS, held_e8 < 0, min(allowed_e8, abs(held_e8)))
        return self._taker.take(want, listing, index_e8, now_us)


def _by_name(position: tuple[Listing, Holding]) -> str:
    """Not the order in which they were taken over: partitions are heard in any order."""
    return position[0].instrument_id
