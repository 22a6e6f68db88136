"""Options of the seeded market: priced alike, traded by accounts of every mode, and they expire."""

from itertools import pairwise

from schemas.units import E8
from streams.market.config import build
from streams.market.contracts import seeded_catalogue
from streams.market.events import FILLS, FUNDING, INSTRUMENTS, PRICES
from streams.market.listings import OPTION
from streams.market.options import option_price_e8, settlement_e8
from streams.market.paths import START_US, SeededPath
from streams.market.population import populate
from tests.streams.market.markets import digest, events_of, small

CATALOGUE = seeded_catalogue(options=True)
OPTIONS = [each for each in CATALOGUE.listings.values() if each.kind == OPTION]


def test_calls_and_puts_agree_with_parity_and_fall_and_rise_with_the_strike() -> None:
    by_place = {(o.base, o.expiry_us, o.strike_e8, o.option_type): o for o in OPTIONS}
    forward_e8, prices = 98_765 * E8, {}
    for place, option in by_place.items():
        if option.base == "BTC":
            prices[place] = option_price_e8(option, forward_e8, 0.6, START_US)
    for (base, expiry_us, strike_e8, kind), price_e8 in prices.items():
        if kind == "CALL":
            put_e8 = prices[base, expiry_us, strike_e8, "PUT"]
            assert (
                abs(price_e8 - put_e8 - (forward_e8 - strike_e8))
                <= 2 * CATALOGUE.listings["BTC-PERP"].tick_e8
            )
    for expiry_us in {place[1] for place in prices}:
        calls = [p for (_, at, _, k), p in prices.items() if at == expiry_us and k == "CALL"]
        puts = [p for (_, at, _, k), p in prices.items() if at == expiry_us and k == "PUT"]
        assert all(left >= right for left, right in pairwise(calls))
        assert all(left <= right for left, right in pairwise(puts))


def test_an_expired_option_is_settled_at_its_underlyings_price_and_never_quoted_again() -> None:
    exchange = build(small(options=True, duration_s=155.0, crash_at_s=None))
    events = list(events_of(exchange))
    ends = [e.record for e in events if e.topic == FUNDING and e.record["kind"] == "SETTLEMENT"]
    listed = [o for o in OPTIONS if o.expiry_us == START_US + 150_000_000]
    assert sorted(e["instrument_id"] for e in ends) == sorted(o.instrument_id for o in listed)
    assert {o.instrument_id for o in listed} == {
        e.key for e in events if e.topic == INSTRUMENTS and e.record["status"] == "SETTLED"
    }
    end_us = ends[0]["event_time"]
    index_e8 = next(
        e.record["index_e8"]
        for e in events
        if e.topic == PRICES and e.key == "BTC-PERP" and e.record["event_time"] == end_us
    )
    for option in listed:
        if option.base == "BTC":
            settled = next(e for e in ends if e["instrument_id"] == option.instrument_id)
            assert settled["mark_e8"] == settlement_e8(option, index_e8)
    over = {o.instrument_id for o in listed}
    late = [e for e in events if e.topic in (PRICES, FILLS) and e.record["event_time"] >= end_us]
    assert late
    assert not [e for e in late if e.record["instrument_id"] in over]


def test_accounts_of_every_mode_trade_and_the_others_are_as_without_options() -> None:
    with_options = populate(CATALOGUE, seed=1, accounts=200, makers=2).traders
    without = populate(seeded_catalogue(), seed=1, accounts=200, makers=2).traders
    assert {trader.mode for trader in with_options} == {"CROSS", "ISOLATED", "PORTFOLIO"}
    assert [t.wealth_usd for t in with_options] == [t.wealth_usd for t in without]
    exchange = build(small(options=True, accounts=80))
    fills = [e.record for e in events_of(exchange) if e.topic == FILLS]
    traded = {o.instrument_id for o in OPTIONS} & {fill["instrument_id"] for fill in fills}
    assert len(traded) > 5


def test_a_volatility_is_told_with_every_option_price_and_rises_in_a_crash() -> None:
    path = SeededPath(CATALOGUE, seed=3, crash_at_s=5.0, fall_s=10.0, duration_s=30.0)
    steps = list(path)
    name = next(o.instrument_id for o in OPTIONS if o.expiry_us == START_US + 30 * 86_400 * 10**6)
    assert all(step.volatilities.keys() <= step.prices_e8.keys() for step in steps)
    assert steps[-1].volatilities[name] > steps[0].volatilities[name] + 0.2


def test_the_same_seed_gives_the_same_market() -> None:
    assert digest(build(small(options=True))) == digest(build(small(options=True)))
