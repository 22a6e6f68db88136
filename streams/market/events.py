"""An event of the exchange: topic, key and record, and the makers of the frequent ones."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.topics import BY_NAME

INSTRUMENTS = BY_NAME["instruments"].name
ASSETS = BY_NAME["assets"].name
RISK_PARAMS = BY_NAME["risk-params"].name
ACCOUNTS = BY_NAME["accounts"].name
PRICES = BY_NAME["prices"].name
FILLS = BY_NAME["fills"].name
COLLATERAL = BY_NAME["collateral"].name
FUNDING = BY_NAME["funding"].name
MARGIN_CALLS = BY_NAME["margin-calls"].name
LIQUIDATIONS = BY_NAME["liquidations"].name
TRANSFERS = BY_NAME["transfers"].name
AUCTIONS = BY_NAME["auctions"].name
AUCTION_BIDS = BY_NAME["auction-bids"].name

CROSS = "cross"
"""The bucket of the cross pool; an isolated bucket is named by its instrument."""


class Event(NamedTuple):
    """A record with the topic it belongs on and the key that partitions it."""

    topic: str
    key: str
    record: dict[str, Any]


def account_event(now_us: int, account_id: str, mode: str = "CROSS") -> Event:
    """How an account wants to be margined: CROSS, ISOLATED or PORTFOLIO."""
    return Event(
        ACCOUNTS,
        account_id,
        {
            "event_time": now_us,
            "account_id": account_id,
            "mode": mode,
            "risk_profile": "standard",
            "status": "ACTIVE",
        },
    )


def funding_event(now_us: int, instrument_id: str, *, rate: float, mark_e8: int) -> Event:
    """A funding payment due now; its id follows from instrument and time."""
    return Event(
        FUNDING,
        instrument_id,
        {
            "event_time": now_us,
            "instrument_id": instrument_id,
            "funding_id": f"{instrument_id}/{now_us}",
            "rate": rate,
            "mark_e8": mark_e8,
            "kind": "FUNDING",
        },
    )


def settlement_event(now_us: int, instrument_id: str, price_e8: int) -> Event:
    """Every position of an instrument ends at this price, which may be 0."""
    return Event(
        FUNDING,
        instrument_id,
        {
            "event_time": now_us,
            "instrument_id": instrument_id,
            "funding_id": f"{instrument_id}/settlement",
            "rate": 0.0,
            "mark_e8": price_e8,
            "kind": "SETTLEMENT",
        },
    )


def bid_event(now_us: int, auction: Mapping[str, Any], bidder: str, **bid: int) -> Event:
    """An account's bid (`price_e8`, `quantity_e8`) in an auction; one an auction and account."""
    auction_id, seller = auction["auction_id"], auction["account_id"]
    return Event(
        AUCTION_BIDS,
        seller,
        {
            "event_time": now_us,
            "account_id": seller,
            "bid_id": f"{auction_id}/{bidder}",
            "auction_id": auction_id,
            "bidder": bidder,
            **bid,
        },
    )


class Cashier:
    """Makes collateral records, each with an id of its own."""

    def __init__(self) -> None:
        self._made = 0

    def deposit(self, now_us: int, account_id: str, asset: str, amount_e8: int) -> Event:
        return self._event(now_us, account_id, asset, amount_e8, kind="DEPOSIT")

    def withdrawal(self, now_us: int, account_id: str, asset: str, amount_e8: int) -> Event:
        """`amount_e8` is positive here and negative in the record."""
        return self._event(now_us, account_id, asset, -amount_e8, kind="WITHDRAWAL")

    def into_bucket(
        self, now_us: int, account_id: str, asset: str, amount_e8: int, *, instrument_id: str
    ) -> Event:
        """From the cross pool into the isolated bucket of an instrument."""
        return self._event(
            now_us, account_id, asset, amount_e8, kind="TRANSFER", instrument_id=instrument_id
        )

    def _event(
        self,
        now_us: int,
        account_id: str,
        asset: str,
        amount_e8: int,
        *,
        kind: str,
        instrument_id: str | None = None,
    ) -> Event:
        self._made += 1
        return Event(
            COLLATERAL,
            account_id,
            {
                "event_time": now_us,
                "account_id": account_id,
                "collateral_id": f"c-{self._made:09d}",
                "asset": asset,
                "amount_e8": amount_e8,
                "kind": kind,
                "isolated_instrument_id": instrument_id,
            },
        )
