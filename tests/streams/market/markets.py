"""Small markets for tests, a naive risk engine, and a digest of what was published."""

import hashlib
import json
from collections.abc import Iterator

from streams.market.config import MarketConfig
from streams.market.events import Event
from streams.market.exchange import Exchange
from streams.market.listings import Listing


def small(seed: int = 7, **changes: object) -> MarketConfig:
    """Forty accounts, a quick opening, a crash after ten seconds, thirty seconds in all."""
    settings: dict[str, object] = {
        "seed": seed,
        "accounts": 40,
        "makers": 2,
        "fills_per_s": 80.0,
        "opening_s": 5.0,
        "crash_at_s": 10.0,
        "fall_s": 30.0,
        "duration_s": 30.0,
        "funding_interval_s": 8.0,
    }
    return MarketConfig(**{**settings, **changes})  # type: ignore[arg-type]


def events_of(exchange: Exchange, *, engine: bool = False) -> Iterator[Event]:
    """Every event to the end; with `engine` the accounts that broke are liquidated and called."""
    yield from exchange.opening()
    step = 0
    while (events := exchange.step()) is not None:
        yield from events
        step += 1
        if engine:
            _liquidate(exchange, step)


def digest(exchange: Exchange, *, engine: bool = False) -> str:
    sha = hashlib.sha256()
    for event in events_of(exchange, engine=engine):
        sha.update(json.dumps(event, sort_keys=True).encode())
    return sha.hexdigest()


def order(
    account_id: str,
    instrument_id: str | None,
    *,
    quantity_e8: int = 0,
    side: str | None = None,
    limit_e8: int | None = None,
    liquidation_id: str = "l-1",
    **changes: object,
) -> dict[str, object]:
    """A record of `liquidations`: REDUCE of the cross bucket unless `changes` say otherwise."""
    return {
        "event_time": 0,
        "account_id": account_id,
        "liquidation_id": liquidation_id,
        "bucket": "cross",
        "episode": 1,
        "step": 1,
        "action": "REDUCE",
        "instrument_id": instrument_id,
        "side": side,
        "quantity_e8": quantity_e8,
        "limit_price_e8": limit_e8,
        "bankruptcy_price_e8": None,
        "deadline": None,
        "equity_e8": 0,
        "initial_margin_e8": 0,
        "maintenance_margin_e8": 0,
        "marks": [],
        **changes,
    }


def call(account_id: str, *, top_up_e8: int, **changes: object) -> dict[str, object]:
    """A record of `margin-calls`: a CALL on the cross bucket unless `changes` say otherwise."""
    return {
        "event_time": 0,
        "account_id": account_id,
        "call_id": f"{account_id}/cross/1/1",
        "bucket": "cross",
        "episode": 1,
        "level": "CALL",
        "equity_e8": 0,
        "initial_margin_e8": 0,
        "maintenance_margin_e8": 0,
        "shortfall_initial_e8": 0,
        "shortfall_maintenance_e8": 0,
        "top_up_e8": top_up_e8,
        "deadline": None,
        "marks": [],
        **changes,
    }


def held(exchange: Exchange) -> Iterator[tuple[str, str, Listing, int]]:
    """Account, bucket, listing and signed quantity of every trader's position."""
    listings = exchange.catalogue.listings
    for trader in exchange.population.traders:
        account = exchange.books.account(trader.account_id)
        for (bucket, instrument_id), holding in account.holdings.items():
            yield trader.account_id, bucket, listings[instrument_id], holding.quantity_e8


def _liquidate(exchange: Exchange, step: int) -> None:
    for account_id, bucket, listing, quantity_e8 in list(held(exchange)):
        equity = exchange.books.equity_usd(account_id, bucket)
        notional = exchange.books.notional_usd(account_id, bucket)
        if equity < 0.02 * notional:
            exchange.on_margin_call(
                call(account_id, top_up_e8=10**9, bucket=bucket, call_id=f"{account_id}/{bucket}")
            )
        if equity < 0.01 * notional:
            exchange.on_liquidation(
                order(
                    account_id,
                    listing.instrument_id,
                    quantity_e8=abs(quantity_e8),
                    bucket=bucket,
                    side="SELL" if quantity_e8 > 0 else "BUY",
                    liquidation_id=f"{account_id}/{bucket}/{listing.instrument_id}/{step}",
                )
            )


def leg(
    account_id: str, kind: str, *, transfer_id: str = "t", number: int = 0, **amounts: object
) -> dict[str, object]:
    """A record of `transfers`: a leg on the cross bucket that moves what `amounts` say."""
    return {
        "event_time": 0,
        "account_id": account_id,
        "transfer_id": transfer_id,
        "leg": number,
        "legs": 2,
        "kind": kind,
        "bucket": "cross",
        "asset": None,
        "amount_e8": 0,
        "instrument_id": None,
        "quantity_e8": 0,
        "cost_e8": 0,
        **amounts,
    }


def auction(quantity_e8: int, *, floor_e8: int, **changes: object) -> dict[str, object]:
    """A record of `auctions`: SOL-PERP of the fund, OPENED unless `changes` say otherwise."""
    return {
        "event_time": 0,
        "account_id": "@insurance:USDT",
        "auction_id": "@insurance:USDT/1",
        "instrument_id": "SOL-PERP",
        "quantity_e8": quantity_e8,
        "opening_price_e8": floor_e8,
        "floor_price_e8": floor_e8,
        "awarded_e8": 0,
        "event": "OPENED",
        "sealed": False,
        "closes": 2**62,
        "price_e8": None,
        "bidder": None,
        "bid_id": None,
        "award_e8": 0,
        **changes,
    }
