"""What funds do with what they took over: genuine stories are clean, each false entry is found."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.units import E8
from streams.processors.waterfall import FundRules
from tests.streams.audit.venue import RecordedVenue
from tests.streams.processors.test_waterfall import crash, no_winner_left
from tests.streams.processors.venue import FUND

OPEN = FundRules(auction_ms=5_000, gather_ms=500)
SEALED = FundRules(auction_ms=5_000, auction_sealed=True, auction_first=True)


def deleveraged() -> RecordedVenue:
    venue = RecordedVenue()
    crash(venue)
    return venue


def capped() -> RecordedVenue:
    venue = RecordedVenue(FundRules(auction_ms=0, gather_ms=500, window_cap_e8=200 * E8))
    crash(venue, fund=5_000)
    return venue


def socialised() -> RecordedVenue:
    venue = RecordedVenue()
    no_winner_left(venue)
    venue.tick(47_500, 150)
    return venue


def returned() -> RecordedVenue:
    """bob closes what he is asked for before he hears of it."""
    venue = RecordedVenue()

    def close() -> None:
        asked = [leg for _, leg in venue.unread if leg.get("kind") == "DELEVERAGE"]
        if any(leg["account_id"] == "bob" for leg in asked) and venue.quantity("bob"):
            venue.trade("bob", "zoe", 47_500, 0.75)

    venue.pay_in("zoe", 90_000)
    venue.meanwhile = close
    crash(venue)
    venue.tick(47_400, 80)
    return venue


def bidders(rules: FundRules, fund: int) -> RecordedVenue:
    venue = RecordedVenue(rules)
    for name in ("mary", "nick"):
        venue.pay_in(name, 20_000)
    crash(venue, fund=fund)
    return venue


def auctioned() -> RecordedVenue:
    venue = bidders(OPEN, 800)
    venue.bid("m1", "mary", 47_500, 0.1)
    venue.bid("n1", "nick", 47_300, 0.1)
    venue.bid("n2", "nick", 47_000, 1)
    venue.tick(47_500, 61)
    return venue


def sealed() -> RecordedVenue:
    venue = bidders(SEALED, 3_000)
    venue.bid("m1", "mary", 47_300, 0.6)
    venue.bid("n1", "nick", 47_400, 0.6)
    venue.tick(47_500, 61)
    return venue


def refused_award() -> RecordedVenue:
    venue = RecordedVenue(FundRules(auction_ms=5_000, auction_first=True))
    venue.pay_in("poor", 100)
    crash(venue, fund=3_000)
    venue.bid("p1", "poor", 47_500, 1)
    venue.tick(47_500, 10)
    return venue


@pytest.mark.parametrize(
    ("story", "kinds"),
    [
        (deleveraged, {"DELEVERAGE": 2, "TAKEOVER": 1}),
        (capped, {"DELEVERAGE": 2, "TAKEOVER": 1}),
        (socialised, {"SOCIALISED_LOSS": 4, "TAKEOVER": 1}),
        (returned, {"DELEVERAGE": 3, "RETURN": 1, "TAKEOVER": 1}),
        (auctioned, {"AUCTION": 2, "DELEVERAGE": 1, "TAKEOVER": 1}),
        (sealed, {"AUCTION": 2, "TAKEOVER": 1}),
        (refused_award, {"AUCTION": 1, "RETURN": 1, "TAKEOVER": 1}),
    ],
)
def test_a_genuine_story_is_clean(
    story: Callable[[], RecordedVenue], kinds: dict[str, int]
) -> None:
    venue = story()
    report = venue.report()
    assert report.findings.clean, report.findings
    assert report.findings.transfers == kinds
    assert report.sums.balances_e8["USDT"] == report.sums.external_e8["USDT"]
    assert report.sums.held_e8["BTC-PERP"] == (0, 0)


def number_of(venue: RecordedVenue, topic: str, **fields: Any) -> int:
    return next(
        number
        for number, record in enumerate(venue.records(topic))
        if all(record[name] == value for name, value in fields.items())
    )


def spoil(venue: RecordedVenue, topic: str, change: dict[str, Any], **fields: Any) -> list[str]:
    """Change the first record with these fields; what of liquidations is not justified then."""
    venue.rewrite(topic, number_of(venue, topic, **fields), **change)
    return venue.audit().unjustified


def test_more_contracts_than_were_asked_for_are_found() -> None:
    said = spoil(deleveraged(), "deleveraging", {"quantity_e8": E8 // 2}, event="ASKED")
    assert any("hands over 1 of BTC-PERP, asked for 0.5" in one for one in said)


def test_a_winner_that_did_not_stand_is_found() -> None:
    venue = deleveraged()
    number = next(
        number
        for number, one in enumerate(venue.records("deleveraging"))
        if any(who["account_id"] == "bob" for who in one["candidates"])
    )
    venue.rewrite("deleveraging", number, candidates=[], quantity_e8=0)
    said = venue.audit().unjustified
    assert any("hands 0.75 to bob/cross, who did not stand for so much" in one for one in said)


def test_a_higher_rank_that_was_passed_over_is_found() -> None:
    venue = deleveraged()
    number, told = next(
        (number, who)
        for number, one in enumerate(venue.records("deleveraging"))
        for who in one["candidates"]
        if who["account_id"] == "bob"
    )
    larger = {**told, "quantity_e8": -E8, "cost_e8": -50_000 * E8}
    others = [who for who in venue.records("deleveraging")[number]["candidates"] if who != told]
    venue.rewrite("deleveraging", number, candidates=[larger, *others])
    said = venue.audit().unjustified
    assert any("takes from carol/cross, and bob/cross ranks higher" in one for one in said), said


def test_more_than_the_deficit_taken_of_winners_is_found() -> None:
    venue = deleveraged()
    told = venue.rewrite(
        "liquidations",
        number_of(venue, "liquidations", action="DELEVERAGE"),
        equity_e8=-499 * E8,
    )
    said = venue.audit().unjustified
    assert any(
        one.startswith(f"deleveraging of {FUND}") and "takes 500 of winners" in one for one in said
    )
    assert any(one.startswith(f"{told['liquidation_id']} (DELEVERAGE) has equity") for one in said)


@pytest.mark.parametrize("unit", [-1, 1])
def test_a_cost_that_is_one_unit_off_its_price_is_found(unit: int) -> None:
    venue = auctioned()
    legs = [one for one in venue.records("transfers") if one["kind"] == "AUCTION"]
    for leg in (one for one in legs if one["transfer_id"] == legs[0]["transfer_id"]):
        place = {"transfer_id": leg["transfer_id"], "leg": leg["leg"]}
        sign = 1 if leg["account_id"] == FUND else -1
        venue.rewrite(
            "transfers",
            number_of(venue, "transfers", **place),
            cost_e8=leg["cost_e8"] + sign * unit,
        )
    findings = venue.audit()
    assert not any("its legs leave" in one for one in findings.unbalanced)
    assert any("is not what transfer" in one for one in findings.unjustified)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"price_e8": 47_000 * E8}, "awards at 47000, its price then is"),
        ({"award_e8": 2 * E8}, "awards 2 of"),
        ({"bidder": "nobody"}, "awards to nobody, who has no bid m1"),
        ({"bid_id": "n2", "bidder": "nick"}, "awards at 47440, bid 47000"),
    ],
)
def test_an_award_that_does_not_follow_is_found(change: dict[str, Any], said: str) -> None:
    found = spoil(auctioned(), "auctions", change, event="AWARDED", bid_id="m1")
    assert any(said in one for one in found), found


def test_a_better_sealed_bid_that_was_passed_over_is_found() -> None:
    found = spoil(sealed(), "auction-bids", {"quantity_e8": 7 * E8 // 10}, bid_id="n1")
    assert any("passes over bid n1 at 47400" in one for one in found), found


def test_a_share_of_a_loss_beyond_the_gain_is_found() -> None:
    venue = socialised()
    share = next(
        one for one in venue.records("transfers")
        if one["kind"] == "SOCIALISED_LOSS" and one["account_id"] == "frank"
    )  # fmt: skip
    transfer = share["transfer_id"]
    for account, sign in ((transfer.rpartition("/")[0], -1), ("frank", 1)):
        at = number_of(venue, "transfers", transfer_id=transfer, account_id=account)
        cost_e8 = venue.records("transfers")[at]["cost_e8"]
        venue.rewrite("transfers", at, cost_e8=cost_e8 + sign * 5_000 * E8)
    findings = venue.audit()
    assert any("from frank, whose gain is 1200" in one for one in findings.unjustified)
    assert any("from frank of ETH-PERP, whose profit is 1200" in one
               for one in findings.unjustified)  # fmt: skip
    assert any("takes more from @socialised:USDT#" in one for one in findings.unbalanced)


def test_a_loss_that_was_never_asked_about_is_found() -> None:
    found = spoil(socialised(), "deleveraging", {"instrument_id": "BTC-PERP"}, instrument_id=None)
    assert any("(SOCIALISED_LOSS) was never asked for" in one for one in found), found


def test_a_leg_that_was_taken_although_it_closes_nothing_is_found() -> None:
    """The return of what bob turned away is gone, as if he had been made to take it."""
    venue = returned()
    for place, entries in venue.log.items():
        if place[0] == "transfers":
            kept = [one for one in entries if b"/return" not in (one.value or b"")]
            venue.log[place] = kept
    findings = venue.audit()
    assert any("of bob was taken, and closes no such position" in one
               for one in findings.unjustified)  # fmt: skip


def test_a_return_of_something_else_is_found() -> None:
    venue = returned()
    for leg in [one for one in venue.records("transfers") if one["kind"] == "RETURN"]:
        place = {"transfer_id": leg["transfer_id"], "leg": leg["leg"]}
        at = number_of(venue, "transfers", **place)
        venue.rewrite("transfers", at, cost_e8=2 * leg["cost_e8"])
    found = venue.audit().unjustified
    assert any("(RETURN) is not what was given" in one for one in found), found


def test_a_bid_that_was_refused_rightly_has_its_letter() -> None:
    venue = bidders(OPEN, 800)
    venue.bid("m1", "mary", 47_500, 0.1)
    venue.bid("m1", "mary", 47_500, 0.1)
    venue.read_back()
    assert [one["reason"] for one in venue.told["dead-letters"]] == ["DUPLICATE_ID"]
    assert venue.audit().letters == []
