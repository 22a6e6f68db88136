"""What becomes of a bankrupt account: the fund, auctions, winners, and every unit of it."""

import numpy as np
import pytest

from schemas.units import E8
from streams.processors.waterfall import FundRules
from streams.state.partition_log import Image
from tests.streams.processors.venue import FUND, PARTITIONS, STEP_US, Venue
from tests.streams.state.exchange import instrument, risk_params

S_US = 1_000_000


def crash(venue: Venue, *, fund: int = 0, step_us: int = STEP_US) -> None:
    """alice, long 1 at 50,000 with 2,000, goes under at 47,500 against bob and carol, short."""
    if fund:
        venue.pay_in(FUND, fund)
    for name, money in (("alice", 2_000), ("bob", 30_000), ("carol", 30_000)):
        venue.pay_in(name, money)
    venue.tick(50_000)
    venue.trade("alice", "bob", 50_000, 0.75)
    venue.trade("alice", "carol", 50_000, 0.25)
    venue.tick(50_000, 2)
    venue.tick(47_500, 12 * STEP_US // step_us, step_us=step_us)


def test_without_a_fund_winners_take_over_and_give_up_the_deficit_and_no_more():
    venue = Venue()
    crash(venue)
    assert venue.quantity("alice") == venue.quantity(FUND) == 0
    assert venue.quantity("bob") == venue.quantity("carol") == 0
    assert venue.equity("alice", 47_500) == venue.equity(FUND, 47_500) == 0
    # alice was 500 under water: the winners, who gained 2,500, have that much less of it
    assert venue.equity("bob", 47_500) == 30_000 + 0.75 * 2_000
    assert venue.equity("carol", 47_500) == 30_000 + 0.25 * 2_000
    assert venue.kinds() == {"TAKEOVER": 1, "DELEVERAGE": 2}


def test_a_fund_that_can_carry_the_position_bears_the_loss_alone():
    venue = Venue()
    crash(venue, fund=2_000)
    assert venue.quantity(FUND) == 1
    assert venue.equity(FUND, 47_500) == 1_500
    assert venue.equity("bob", 47_500) == 30_000 + 0.75 * 2_500
    assert venue.kinds() == {"TAKEOVER": 1}


def test_a_fund_acts_ten_times_a_second_at_most_however_often_prices_tick():
    venue = Venue()
    crash(venue, step_us=10_000)
    questions = [one for one in venue.told["deleveraging"] if one["event"] == "ASKED"]
    given = [leg for leg in venue.told["transfers"] if leg["kind"] == "DELEVERAGE"]
    times_us = sorted({one["event_time"] for one in questions + given})
    assert min(np.diff(times_us)) >= 100_000


def test_a_fund_sheds_only_what_it_cannot_carry_and_at_the_mark():
    venue = Venue()
    crash(venue, fund=800)  # 300 left, and the position asks for 475 of maintenance margin
    assert 0 < venue.quantity(FUND) == pytest.approx(300 / 475, abs=0.002)
    assert venue.equity(FUND, 47_500) == 300
    assert venue.equity("bob", 47_500) == 30_000 + 0.75 * 2_500
    assert venue.kinds()["DELEVERAGE"] == 1  # bob alone ranks first


def test_the_cap_of_a_window_leaves_the_rest_to_the_winners():
    venue = Venue(FundRules(auction_ms=0, gather_ms=500, window_cap_e8=200 * E8))
    crash(venue, fund=5_000)
    assert venue.equity(FUND, 47_500) == 4_800
    assert venue.quantity(FUND) == 0
    assert venue.equity("bob", 47_500) + venue.equity("carol", 47_500) == 60_000 + 2_500 - 300


def no_winner_left(venue: Venue, *, eth: int = 2_400) -> None:
    """As `crash`, but those who were short have realised their gain: whoever is short now has no
    profit. frank, erin and ted gain on ETH from gwen, who can pay."""
    names = {"alice": 2_000, "bob": 30_000, "dave": 90_000, "gwen": 90_000}
    for name, money in {**names, "frank": 5_000, "erin": 5_000, "ted": 5_000}.items():
        venue.pay_in(name, money)
    for name, price in (("BTC-PERP", 50_000), ("ETH-PERP", 2_000)):
        venue.tick(price, name=name)
    venue.trade("alice", "bob", 50_000)
    for name, contracts in (("frank", 30), ("erin", 20), ("ted", 10)):
        venue.trade(name, "gwen", 2_000, contracts, "ETH-PERP")
    venue.trade("bob", "dave", 47_400)
    venue.tick(eth, name="ETH-PERP")


def test_without_winners_in_the_instrument_all_winners_of_the_asset_share_the_loss():
    venue = Venue()
    no_winner_left(venue)
    money = venue.balances()
    venue.tick(47_500, 150)
    given = given_of_gains(venue)
    # of gains of 1,200, 800 and 400 a loss of 500 takes the same part, to the last unit
    assert sum(given.values()) == 500 * E8
    assert given["frank"] == pytest.approx(250 * E8, abs=2)
    assert given["erin"] == pytest.approx(500 * E8 / 3, abs=2)
    assert all(venue.balances()[name, "cross", "USDT"] == money[name, "cross", "USDT"]
               for name in given), "a winner gives of its gain, not of its money"  # fmt: skip
    assert venue.equity(FUND, 47_500) == 0
    assert venue.quantity("dave") == -1, "who has no profit is not made to realise a loss"


def given_of_gains(venue: Venue) -> dict[str, int]:
    """By how much the longs of `no_winner_left` cost more than was paid for them, e8."""
    paid = {"frank": 6_000 * E8, "erin": 4_000 * E8, "ted": 2_000 * E8}
    held = venue.positions()
    return {name: held[name, "cross", "ETH-PERP"][1] - cost for name, cost in paid.items()}


def test_a_fund_that_stays_in_deficit_takes_each_gain_once_and_asks_less_and_less_often():
    venue = Venue()
    no_winner_left(venue, eth=2_040)
    gains = {"frank": 120 * E8, "erin": 80 * E8, "ted": 40 * E8}
    venue.tick(47_500, 100)
    assert given_of_gains(venue) == gains
    assert venue.equity(FUND, 47_500) == -500 + 240
    moved, asked = venue.kinds(), questions(venue)
    venue.tick(47_500, 120, step_us=S_US)
    assert venue.kinds() == moved, "nobody gives more than it has gained"
    assert given_of_gains(venue) == gains
    # two minutes: after 2 s, then 4, 8, 16, 32 and 64, each time for the position and for the gain
    assert questions(venue) - asked <= 12
    venue.tick(2_050, name="ETH-PERP")
    venue.tick(47_500, 70, step_us=S_US)
    assert given_of_gains(venue) == {name: gain * 5 // 4 for name, gain in gains.items()}
    assert venue.equity(FUND, 47_500) == -500 + 300


def questions(venue: Venue) -> int:
    return sum(one["event"] == "ASKED" for one in venue.told["deleveraging"])


def test_a_winner_that_has_closed_meanwhile_keeps_what_it_has_and_the_next_one_is_asked():
    venue = Venue()

    def close() -> None:
        legs = [leg for _, leg in venue.unread if leg.get("kind") == "DELEVERAGE"]
        if any(leg["account_id"] == "bob" for leg in legs) and venue.quantity("bob"):
            venue.trade("bob", "zoe", 47_500, 0.75)

    venue.pay_in("zoe", 90_000)
    venue.meanwhile = close
    crash(venue)
    venue.tick(47_400, 80)
    assert venue.kinds()["RETURN"] == 1
    assert venue.equity("bob", 47_400) == 30_000 + 0.75 * 2_500
    assert venue.quantity(FUND) == 0
    assert venue.quantity("zoe") == 0, "who sold to bob was next"


def test_bids_are_awarded_as_the_price_falls_and_the_rest_is_handed_to_winners():
    venue = Venue(FundRules(auction_ms=5_000, gather_ms=500))
    for name in ("mary", "nick"):
        venue.pay_in(name, 20_000)
    crash(venue, fund=800)
    assert venue.told["auctions"][0]["event"] == "OPENED"
    for_sale = venue.told["auctions"][0]["quantity_e8"] / E8
    venue.bid("m1", "mary", 47_500, 0.1)
    venue.bid("n1", "nick", 47_300, 0.1)
    venue.bid("n2", "nick", 47_000, 1)  # below what the fund can give
    venue.tick(47_500)
    assert venue.quantity("mary") == 0.1
    assert venue.quantity("nick") == 0
    venue.tick(47_500, 60)
    assert venue.quantity("nick") == 0.1
    awards = [one for one in venue.told["auctions"] if one["event"] == "AWARDED"]
    assert [one["bid_id"] for one in awards] == ["m1", "n1"]
    assert awards[1]["price_e8"] <= 47_300 * E8
    handed = for_sale - 0.2
    assert 1 - venue.quantity(FUND) - 0.2 == pytest.approx(handed, abs=0.11)
    assert venue.kinds()["AUCTION"] == 2
    assert venue.kinds()["DELEVERAGE"] >= 1


def test_a_sealed_auction_goes_to_the_best_bids_at_their_prices_at_the_close():
    venue = Venue(FundRules(auction_ms=5_000, auction_sealed=True, auction_first=True))
    for name in ("mary", "nick"):
        venue.pay_in(name, 20_000)
    crash(venue, fund=3_000)
    venue.bid("m1", "mary", 47_300, 0.6)
    venue.bid("n1", "nick", 47_400, 0.6)
    venue.tick(47_500)
    assert venue.quantity("nick") == 0
    venue.tick(47_500, 60)
    assert (venue.quantity("nick"), venue.quantity("mary")) == (0.6, 0.4)
    assert venue.quantity(FUND) == 0
    assert venue.equity(FUND, 47_500) == 3_000 - 500 - 0.6 * 100 - 0.4 * 200


def test_a_bidder_without_the_margin_for_it_is_not_given_the_position():
    venue = Venue(FundRules(auction_ms=5_000, auction_first=True))
    venue.pay_in("poor", 100)
    crash(venue, fund=3_000)
    venue.bid("p1", "poor", 47_500, 1)
    venue.tick(47_500, 10)
    assert venue.quantity("poor") == 0
    assert venue.kinds()["RETURN"] == 1
    assert venue.quantity(FUND) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"auction_id": "none"}, "AUCTION_CLOSED"),
        ({"price_e8": 47_500 * E8 + 1}, "OFF_TICK_PRICE"),
        ({"quantity_e8": 1}, "OFF_LOT_QUANTITY"),
        ({"quantity_e8": 0}, "NON_POSITIVE_QUANTITY"),
        ({"bidder": "@fees:USDT#0"}, "WRONG_KEY"),
        ({"bid_id": "again"}, "DUPLICATE_ID"),
    ],
)
def test_a_bad_bid_is_a_dead_letter_with_its_reason(wrong, reason):
    venue = Venue(FundRules(auction_ms=60_000, auction_first=True))
    crash(venue, fund=3_000)
    venue.bid("again", "mary", 47_000, 0.1)
    name = venue.told["auctions"][0]["auction_id"]
    good = {
        "event_time": 1_760_000_000_000_000, "account_id": FUND, "bid_id": "b", "bidder": "mary",
        "auction_id": name, "price_e8": 47_500 * E8, "quantity_e8": E8 // 10,
    }  # fmt: skip
    venue.send("auction-bids", {**good, **wrong})
    venue.read_back()
    assert [one["reason"] for one in venue.told["dead-letters"]] == [reason]


