"""Auctions find bidders: each at its own discount, within its means, and in time."""

from typing import Any

from schemas.record_codec import encode
from schemas.units import E8
from streams.market.bidders import Bidders
from streams.market.books import Books
from streams.market.contracts import seeded_catalogue
from streams.market.events import CROSS, Event
from streams.market.population import Population, populate
from tests.streams.market.markets import auction

CATALOGUE = seeded_catalogue()
MARKS = {name: each.first_price_e8 for name, each in CATALOGUE.listings.items()}
MARK_E8 = MARKS["SOL-PERP"]
LATER_US = 10_000_000


class Hall:
    """A thousand accounts with what they brought, and an ear for auctions."""

    def __init__(self, seed: int = 5) -> None:
        self.people: Population = populate(CATALOGUE, seed=seed, accounts=1_000, makers=1)
        self.books = Books(CATALOGUE, MARKS)
        for trader in self.people.traders:
            amount_e8 = round(trader.wealth_usd * E8)
            self.books.account(trader.account_id).add(CROSS, "USDT", amount_e8)
        self.bidders = Bidders(
            CATALOGUE, self.people.traders, books=self.books, marks_e8=MARKS, seed=seed
        )

    def bids(self, record: dict[str, Any], until_us: int = LATER_US) -> list[Event]:
        self.bidders.hear(record, 0)
        return self.bidders.due(until_us)


def test_bids_are_records_of_the_fund_on_tick_and_on_lot() -> None:
    opened = auction(10**6 * E8, floor_e8=MARK_E8 * 9 // 10)
    bids = Hall().bids(opened)
    assert len(bids) >= 3
    listing = CATALOGUE.listings["SOL-PERP"]
    for bid in bids:
        encode("bid", bid.record)
        assert (bid.topic, bid.key) == ("auction-bids", "@insurance:USDT")
        assert opened["floor_price_e8"] <= bid.record["price_e8"] <= MARK_E8
        assert bid.record["price_e8"] % listing.tick_e8 == 0
        assert bid.record["quantity_e8"] % listing.lot_e8 == 0
    assert len({bid.record["price_e8"] for bid in bids}) > 1, "tastes differ"


def test_for_a_short_position_bids_are_above_the_mark() -> None:
    opened = auction(-(10**6) * E8, floor_e8=MARK_E8 * 11 // 10)
    bids = Hall().bids(opened)
    assert bids
    for bid in bids:
        assert MARK_E8 <= bid.record["price_e8"] <= opened["floor_price_e8"]


def test_nobody_bids_below_the_floor_or_for_more_than_is_sold() -> None:
    assert Hall().bids(auction(E8, floor_e8=MARK_E8)) == []
    few = Hall().bids(auction(E8, floor_e8=MARK_E8 // 2))
    assert few
    assert all(bid.record["quantity_e8"] <= E8 for bid in few)


def test_an_account_bids_for_no_more_than_three_times_its_means_in_all_auctions() -> None:
    hall, bid_e8 = Hall(), dict[str, int]()
    for number in range(4):
        opened = auction(10**6 * E8, floor_e8=MARK_E8 // 2, auction_id=f"@insurance:USDT/{number}")
        for bid in hall.bids(opened):
            name = bid.record["bidder"]
            bid_e8[name] = bid_e8.get(name, 0) + bid.record["quantity_e8"]
    wealth = {trader.account_id: trader.wealth_usd for trader in hall.people.traders}
    assert bid_e8
    for name, quantity_e8 in bid_e8.items():
        assert quantity_e8 / E8 * (MARK_E8 / E8) <= 3 * wealth[name] * (1 + 1e-9)


def test_a_bid_after_the_close_is_not_made() -> None:
    hall = Hall()
    assert hall.bids(auction(E8, floor_e8=MARK_E8 // 2, closes=1)) == []
    hall.bidders.hear(auction(E8, floor_e8=1, auction_id="other"), 0)
    hall.bidders.hear(auction(E8, floor_e8=1, auction_id="other", event="CLOSED"), 0)
    assert hall.bidders.due(LATER_US) == []


def test_the_same_seed_is_the_same_bids_and_an_opening_heard_twice_is_one() -> None:
    opened = auction(10**6 * E8, floor_e8=MARK_E8 // 2)
    hall = Hall()
    hall.bidders.hear(opened, 0)
    assert hall.bids(opened) == Hall().bids(opened)
    assert Hall(seed=6).bids(opened) != Hall().bids(opened)
