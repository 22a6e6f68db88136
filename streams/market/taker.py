"""Takes from the book, at once, what a desk wants, and prints the trade."""

from dataclasses import dataclass

from streams.market.depth import Depth
from streams.market.events import Event
from streams.market.exact import floor_to
from streams.market.listings import Listing
from streams.market.tape import Tape, Trade


@dataclass(frozen=True, slots=True)
class Want:
    """At most `quantity_e8`, no worse than `limit_e8`, for a bucket of an account."""

    account_id: str
    bucket: str
    buys: bool
    quantity_e8: int
    limit_e8: int | None = None
    liquidation_id: str | None = None


class Taker:
    """One desk's way into the book; its makers take turns."""

    def __init__(self, depth: Depth, tape: Tape, makers: tuple[str, ...]) -> None:
        self._depth = depth
        self._tape = tape
        self._makers = makers
        self._filled = 0

    def take(self, want: Want, listing: Listing, index_e8: int, now_us: int) -> tuple[Event, ...]:
        """The fills, in whole lots; none where the book has nothing within the limit."""
        sweep = self._depth.sweep(
            listing,
            index_e8,
            now_us,
            buys=want.buys,
            quantity_e8=floor_to(want.quantity_e8, listing.lot_e8),
            limit_e8=want.limit_e8,
        )
        if sweep is None:
            return ()
        self._filled += 1
        trade = Trade(
            account_id=want.account_id,
            maker_id=self._makers[self._filled % len(self._makers)],
            bucket=want.bucket,
            buys=want.buys,
            quantity_e8=sweep.quantity_e8,
            price_e8=sweep.price_e8,
            liquidation_id=want.liquidation_id,
        )
        return self._tape.print(now_us, listing, trade)
