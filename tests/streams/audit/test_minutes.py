"""Sums over all accounts as event time goes by, and what a running engine has still to read."""

import pytest

from schemas.units import E8
from streams.audit.auditor import report
from streams.audit.minutes import clock
from tests.streams.audit.conftest import Run
from tests.streams.audit.venue import RecordedVenue
from tests.streams.processors.test_waterfall import crash
from tests.streams.state.exchange import NOW_US


def test_every_moment_between_the_first_and_the_last_record_is_added_up() -> None:
    venue = RecordedVenue()
    crash(venue)
    coarse = venue.report(every_us=60_000_000).findings
    assert coarse.moments == 1
    venue = RecordedVenue()
    crash(venue)
    fine = venue.report(every_us=100_000).findings
    assert fine.clean
    assert fine.moments > 2


def test_what_is_not_conserved_is_told_once_with_its_first_moment(run: Run) -> None:
    legs = [
        (place, at, record)
        for place, at, _, record in run.entries("transfers")
        if record["quantity_e8"] and not record["account_id"].startswith("@")
    ]
    place, at, record = legs[0]
    run.rewrite(place, at, quantity_e8=record["quantity_e8"] + 1)
    name = record["instrument_id"]
    said = [one for one in run.audit().unbalanced if one.startswith(f"{name} at ")]
    assert len(said) == 1
    after = clock((record["event_time"] // 60_000_000 + 1) * 60_000_000)
    assert said[0].startswith(f"{name} at {after}: all positions are")


def test_legs_of_one_transfer_at_different_times_are_found(run: Run) -> None:
    place, at, _, record = run.entries("transfers")[0]
    run.rewrite(place, at, event_time=record["event_time"] + 1)
    said = f"transfer {record['transfer_id']}: its legs differ in kind or time"
    assert said in run.audit().unbalanced


@pytest.mark.parametrize("running", [False, True])
def test_what_was_written_and_not_read_is_on_its_way(running: bool) -> None:
    venue = RecordedVenue()
    for name, money in (("alice", 2_000), ("bob", 30_000)):
        venue.pay_in(name, money)
    venue.tick(50_000)
    venue.trade("alice", "bob", 50_000)
    venue.tick(50_000, 2)
    venue.freeze_at = "transfers"
    venue.tick(47_500, 12)
    made = venue.report(running=running)
    legs = venue.records("transfers")
    assert made.on_the_way["quantity of BTC-PERP"] == 0
    assert made.sums.balances_e8["USDT"] == 32_000 * E8
    assert len(legs) > 2
    if running:
        assert made.findings.clean, made.findings
        assert made.findings.unread["transfers"] == len(legs)
    else:
        assert any("were never applied" in one for one in made.findings.lost)


def test_from_the_topics_alone_everything_is_conserved_too(run: Run) -> None:
    made = report(run.log, None, None)
    assert not made.findings.unbalanced
    assert not made.findings.letters
    assert made.sums.balances_e8 == made.sums.external_e8


def test_a_moment_is_told_in_utc() -> None:
    assert clock(NOW_US) == "2025-10-09 08:53:20.000"
