"""A contract ends: positions are closed at its settlement price, late ones too, sums are kept."""

from collections import Counter

import pytest

from schemas.units import E8
from tests.streams.state.exchange import Bench, deposit, fill, funding, mark

END_US = 40
NAME = "BTC-PERP"


def settlement(price: int = 45_000, **more: object) -> dict[str, object]:
    return funding(
        END_US, funding_id="end", rate=0.0, mark_e8=price * E8, kind="SETTLEMENT", **more
    )


def traded(bench: Bench) -> None:
    bench.send("collateral", deposit(1), deposit(2, "bob"))
    bench.send(
        "fills", fill(3, quantity_e8=3 * E8), fill(4, "bob", side="SELL", quantity_e8=3 * E8)
    )


def totals(bench: Bench) -> tuple[Counter[str], Counter[str]]:
    money, held = Counter[str](), Counter[str]()
    for (_, _, asset), amount_e8 in bench.balances().items():
        money[asset] += amount_e8
    for (_, _, name), (quantity_e8, cost_e8) in bench.positions().items():
        held[name, "quantity"] += quantity_e8
        held[name, "cost"] += cost_e8
    return money, Counter({key: total for key, total in held.items() if total})


def test_every_position_is_paid_its_profit_and_is_gone() -> None:
    bench = Bench()
    traded(bench)
    bench.send("funding", settlement())
    bench.send("prices", mark(END_US + 1))
    bench.cycle.decide()
    balances = bench.balances()
    assert balances["alice", "cross", "USDT"] == 10_000 * E8 - 3 * 5_000 * E8
    assert balances["bob", "cross", "USDT"] == 10_000 * E8 + 3 * 5_000 * E8
    assert not [place for place in bench.positions() if place[0] in ("alice", "bob")]
    money, held = totals(bench)
    assert money == {"USDT": 20_000 * E8}
    assert not held


def test_a_trade_of_before_that_comes_late_ends_at_the_same_price() -> None:
    bench = Bench()
    traded(bench)
    bench.send("funding", settlement())
    bench.send("prices", mark(END_US + 1))
    bench.cycle.decide()
    bench.send(
        "fills",
        fill(30, price_e8=44_000 * E8, event_time=fill(END_US)["event_time"]),
        fill(31, "bob", side="SELL", price_e8=44_000 * E8, event_time=fill(END_US)["event_time"]),
    )
    balances = bench.balances()
    assert balances["alice", "cross", "USDT"] == (10_000 - 15_000 + 1_000) * E8
    assert balances["bob", "cross", "USDT"] == (10_000 + 15_000 - 1_000) * E8
    assert not bench.letters()
    assert totals(bench) == ({"USDT": 20_000 * E8}, {})


def test_a_trade_of_later_is_refused() -> None:
    bench = Bench()
    traded(bench)
    bench.send("funding", settlement())
    bench.send("fills", fill(END_US + 1))
    letters = bench.letters()
    assert [letter["reason"] for letter in letters] == ["SETTLED_INSTRUMENT"]
    assert "BTC-PERP is settled" in letters[0]["message"]


def test_what_may_end_at_nothing() -> None:
    bench = Bench()
    traded(bench)
    bench.send("funding", settlement(0))
    bench.send("prices", mark(END_US + 1))
    bench.cycle.decide()
    assert bench.balances()["alice", "cross", "USDT"] == (10_000 - 150_000) * E8


@pytest.mark.parametrize("price", [0, -1])
def test_an_inverse_contract_ends_at_a_price(price: int) -> None:
    bench = Bench()
    bench.send("funding", settlement(price, instrument_id="BTC-INV"))
    assert [letter["reason"] for letter in bench.letters()] == ["NON_POSITIVE_PRICE"]