def test_a_question_that_was_answered_is_not_answered_again_after_a_restart():
    venue = Venue()
    crash(venue)
    again = Venue()
    again.tick(47_500)
    for record in venue.told["deleveraging"]:
        again.send("deleveraging", record)
    again.tick(47_500)
    assert venue.told["deleveraging"]
    assert again.told["deleveraging"] == []


def test_a_hedged_leg_is_asked_after_one_that_is_not():
    """bob has the larger short, and as large a long in the future on the same underlying."""
    venue = Venue()
    dated = {"underlying": "BTC-PERP", "expiry": 2_000_000_000_000_000}
    venue.send("instruments", instrument("BTC-LATE", "LINEAR_FUTURE", "BTC", "USDT", **dated))
    venue.send("risk-params", risk_params("BTC-LATE"))
    venue.pay_in("dave", 90_000)
    venue.tick(50_000, name="BTC-LATE")
    venue.trade("bob", "dave", 50_000, 0.75, "BTC-LATE")
    crash(venue, fund=880)  # it can carry most of it
    handed = [leg for leg in venue.told["transfers"] if leg["kind"] == "DELEVERAGE"]
    assert {leg["account_id"] for leg in handed} == {FUND, "carol"}


def test_a_fund_waits_for_all_that_a_takeover_brings():
    """With the loss alone it would look ruined, and winners would pay for it."""
    venue = Venue()

    def hold_back() -> None:
        legs = [one for one in venue.unread if one[1].get("kind") == "TAKEOVER"]
        late.extend(one for one in legs if one[1]["account_id"] == FUND and one[1]["asset"])
        venue.unread = [one for one in venue.unread if one not in late]

    late: list[tuple[str, dict[str, object]]] = []
    venue.require_conserved = lambda: None  # legs are held back
    venue.meanwhile = hold_back
    crash(venue, fund=500)
    assert late
    assert venue.quantity(FUND) == 1
    assert not venue.told["deleveraging"]
    venue.meanwhile = lambda: None
    for topic, record in late:
        venue.send(topic, record)
    del venue.require_conserved
    venue.tick(47_500, 20)
    assert venue.equity(FUND, 47_500) == 0
    assert venue.equity("bob", 47_500) == 30_000 + 0.75 * 2_500


@pytest.mark.parametrize("fund", [0, 800])
def test_a_worker_that_takes_over_goes_on_where_the_fund_was(fund):
    """Every turn a new worker, from the changelog alone, with legs unread and answers lost."""
    whole, split = Venue(), Venue()
    images = {number: Image() for number in range(PARTITIONS)}

    def restart() -> None:
        ends = {number: split.cycle.ends(number) for number in range(PARTITIONS)}
        for number, pairs in split.cycle.log.records(ends).items():
            images[number].take(pairs)
            split.cycle.take_partition(number, images[number].records)

    split.meanwhile = restart
    for venue in (whole, split):
        venue.slow.extend([[], [], [], []])
        crash(venue, fund=fund)
        venue.tick(47_500, 40)
    assert split.kinds() == whole.kinds()
    assert split.balances() == whole.balances()
    assert split.positions() == whole.positions()
    assert not any(split.cycle.ledger.awaited.values())
