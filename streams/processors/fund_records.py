"""The records that an insurance fund publishes: auctions, questions, orders, transfers."""

from typing import Any

from streams.processors.fund_view import FundView, Holding
from streams.processors.outputs import Output
from streams.processors.transfers import Cause
from streams.state.funds import Auction, Request


def cause(view: FundView, kind: str, now_us: int) -> Cause:
    return Cause(kind, now_us, "", view.partition)


def auction_record(view: FundView, auction: Auction, now_us: int, **event: Any) -> Output:
    """A record of `auctions`: OPENED, AWARDED or CLOSED, as `event` says."""
    values = {
        "event_time": now_us,
        "account_id": view.account_id,
        "auction_id": auction.auction_id,
        "instrument_id": auction.instrument,
        "quantity_e8": auction.quantity_e8,
        "opening_price_e8": auction.opening_price_e8,
        "floor_price_e8": auction.floor_price_e8,
        "awarded_e8": auction.awarded_e8(),
        "closes": auction.closes_us,
        "price_e8": None,
        "bidder": None,
        "bid_id": None,
        "award_e8": 0,
        **event,
    }
    name = f"{auction.auction_id}/{event['event']}/{auction.awarded_e8()}"
    return Output("auctions", view.account_id, values, name, "", view.partition)


def question(view: FundView, request: Request, now_us: int) -> Output:
    """A record of `deleveraging` that every worker answers."""
    values = {
        "event_time": now_us,
        "request_id": request.request_id,
        "event": "ASKED",
        "fund": view.account_id,
        "asset": view.asset,
        "instrument_id": request.instrument,
        "quantity_e8": request.quantity_e8,
        "partition": -1,
        "gain_e8": 0,
        "candidates": [],
    }
    name = request.request_id
    return Output("deleveraging", name, values, f"{name}/ASKED", "", view.partition)


def order(
    view: FundView, holding: Holding, action: str, about: tuple[str, int, int], now_us: int
) -> Output:
    """A record of `liquidations` that tells what becomes of a position of the fund.

    `about` is its id, its number among the fund's records, and the contracts concerned.
    """
    name, number, quantity_e8 = about
    values = {
        "event_time": now_us,
        "account_id": view.account_id,
        "liquidation_id": name,
        "bucket": "cross",
        "episode": 0,
        "step": number,
        "action": action,
        "instrument_id": holding.instrument,
        "side": "SELL" if holding.quantity_e8 > 0 else "BUY",
        "quantity_e8": quantity_e8,
        "limit_price_e8": None,
        "bankruptcy_price_e8": None,
        "deadline": None,
        "equity_e8": view.equity_e8,
        "initial_margin_e8": view.initial_margin_e8,
        "maintenance_margin_e8": view.margin_e8,
        "marks": [
            {
                "instrument_id": one.instrument,
                "mark_e8": one.mark_e8,
                "guard": one.guard.name,
            }
            for one in view.holdings
        ],
    }
    return Output("liquidations", view.account_id, values, name, "", view.partition)
