"""Executes the liquidation orders of the risk engine, each once and reduce-only."""

from collections.abc import Mapping
from typing import Any

from streams.market.books import Books
from streams.market.depth import Depth
from streams.market.events import Event
from streams.market.listings import Catalogue
from streams.market.taker import Taker, Want
from streams.market.tape import Tape

INFORMATION = frozenset({"CANCEL_ORDERS", "AUCTION", "DELEVERAGE", "COMPLETED", "ABORTED"})
"""Actions that ask the exchange for nothing here: it keeps no resting orders of accounts."""


class Execution:
    """The order desk: a REDUCE is filled at once against the depth, what is left is cancelled."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        books: Books,
        depth: Depth,
        tape: Tape,
        makers: tuple[str, ...],
    ) -> None:
        self._listings = catalogue.listings
        self._books = books
        self._taker = Taker(depth, tape, makers)
        self._makers = makers
        self._seen: set[str] = set()

    def execute(
        self, order: Mapping[str, Any], now_us: int, indices_e8: Mapping[str, int]
    ) -> tuple[Event, ...]:
        """The fills of an order; none for a repeat, a foreign instrument or an empty book."""
        liquidation_id = order["liquidation_id"]
        if order["action"] in INFORMATION or liquidation_id in self._seen:
            return ()
        self._seen.add(liquidation_id)
        if order["action"] == "TAKE_OVER":
            self._books.drop(order["account_id"], order["bucket"], order["instrument_id"])
            return ()
        return self._reduce(order, now_us, indices_e8)

    def _reduce(
        self, order: Mapping[str, Any], now_us: int, indices_e8: Mapping[str, int]
    ) -> tuple[Event, ...]:
        listing = self._listings.get(order["instrument_id"] or "")
        if listing is None or listing.instrument_id not in indices_e8:
            return ()
        account_id, bucket = order["account_id"], order["bucket"]
        held_e8 = self._books.quantity_e8(account_id, bucket, listing.instrument_id)
        buys = order["side"] == "BUY"
        if held_e8 == 0 or buys == (held_e8 > 0) or account_id in self._makers:
            return ()
        want = Want(
            account_id,
            bucket,
            buys,
            quantity_e8=min(order["quantity_e8"], abs(held_e8)),
            limit_e8=order["limit_price_e8"],
            liquidation_id=order["liquidation_id"],
        )
        return self._taker.take(want, listing, indices_e8[listing.instrument_id], now_us)
