"""Auctions of what an insurance fund cannot carry: opened, awarded, closed."""

import numpy as np

from risk.liquidation.auction import award_e8, price_at
from streams.processors.fund_records import auction_record, cause, order
from streams.processors.fund_view import FundView, Holding, value_e8
from streams.processors.outputs import Output
from streams.processors.transfers import Leg, transfer
from streams.state.funds import Auction, Bid, Fund
from streams.state.ledger import Ledger

Sale = tuple[Holding, int]
"""A position of the fund and how many contracts of it are for sale."""


def open_auctions(
    ledger: Ledger,
    view: FundView,
    fund: Fund,
    sales: list[Sale],
    *,
    allowance_e8: int,
    window_us: tuple[int, int],
    sealed: bool,
) -> list[Output]:
    """Offer positions from the mark on, down (a short: up) to what the fund can give.

    That is its allowance, by the positions' part of the margin, and at most that margin.
    `window_us` are the opening and the close.
    """
    opened_us, closes_us = window_us
    outputs = []
    for holding, contracts_e8 in sales:
        long = holding.quantity_e8 > 0
        part_e8 = allowance_e8 * holding.margin_e8 // max(view.margin_e8, 1)
        given_e8 = max(min(part_e8, holding.margin_e8), 0)
        auction = Auction(
            fund.next_id(view.account_id),
            holding.instrument,
            contracts_e8 if long else -contracts_e8,
            contracts_e8 if long else -contracts_e8,
            _on_tick(ledger, holding, holding.mark_e8),
            _on_tick(ledger, holding, _price_after(ledger, holding, given_e8)),
            opened_us,
            closes_us,
        )
        fund.auctions.append(auction)
        about = (auction.auction_id, fund.number, contracts_e8)
        outputs.append(order(view, holding, "AUCTION", about, opened_us))
        outputs.append(auction_record(view, auction, opened_us, event="OPENED", sealed=sealed))
    return outputs


def award(
    ledger: Ledger, view: FundView, auction: Auction, now_us: int, *, sealed: bool
) -> list[Output]:
    """Transfers to the bids that meet the price; a sealed auction is awarded at its close.

    Open: at the price now. Sealed: at each bid's own price, the best first.
    """
    holding = next((one for one in view.holdings if one.instrument == auction.instrument), None)
    long = auction.quantity_e8 > 0
    if holding is None or (holding.quantity_e8 > 0) != long:
        auction.left_e8 = 0  # sold otherwise meanwhile
        return []
    left_e8 = min(abs(auction.left_e8), abs(holding.quantity_e8))
    span = (auction.opening_price_e8, auction.floor_price_e8)
    price_e8 = price_at(*span, auction.opened_us, auction.closes_us, now_us)
    price_e8 = _on_tick(ledger, holding, price_e8)
    if sealed and now_us < auction.closes_us:
        return []
    bids = auction.bids
    awarded_e8 = award_e8(
        np.array([bid.price_e8 for bid in bids], np.int64),
        np.array([bid.quantity_e8 for bid in bids], np.int64),
        left_e8,
        price_e8,
        long=long,
        sealed=sealed,
    )
    outputs = []
    for bid, contracts_e8 in zip(bids, awarded_e8.tolist(), strict=True):
        if contracts_e8:
            signed_e8 = contracts_e8 if long else -contracts_e8
            auction.left_e8 -= signed_e8
            bid.quantity_e8 -= contracts_e8
            at_e8 = bid.price_e8 if sealed else price_e8
            outputs += _sold(ledger, view, auction, (bid, signed_e8, at_e8), now_us)
    auction.bids = [bid for bid in bids if bid.quantity_e8]
    return outputs


def close(view: FundView, auction: Auction, now_us: int, *, sealed: bool) -> Output:
    return auction_record(view, auction, now_us, event="CLOSED", sealed=sealed)


def _sold(
    ledger: Ledger, view: FundView, auction: Auction, sale: tuple[Bid, int, int], now_us: int
) -> list[Output]:
    bid, signed_e8, price_e8 = sale
    number = ledger.rules.number[auction.instrument]
    there = Leg(
        bid.bidder,
        instrument_id=auction.instrument,
        quantity_e8=signed_e8,
        cost_e8=value_e8(ledger, number, signed_e8, price_e8),
    )
    name = f"{auction.auction_id}/{bid.bid_id}/{abs(auction.left_e8)}"
    legs = [there.to(view.account_id), there]
    told = {"event": "AWARDED", "price_e8": price_e8, "bidder": bid.bidder, "bid_id": bid.bid_id}
    return [
        auction_record(view, auction, now_us, **told, award_e8=signed_e8),
        *transfer(ledger, cause(view, "AUCTION", now_us), name, legs),
    ]


def _price_after(ledger: Ledger, holding: Holding, given_e8: int) -> int:
    """The price at which the position is worth that much less than at its mark."""
    contracts = ledger.rules.contracts
    at_mark_e8 = value_e8(ledger, holding.number, holding.quantity_e8, holding.mark_e8)
    wanted_e8 = at_mark_e8 - given_e8
    if contracts.inverse[holding.number]:
        # value = -units / price: no price is high enough where a short is to lose all its value
        reachable = wanted_e8 * at_mark_e8 > 0
        return holding.mark_e8 * at_mark_e8 // wanted_e8 if reachable else 2 * holding.mark_e8
    return max(holding.mark_e8 * wanted_e8 // at_mark_e8, 1) if at_mark_e8 else holding.mark_e8


def _on_tick(ledger: Ledger, holding: Holding, price_e8: int) -> int:
    """Up for what is sold and down for what is bought: never worse for the fund."""
    tick_e8 = int(ledger.rules.contracts.tick_e8[holding.number])
    lower = price_e8 // tick_e8 * tick_e8
    up = holding.quantity_e8 > 0 and lower < price_e8
    return max(lower + tick_e8 if up else lower, tick_e8)
