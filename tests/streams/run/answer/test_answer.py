"""What a customer is told: the numbers of the records, worked out anew, in sentences."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from schemas.units import E8
from streams.audit.limits import Limits
from streams.audit.partitioner import partition_of
from streams.run.answer.evidence import Evidence, UnknownAccountError, wanted
from streams.run.answer.gains import taken
from streams.run.answer.story import UnknownLiquidationError, chosen, liquidation, moment
from streams.run.answer.words import answer, losses, statement
from streams.state.profiles import load_profile
from tests.streams.audit.test_waterfall import returned, socialised
from tests.streams.audit.venue import RecordedVenue
from tests.streams.processors.test_waterfall import crash, given_of_gains
from tests.streams.state.exchange import fill

PROFILE = load_profile("default")


def evidence(venue: RecordedVenue, account: str) -> Evidence:
    """From as much of the topics as the command reads."""
    number = partition_of(account, venue.partitions)
    log = {
        place: entries if wanted(account, place, venue.partitions) else []
        for place, entries in venue.log.items()
    }
    orders = {number: venue.cycle.ledger.take_order(number)}
    return Evidence.of(account, log, orders, Limits(penalty_ppm=5_000))


def told(blocks: Any) -> str:
    """As people read it, line breaks aside."""
    console = Console(file=io.StringIO(), width=200)
    for block in blocks:
        console.print(block, highlight=False)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def story(venue: RecordedVenue, account: str = "alice", identity: str | None = None) -> Any:
    of_account = evidence(venue, account)
    episode = chosen(of_account, identity)
    assert episode is not None
    made = liquidation(of_account, episode, PROFILE)
    return json.loads(json.dumps(made))


@pytest.fixture
def taken_over() -> RecordedVenue:
    venue = RecordedVenue()
    crash(venue, fund=800)
    return venue


def reduced() -> RecordedVenue:
    """alice falls through warning, call and margin one after the other, and is closed in part."""
    venue = RecordedVenue()
    for name, money in (("alice", 2_000), ("bob", 30_000)):
        venue.pay_in(name, money)
    venue.tick(50_000)
    venue.trade("alice", "bob", 50_000)
    for price in (48_700, 48_550, 48_400):
        venue.tick(price, 2)
    order = next(one for one in venue.told["liquidations"] if one["action"] == "REDUCE")
    answered = {
        "side": "SELL", "liquidation_id": order["liquidation_id"],
        "quantity_e8": order["quantity_e8"], "price_e8": 48_390 * E8,
    }  # fmt: skip
    venue.send("fills", fill(900_001, **answered))
    venue.send("fills", fill(900_002, "bob", **{**answered, "side": "BUY"}))
    venue.tick(49_500, 3)
    return venue


def test_a_takeover_is_told_with_what_was_held_and_what_became_of_it(
    taken_over: RecordedVenue,
) -> None:
    made = story(taken_over)
    assert (made["equity"], made["maintenance_margin"]) == ("-500", "475")
    assert made["told"] == {"equity": "-500", "maintenance_margin": "475"}
    assert [(one["quantity"], one["mark"], one["guard"]) for one in made["positions"]] == [
        ("1", "47500", "LIVE")
    ]
    assert made["positions"][0]["rules"]["version"] == 2
    assert made["before"]["equity"] == "2000"
    assert made["before"]["marks"] == {"BTC-PERP": "50000"}
    assert made["takeover"]["balances"] == {"USDT": "2000"}
    assert [one["event"] for one in made["takeover"]["then"]] == ["HANDED TO WINNERS"]
    said = told(answer(made, confirm_ticks=2))
    assert "the same as the order says, to the last unit" in said
    assert "the insurance fund took the bucket over as it stood, worth -500.00" in said
    assert "with BTC-PERP at 50,000.00, your equity of 2,000.00 still met the margin" in said


def test_a_reduction_is_told_step_by_step_with_its_fills_and_penalty() -> None:
    made = story(reduced())
    assert [one["level"] for one in made["calls"]] == ["WARNING", "CALL", "CURED"]
    step = made["steps"][0]
    assert step["filled"] == step["quantity"]
    fills = step["fills"]
    assert [one["price"] for one in fills] == ["48390"]
    above = float(step["quantity"]) * (48_390 - float(step["bankruptcy_price"]))
    most = float(step["quantity"]) * 48_390 * 0.005
    assert float(fills[0]["penalty"]) == pytest.approx(min(above, most), abs=1e-6)
    assert made["ended"] is not None
    said = told(answer(made, confirm_ticks=2))
    assert f"sell {step['quantity']} BTC-PERP" in said
    assert "Filled" in said
    assert "at 48,390.00" in said
    assert "your margin was restored, and the liquidation over" in said
    assert "You were warned at" in said
    assert "A deposit of" in said


def test_a_call_is_told_by_its_id_too(taken_over: RecordedVenue) -> None:
    made = story(taken_over, identity="alice/cross/1/1")
    assert made["episode"] == 1
    assert made["takeover"] is not None


def test_an_unknown_id_or_account_is_an_error_that_names_it(taken_over: RecordedVenue) -> None:
    with pytest.raises(UnknownLiquidationError, match="alice/cross/7/1"):
        story(taken_over, identity="alice/cross/7/1")
    with pytest.raises(UnknownAccountError, match="nobody"):
        evidence(taken_over, "nobody")


def test_a_winner_is_told_rank_price_and_what_was_given() -> None:
    venue = RecordedVenue()
    crash(venue)
    given = [taken(evidence(venue, name))[0] for name in ("bob", "carol")]
    assert [(one["quantity"], one["rank"], one["candidates"]) for one in given] == [
        ("0.75", 1, 2), ("0.25", 2, 2),
    ]  # fmt: skip
    assert [one["given"] for one in given] == ["375", "125"]
    said = told(losses(given))
    assert "0.75 BTC-PERP of yours were closed at 48,000, with the mark at 47500" in said
    assert "Your rank among those who had gained was 1 of 2" in said


def test_what_was_turned_away_was_not_taken() -> None:
    assert taken(evidence(returned(), "bob")) == []


def test_a_share_of_a_loss_is_told() -> None:
    venue = socialised()
    made = taken(evidence(venue, "frank"))
    given_e8 = given_of_gains(venue)["frank"]
    assert [one["amount"] for one in made] == [f"{given_e8 / E8:.8f}".rstrip("0").rstrip(".")]
    assert "USDT of your gain on ETH-PERP" in told(losses(made))
    assert "all who had gained in that asset" in told(losses(made))
    assert taken(evidence(venue, "@insurance:USDT")) == [], "to the fund it is a payment"


def test_a_moment_shows_where_the_account_stood_then(taken_over: RecordedVenue) -> None:
    of_alice = evidence(taken_over, "alice")
    trade_us = next(step.record["event_time"] for step in of_alice.history if step.is_fill)
    call = next(one for one in of_alice.decided if "call_id" in one.record)
    then = moment(of_alice, PROFILE, call.record["event_time"])
    assert [one["equity"] for one in then["buckets"]] == ["-500"]
    assert then["buckets"][0]["last_news"] == "CALL"
    before = moment(of_alice, PROFILE, trade_us - 1)
    assert before["buckets"][0]["positions"] == []
    after = moment(of_alice, PROFILE, of_alice.rules.clock_us)
    assert after["buckets"] == []
    assert "It held nothing" in told(statement(after))
    assert "Your equity was -500.00" in told(statement(then))
