"""An explanation says the numbers of the evaluation, and a clerk can follow it."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from risk.evaluation import evaluate
from risk.explain import Step, explain
from risk.profile import Profile
from risk.scenario_rule import TailRule
from schemas.units import text
from streams.run.desk.book_file import BookFile
from streams.state.profiles import load_profile

SOURCE = json.loads((Path(__file__).parents[2] / "docs/examples/book.json").read_text("utf-8"))
DEFAULT = load_profile("default")


def of(account: str) -> BookFile:
    """The example of the docs with one account."""
    kept = [one for one in SOURCE["accounts"] if one["account_id"] == account]
    return BookFile.of(json.dumps(SOURCE | {"accounts": kept}))


def explained(book: BookFile, profile: Profile = DEFAULT, bucket: int = 0) -> list[Step]:
    return explain(
        book.book,
        book.market,
        book.rules(profile),
        book.terms,
        profile,
        bucket=bucket,
        instruments=book.instrument_names,
        assets=book.asset_names,
    )


def numbers(steps: list[Step], what: str) -> dict[str, str]:
    """Those of the one step of that name."""
    (found,) = [dict(one.numbers) for one in steps if one.what == what]
    return found


def total(steps: list[Step], begins: str, name: str) -> Decimal:
    every = [one.numbers[name] for one in steps if one.what.startswith(begins)]
    return sum((Decimal(value) for value in every), Decimal(0))


@pytest.mark.parametrize(
    ("account", "profile"),
    [
        ("anna", "default"),
        ("anna", "drift-v2"),
        ("ben", "okx"),
        ("carla", "binance-usdm"),
        ("dora", "default"),
        ("dora", "derive-standard"),
        ("emil", "default"),
        ("emil", "derive-pmrm2"),
        ("emil", "span-16"),
        ("fritz", "default"),
    ],
)
def test_the_end_is_what_the_evaluation_says(account: str, profile: str) -> None:
    book, rules = of(account), load_profile(profile)
    state = evaluate(book.book, book.market, book.rules(rules), book.terms, rules).state
    for row in range(len(book.buckets)):
        steps = explained(book, rules, row)
        assert numbers(steps, "equity")["equity"] == text(state.equity_e8[row])
        assert numbers(steps, "margin of the bucket") == {
            "initial margin": text(state.initial_margin_e8[row]),
            "maintenance margin": text(state.maintenance_margin_e8[row]),
        }


def test_the_steps_of_a_cross_bucket_add_up() -> None:
    steps = explained(of("anna"))
    assert numbers(steps, "profit of BTC-PERP")["profit"] == "-2975 USDT"
    assert numbers(steps, "what USDT counts for")["profits"] == "-1997"
    assert total(steps, "what ", "counts") == Decimal(numbers(steps, "equity")["equity"])
    perp = numbers(steps, "margin of BTC-PERP")
    by_hand = Decimal(perp["notional"]) * Decimal(perp["maintenance rate"])
    by_hand -= Decimal(perp["maintenance deduction"])
    assert by_hand == Decimal(perp["maintenance margin"])
    bucket = numbers(steps, "margin of the bucket")["maintenance margin"]
    parts = [numbers(steps, f"margin of {name}") for name in ("BTC-PERP", "ETH-PERP")]
    assert sum(Decimal(one["maintenance margin"]) for one in parts) == Decimal(bucket)


def test_haircuts_debts_and_orders_have_steps() -> None:
    steps = explained(of("ben"))
    coin, debt = numbers(steps, "what BTC counts for"), numbers(steps, "what USDT counts for")
    assert Decimal(coin["counts"]) == Decimal(coin["value"]) * Decimal("0.95")
    assert debt["counts"] == "-4080"
    orders = numbers(steps, "open orders")
    assert orders["orders"] == "1"
    assert Decimal(orders["added"]) > 0
    margin = numbers(steps, "margin of the bucket")
    assert margin["initial margin"] == orders["initial margin with orders"]


def test_options_are_required_together() -> None:
    steps = explained(of("dora"))
    options = numbers(steps, "standard margin of the options")
    assert {"BTC-26JUN26-60000-C alone", "BTC-26JUN26-54000-P alone"} <= options.keys()
    margin = numbers(steps, "margin of the bucket")
    assert options["maintenance margin"] == margin["maintenance margin"]


def test_a_portfolio_loses_what_its_positions_lose_and_pays_additions() -> None:
    steps = explained(of("emil"))
    for underlying, held in {
        "BTC-USDT": ("BTC-PERP", "BTC-26JUN26-60000-C", "BTC-26JUN26-54000-P"),
        "ETH-USDT": ("ETH-PERP",),
    }.items():
        loss = numbers(steps, f"worst loss of what is written on {underlying}")
        assert sum(Decimal(loss[name]) for name in held) == -Decimal(loss["loss"])
    together = Decimal(numbers(steps, "worst losses together")["loss"])
    added = sum(Decimal(one) for one in numbers(steps, "additions").values())
    margin = numbers(steps, "margin of the portfolio")
    by_hand = together * Decimal("0.8") + added
    assert Decimal(margin["maintenance margin"]) == pytest.approx(by_hand, abs=Decimal("3e-8"))
    initial = Decimal(margin["maintenance margin"]) * Decimal("1.25")
    assert Decimal(margin["initial margin"]) == pytest.approx(initial, abs=Decimal("3e-8"))


def test_a_historical_tail_has_a_step() -> None:
    assert DEFAULT.portfolio is not None
    rule = replace(DEFAULT.portfolio, tail=TailRule(975_000, shortfall=True))
    book = of("emil")
    days = np.zeros((200, len(book.instrument_names)))
    days[:, 0] = np.linspace(-0.6, 0.6, 200)
    book = replace(book, market=replace(book.market, moves=days))
    steps = explained(book, replace(DEFAULT, portfolio=rule))
    (tail,) = [one for one in steps if one.what == "historical tail"]
    assert tail.formula == "expected shortfall at 0.975 over 200 days"
    assert Decimal(tail.numbers["loss"]) > 0


def test_health_names_its_levels_and_what_is_missing() -> None:
    health = numbers(explained(of("carla")), "health")
    assert health["missing to the initial margin"] == "76.3"
    assert health["health"] == "1.364299"


def test_a_bucket_without_anything_is_explained() -> None:
    book = BookFile.of(json.dumps(SOURCE | {"accounts": [{"account_id": "x", "mode": "CROSS"}]}))
    steps = explained(book)
    assert numbers(steps, "equity")["equity"] == "0"
    assert numbers(steps, "health")["health"] == "nothing to maintain"


def test_without_names_rows_are_told() -> None:
    book = of("fritz")
    rules = book.rules(DEFAULT)
    steps = explain(book.book, book.market, rules, book.terms, DEFAULT, bucket=0)
    assert steps[0].what == "profit of instrument 5"


@pytest.mark.parametrize("bucket", [-1, 1])
def test_a_bucket_that_is_not_there_is_refused(bucket: int) -> None:
    with pytest.raises(IndexError, match=f"bucket row {bucket} is outside 0..0"):
        explained(of("fritz"), bucket=bucket)
