"""Damaged fills among good ones: each is a letter with its bytes and reason, none is lost."""

from collections import defaultdict
from typing import Any

import pytest

from schemas.record_codec import decode
from streams.processors.dead_letters import DeadLetters, TooManyDeadLettersError
from tests.simulation.driver import WRITTEN_MS
from tests.streams.processors.poison import poisoned
from tests.streams.state.exchange import Bench, deposit, fill

BLOCK = 4_000


def feed(bench: Bench, run: list[Any]) -> list[dict[str, Any]]:
    letters = []
    for start in range(0, len(run), BLOCK):
        bench.raw("fills", run[start : start + BLOCK])
        letters += bench.letters()
    return letters


def test_one_in_a_hundred_of_200_000_fills_is_damaged() -> None:
    run, bad = poisoned(200_000, accounts=2_000, seed=11)
    bench = Bench()
    letters = feed(bench, run)
    assert bench.cycle.applied["fills"] + len(letters) == len(run)
    assert [letter["offset"] for letter in letters] == sorted(bad)
    for letter in letters:
        place = letter["offset"]
        assert letter["reason"] in bad[place], (place, letter["message"])
        assert (letter["key"], letter["value"]) == run[place]
        assert (letter["topic"], letter["partition"]) == ("fills", 0)
    expected: dict[str, int] = defaultdict(int)
    for place, (_, value) in enumerate(run):
        if place not in bad:
            record = decode(value)[1]
            expected[record["account_id"]] += record["quantity_e8"]
    held = {account: quantity for (account, _, _), (quantity, _) in bench.positions().items()}
    assert held == expected


def test_an_account_with_a_dead_letter_is_quarantined_until_cleared() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1))
    bench.send("fills", fill(1), fill(2, price_e8=-1))
    accounts = bench.cycle.ledger.book.accounts
    row = accounts.find("alice")
    assert accounts["quarantined"][row]
    cleared = {
        "event_time": (WRITTEN_MS + 1) * 1_000, "account_id": "alice", "mode": "CROSS",
        "risk_profile": "default", "status": "ACTIVE",
    }  # fmt: skip
    bench.send("accounts", cleared)
    assert not accounts["quarantined"][row]
    again = Bench()
    again.send("accounts", cleared)
    again.send("collateral", deposit(1))
    again.send("fills", fill(1), fill(2, price_e8=-1))
    assert not again.cycle.ledger.book.accounts["quarantined"][row], "cleared stays cleared"


def test_too_many_letters_in_a_row_stop_the_worker() -> None:
    bench = Bench(letters=DeadLetters(limit=10))
    bench.send("fills", *[fill(n, price_e8=-1) for n in range(10)])
    bench.send("fills", fill(10))
    bench.send("fills", *[fill(n, price_e8=-1) for n in range(11, 18)])
    with pytest.raises(TooManyDeadLettersError, match="more than 10 records in a row of fills-0"):
        bench.send("fills", *[fill(n, price_e8=-1) for n in range(18, 25)])
