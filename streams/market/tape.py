"""Prints trades: two fills at one price, booked on both sides."""

from dataclasses import dataclass
from typing import Any

from schemas.units import PPM
from streams.market.books import Booking, Books
from streams.market.events import CROSS, FILLS, Event
from streams.market.listings import Listing

TAKER_FEE_PPM = 500
MAKER_FEE_PPM = -50
"""Market makers are paid to quote."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What an account does against a market maker, whose side is CROSS.

    `isolated_margin_e8` goes with the fill from the cross pool into the bucket; `bucket` is the
    cross pool or the instrument's own.
    """

    account_id: str
    maker_id: str
    bucket: str
    buys: bool
    quantity_e8: int
    price_e8: int
    isolated_margin_e8: int = 0
    liquidation_id: str | None = None


class Tape:
    """Numbers the trades; fill ids are `t-<number>-b` and `-s`."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._printed = 0

    def print(self, now_us: int, listing: Listing, trade: Trade) -> tuple[Event, Event]:
        """Book both sides and return their fills, the account's first."""
        assert trade.quantity_e8 > 0
        assert trade.quantity_e8 % listing.lot_e8 == 0
        assert trade.price_e8 > 0
        assert trade.price_e8 % listing.tick_e8 == 0
        assert trade.account_id != trade.maker_id
        self._printed += 1
        signed_e8 = trade.quantity_e8 if trade.buys else -trade.quantity_e8
        notional_e8 = abs(listing.value_e8(signed_e8, trade.price_e8))
        taker_fee_e8 = notional_e8 * TAKER_FEE_PPM // PPM
        maker_fee_e8 = -(notional_e8 * -MAKER_FEE_PPM // PPM)
        self._books.book(
            listing,
            Booking(
                trade.account_id,
                trade.bucket,
                signed_e8,
                trade.price_e8,
                taker_fee_e8,
                isolated_margin_e8=trade.isolated_margin_e8,
            ),
        )
        self._books.book(
            listing, Booking(trade.maker_id, CROSS, -signed_e8, trade.price_e8, maker_fee_e8)
        )
        common = {
            "event_time": now_us,
            "instrument_id": listing.instrument_id,
            "price_e8": trade.price_e8,
            "quantity_e8": trade.quantity_e8,
            "fee_asset": listing.settlement_asset,
            "liquidation_id": trade.liquidation_id,
        }
        taken: dict[str, Any] = {
            **common,
            "account_id": trade.account_id,
            "fill_id": self._fill_id(buys=trade.buys),
            "side": "BUY" if trade.buys else "SELL",
            "fee_e8": taker_fee_e8,
            "liquidity": "TAKER",
            "margin_mode": "CROSS" if trade.bucket == CROSS else "ISOLATED",
            "isolated_margin_e8": trade.isolated_margin_e8,
        }
        made: dict[str, Any] = {
            **common,
            "account_id": trade.maker_id,
            "fill_id": self._fill_id(buys=not trade.buys),
            "side": "SELL" if trade.buys else "BUY",
            "fee_e8": maker_fee_e8,
            "liquidity": "MAKER",
            "margin_mode": "CROSS",
            "isolated_margin_e8": 0,
        }
        return Event(FILLS, trade.account_id, taken), Event(FILLS, trade.maker_id, made)

    def _fill_id(self, *, buys: bool) -> str:
        return f"t-{self._printed:09d}-{'b' if buys else 's'}"
