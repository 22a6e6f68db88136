"""The market as a whole: reproducible, two-sided, on tick and lot, every record encodable."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.record_codec import decode, encode
from schemas.topics import BY_NAME
from streams.market.config import build
from streams.market.events import Event
from streams.market.exchange import Exchange
from tests.streams.market.markets import call, digest, events_of, held, order, small


def test_the_same_seed_is_the_same_market() -> None:
    assert digest(build(small())) == digest(build(small()))


def test_the_same_answers_are_the_same_market() -> None:
    first = digest(build(small()), engine=True)
    assert first == digest(build(small()), engine=True)
    assert first != digest(build(small()))


def test_another_seed_is_another_market() -> None:
    assert digest(build(small(seed=1))) != digest(build(small(seed=2)))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_trade_has_two_sides_on_tick_and_on_lot(seed: int) -> None:
    exchange = build(small(seed=seed, accounts=15, duration_s=20.0))
    listings = exchange.catalogue.listings
    sums: dict[str, int] = defaultdict(int)
    ids: set[str] = set()
    fills = [event for event in events_of(exchange, engine=True) if event.topic == "fills"]
    assert fills
    for place, event in enumerate(fills):
        fill = event.record
        listing = listings[fill["instrument_id"]]
        assert fill["quantity_e8"] > 0
        assert fill["quantity_e8"] % listing.lot_e8 == 0
        assert fill["price_e8"] > 0
        assert fill["price_e8"] % listing.tick_e8 == 0
        sums[fill["instrument_id"]] += _signed(event)
        if place % 2:
            _are_two_sides(fills[place - 1], event)
            assert set(sums.values()) == {0}
        ids.add(fill["fill_id"])
    assert len(ids) == len(fills)


def test_every_record_encodes_and_is_keyed_as_its_topic_says() -> None:
    seen = set()
    for event in events_of(build(small()), engine=True):
        topic = BY_NAME[event.topic]
        assert decode(encode(topic.record, event.record)) == (topic.record, event.record)
        assert event.key == event.record[topic.keyed_by]
        seen.add(event.topic)
    assert seen == {
        "instruments",
        "assets",
        "risk-params",
        "accounts",
        "prices",
        "fills",
        "collateral",
        "funding",
    }


def test_prices_number_upwards_and_time_runs_forward() -> None:
    last: dict[str, int] = defaultdict(int)
    now_us = 0
    for event in events_of(build(small())):
        assert event.record["event_time"] >= now_us
        now_us = event.record["event_time"]
        if event.topic == "prices":
            assert event.record["sequence"] == last[event.key] + 1
            last[event.key] += 1
            assert event.record["bid_e8"] <= event.record["mark_e8"] <= event.record["ask_e8"]
    assert set(last.values()) == {121}


def test_everyone_is_announced_before_anything_moves() -> None:
    opening = build(small()).opening()
    order_of_topics = list(dict.fromkeys(event.topic for event in opening))
    assert order_of_topics == [
        "instruments",
        "assets",
        "risk-params",
        "accounts",
        "collateral",
        "prices",
    ]
    funds = {e.key for e in opening if e.topic == "collateral" and e.key.startswith("@")}
    assert funds == {"@insurance:USDT", "@insurance:BTC", "@insurance:ETH"}


def test_the_crash_meets_leveraged_accounts() -> None:
    exchange = build(small())
    liquidated = {
        event.key
        for event in events_of(exchange, engine=True)
        if event.topic == "fills" and event.record["liquidation_id"] is not None
    }
    assert len(liquidated - set(exchange.population.makers)) >= 5


def test_accounts_begin_at_or_above_their_initial_margin() -> None:
    exchange = build(small(crash_at_s=None, duration_s=5.0, accounts=200))
    for _ in events_of(exchange):
        pass
    positions = list(held(exchange))
    assert len(positions) > 100
    for account_id, bucket, _, _ in positions:
        equity = exchange.books.equity_usd(account_id, bucket)
        assert exchange.books.notional_usd(account_id, bucket) <= 101 * equity


def test_an_isolated_bucket_never_gives_back_more_than_it_has() -> None:
    exchange = build(small(accounts=80, duration_s=60.0, crash_at_s=None, fills_per_s=200.0))
    returned = 0
    exchange.opening()
    while (events := exchange.step()) is not None:
        for event in events:
            if event.topic == "fills" and event.record["isolated_margin_e8"] < 0:
                returned += 1
                account = exchange.books.account(event.key)
                asset = event.record["fee_asset"]
                assert account.balances_e8[event.record["instrument_id"], asset] >= 0
    assert returned


def test_a_call_is_answered_once_with_at_least_the_top_up() -> None:
    exchange = build(small(accounts=60, crash_at_s=None, fills_per_s=0.0))
    exchange.opening()
    exchange.step()
    for _ in range(2):
        for trader in exchange.population.traders:
            exchange.on_margin_call(call(trader.account_id, top_up_e8=10**9))
    answers = _deposits(exchange)
    answering = {t.account_id for t in exchange.population.traders if t.answers_calls > 0}
    assert answers
    assert {event.key for event in answers} <= answering
    assert len({event.key for event in answers}) == len(answers)
    assert all(event.record["amount_e8"] >= 10**9 for event in answers)


@pytest.mark.parametrize("level", ["WARNING", "CURED", "ESCALATED"])
def test_other_levels_are_not_answered(level: str) -> None:
    exchange = build(small(accounts=60, crash_at_s=None, fills_per_s=0.0))
    exchange.opening()
    for trader in exchange.population.traders:
        exchange.on_margin_call(call(trader.account_id, top_up_e8=10**9, level=level))
    assert not _deposits(exchange)


def test_a_deposit_for_an_isolated_bucket_goes_through_the_cross_pool() -> None:
    exchange = build(small(accounts=60, crash_at_s=None, fills_per_s=0.0))
    exchange.opening()
    for trader in exchange.population.traders:
        exchange.on_margin_call(call(trader.account_id, top_up_e8=10**9, bucket="BTC-USD-INV"))
    events = _deposits(exchange)
    assert events
    for deposit, move in zip(events[::2], events[1::2], strict=True):
        assert (deposit.record["kind"], move.record["kind"]) == ("DEPOSIT", "TRANSFER")
        assert deposit.record["asset"] == move.record["asset"] == "BTC"
        assert deposit.record["amount_e8"] == move.record["amount_e8"]
        assert deposit.record["isolated_instrument_id"] is None
        assert move.record["isolated_instrument_id"] == "BTC-USD-INV"


def test_a_takeover_ends_the_position_and_trading_in_its_bucket() -> None:
    exchange = build(small(crash_at_s=None))
    exchange.opening()
    for _ in range(24):
        exchange.step()
    account_id, bucket, listing, quantity_e8 = next(held(exchange))
    exchange.on_liquidation(
        order(account_id, listing.instrument_id, bucket=bucket, action="TAKE_OVER")
    )
    leg = {
        "transfer_id": "t",
        "leg": 0,
        "kind": "TAKEOVER",
        "account_id": account_id,
        "bucket": bucket,
        "asset": "USDT",
        "amount_e8": -5,
        "instrument_id": listing.instrument_id,
        "quantity_e8": -quantity_e8,
        "cost_e8": 0,
    }
    exchange.on_transfer(leg)
    while (events := exchange.step()) is not None:
        traded = {(event.key, _bucket(event)) for event in events if event.topic == "fills"}
        assert (account_id, bucket) not in traded
    assert exchange.books.quantity_e8(account_id, bucket, listing.instrument_id) == 0


def test_a_penalty_is_booked_once() -> None:
    exchange = build(small(accounts=1, fills_per_s=0.0, crash_at_s=None, opening_s=1e9))
    exchange.opening()
    trader = exchange.population.traders[0]
    balances = exchange.books.account(trader.account_id).balances_e8
    before = balances["cross", "USDT"]
    leg = {
        "transfer_id": "t",
        "leg": 0,
        "kind": "PENALTY",
        "account_id": trader.account_id,
        "bucket": "cross",
        "asset": "USDT",
        "amount_e8": -5,
        "instrument_id": None,
        "quantity_e8": 0,
        "cost_e8": 0,
    }
    for _ in range(2):
        exchange.on_transfer(leg)
        exchange.step()
    assert balances["cross", "USDT"] == before - 5


def test_funding_is_due_every_interval_on_every_perpetual() -> None:
    events = [e for e in events_of(build(small())) if e.topic == "funding"]
    perpetuals = {each.instrument_id for each in build(small()).catalogue.tradable()}
    assert {event.key for event in events} == perpetuals
    assert len({event.record["event_time"] for event in events}) == 3
    assert len({event.record["funding_id"] for event in events}) == len(events)


def _deposits(exchange: Exchange) -> list[Event]:
    events: list[Event] = []
    while (step := exchange.step()) is not None:
        events += [event for event in step if event.topic == "collateral"]
    return events


def _signed(fill: Event) -> int:
    quantity_e8: int = fill.record["quantity_e8"]
    return quantity_e8 if fill.record["side"] == "BUY" else -quantity_e8


def _bucket(fill: Event) -> str:
    isolated = fill.record["margin_mode"] == "ISOLATED"
    return str(fill.record["instrument_id"]) if isolated else "cross"


def _are_two_sides(first: Event, second: Event) -> None:
    for field in ("instrument_id", "price_e8", "quantity_e8", "liquidation_id", "event_time"):
        assert first.record[field] == second.record[field]
    assert {first.record["side"], second.record["side"]} == {"BUY", "SELL"}
    assert first.key != second.key
