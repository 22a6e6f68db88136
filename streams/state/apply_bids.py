"""Bids in the auctions of an insurance fund: kept with the auction until their price has come."""

from collections.abc import Iterator

import numpy as np

from schemas.block import Block, Columns
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.admission import Admission
from streams.state.funds import Auction, Bid
from streams.state.ledger import Applied, Ledger

MOST_BIDS = 1_000
"""Of one auction: what waits is part of the changelog's record of the partition."""


def apply_bids(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Add each bid to its auction; awards follow with the next decision.

    A bid for an auction that is not open is refused; so is one off tick or lot, of a system
    account, or whose id the auction has heard.
    """
    admission, data = Admission(columns), columns.data
    admission.require_text("account_id", "bid_id", "auction_id", "bidder")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    price, quantity = data["price_e8"], data["quantity_e8"]
    admission.require_positive("price_e8", Reason.NON_POSITIVE_PRICE)
    admission.require_positive("quantity_e8", Reason.NON_POSITIVE_QUANTITY)
    for field in ("price_e8", "quantity_e8"):
        admission.require_range(field)
    applied = 0
    for row in np.flatnonzero(admission.ok).tolist():
        auction = _auction(ledger, data["account_id"][row], data["auction_id"][row])
        bid = Bid(data["bid_id"][row], data["bidder"][row], int(price[row]), int(quantity[row]))
        wrong = next(_wrong(ledger, auction, bid), None)
        if wrong is not None:
            holds = np.arange(len(columns)) != row
            reason, why = wrong
            admission.require(holds, reason, lambda _: why)  # noqa: B023 - called at once
        elif auction is not None:
            auction.bids.append(bid)
            auction.heard.append(bid.bid_id)
            applied += 1
    return Applied(applied, admission.refused, np.empty(0, np.int64))


def _auction(ledger: Ledger, account_id: str, auction_id: str) -> Auction | None:
    fund = ledger.funds.get(account_id)
    auctions = fund.auctions if fund else ()
    return next((one for one in auctions if one.auction_id == auction_id), None)


def _wrong(ledger: Ledger, auction: Auction | None, bid: Bid) -> Iterator[tuple[Reason, str]]:
    """The rules that a bid breaks."""
    if auction is None:
        yield Reason.AUCTION_CLOSED, f"bid {bid.bid_id!r} is for an auction that is not open"
        return
    contracts, number = ledger.rules.contracts, ledger.rules.number[auction.instrument]
    tick, lot = int(contracts.tick_e8[number]), int(contracts.lot_e8[number])
    if bid.price_e8 % tick:
        yield Reason.OFF_TICK_PRICE, f"price_e8 {bid.price_e8} is no multiple of {tick}"
    if bid.quantity_e8 % lot:
        yield Reason.OFF_LOT_QUANTITY, f"quantity_e8 {bid.quantity_e8} is no multiple of {lot}"
    if bid.bidder[:1] == "@":
        yield Reason.WRONG_KEY, f"bidder {bid.bidder!r} is a system account"
    if bid.bid_id in auction.heard:
        yield Reason.DUPLICATE_ID, f"bid_id {bid.bid_id!r} was heard before"
    if len(auction.heard) >= MOST_BIDS:
        yield Reason.AMOUNT_OUT_OF_RANGE, f"the auction has {MOST_BIDS} bids already"
