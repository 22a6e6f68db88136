"""What `plimsoll evaluate` prints, for people and for programs."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.run.cli import main
from streams.run.desk.views import money
from tests.streams.run.desk.documents import EXAMPLE, SMALL, changed, text


def run(*arguments: str, columns: int = 140) -> Result:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(main, ["evaluate", *arguments], catch_exceptions=False)


def statement(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "book.json"
    path.write_text(text(SMALL), "utf-8")
    return str(path)


def test_a_clerk_can_check_a_bucket(small: str) -> None:
    (bucket,) = statement(small)["buckets"]
    # 5,000 + (60,000 - 59,000) = 6,000; 60,000 x 1% and 2%; the order would make it 1.5 contracts.
    assert bucket["account_id"] == "anna"
    assert bucket["bucket"] == "cross"
    assert bucket["equity"] == "6000"
    assert bucket["levels"] == {
        "release": "1800",
        "initial": "1800",
        "warning": "900",
        "call": "720",
        "maintenance": "600",
        "bankrupt": "0",
    }
    assert bucket["standing"] == "EXCESS"
    assert bucket["health"] == 10
    assert bucket["top_up"] == {"initial": "0", "maintenance": "0"}
    assert bucket["worst_scenario"] is None
    (position,) = bucket["positions"]
    assert position["profit"] == "1000"
    # 5,000 + x - 59,000 = 1% of x
    assert Decimal(position["liquidation_price"]) == pytest.approx(
        Decimal(54_000) / Decimal("0.99")
    )


def test_a_shock_stands_beside_what_is_now(small: str) -> None:
    made = statement(small, "--shock", "BTC=-9%")
    now, then = made["buckets"][0], made["shocked"]["buckets"][0]
    assert made["shocked"]["shock"] == "BTC=-9%"
    assert now["equity"] == "6000"
    assert then["equity"] == "600"
    assert then["standing"] == "CALLED"
    # 54,600 x 1.5 x 2%, less what is there
    assert then["top_up"]["initial"] == "1038"
    # Where the marks are does not change where the account ends.
    prices = [one["positions"][0]["liquidation_price"] for one in (now, then)]
    assert float(prices[0]) == pytest.approx(float(prices[1]))


@pytest.mark.parametrize(
    ("balance", "standing"),
    [
        ("-1001", "BANKRUPT"),
        ("-1000", "LIQUIDATABLE"),
        ("-400", "CALLED"),
        ("-280", "WARNED"),
        ("-100", "REDUCE_ONLY"),
        ("800", "OPEN"),
        ("801", "EXCESS"),
    ],
)
def test_a_bucket_stands_by_its_equity(balance: str, standing: str, tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_text(text(changed(("accounts", 0, "balances", "USD"), balance)), "utf-8")
    assert statement(str(path))["buckets"][0]["standing"] == standing


def test_the_example_of_the_docs_covers_every_kind_of_account() -> None:
    made = statement(str(EXAMPLE), "--shock", "BTC=-15%,vol=+30%")
    buckets = {f"{one['account_id']}/{one['bucket']}": one for one in made["buckets"]}
    assert [one["mode"] for one in buckets.values()] == [
        "CROSS", "CROSS", "ISOLATED", "ISOLATED", "CROSS", "PORTFOLIO", "CROSS",
    ]  # fmt: skip
    assert buckets["emil/cross"]["worst_scenario"]
    assert {one["underlying"] for one in buckets["emil/cross"]["greeks"]} == {
        "BTC-USDT",
        "ETH-USDT",
    }
    for bucket in made["buckets"] + made["shocked"]["buckets"]:
        shares = [Decimal(one["maintenance_margin"]) for one in bucket["positions"]]
        assert sum(shares) == Decimal(bucket["levels"]["maintenance"])


def test_money_is_text_and_never_a_float(small: str) -> None:
    def floats(value: Any, key: str = "") -> set[str]:
        if isinstance(value, dict):
            return set().union(*(floats(one, name) for name, one in value.items()))
        if isinstance(value, list):
            return set().union(*(floats(one, key) for one in value))
        return {key} if isinstance(value, float) else set()

    assert floats(statement(str(EXAMPLE))) == {
        "health", "down", "up", "delta", "gamma", "vega", "theta",
    }  # fmt: skip


def test_tables_show_both_side_by_side(small: str) -> None:
    output = run(str(EXAMPLE), "--shock", "BTC=-15%,vol=+30%").output
    (equity, *_) = [line.split() for line in output.splitlines() if line.startswith("equity ")]
    assert equity == ["equity", "10,003.00", "-8,160.76"]
    for words in ("anna / cross", "BTC=-15%,vol=+30%", "worst scenario", "liquidation price"):
        assert words in output
    for greek in ("delta", "gamma", "vega", "theta"):
        assert greek in output


def test_tables_of_now_alone_have_one_column(small: str) -> None:
    lines = run(small).output.splitlines()
    assert ["equity", "6,000.00"] in [line.split() for line in lines]
    assert not any("after" in line for line in lines)


def test_the_profile_is_that_of_the_command_else_of_the_document(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_text(text(changed(("profile",), "okx")), "utf-8")
    assert statement(str(path))["profile"] == "okx"
    made = statement(str(path), "--profile", "default")
    assert made["profile"] == "default"
    mine = tmp_path / "mine.toml"
    mine.write_text("[orders]\nfee = 7\n", "utf-8")
    made = statement(str(path), "--profile", str(mine))
    assert made["buckets"][0]["levels"]["initial"] == "1807"


def test_an_explanation_ends_where_the_statement_stands(small: str) -> None:
    made = statement(small, "--explain", "anna", "--shock", "BTC=-9%")
    assert made["bucket"] == "anna/cross"
    numbers = {step["what"]: step["numbers"] for step in made["steps"]}
    assert numbers["equity"]["equity"] == "6000"
    assert numbers["margin of the bucket"]["initial margin"] == "1800"
    shocked = {step["what"]: step["numbers"] for step in made["shocked_steps"]}
    assert shocked["equity"]["equity"] == "600"
    output = run(small, "--explain", "anna").output
    assert "notional x rate" in output
    assert "profit = 1000 USD" in output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--profile", "nobody"), "Error: profile 'nobody' is unknown, known are"),
        (("--shock", "BTC"), "Error: shock 'BTC' is not NAME=PERCENT%"),
        (("--explain", "berta"), "Error: 'berta' is no bucket, known are anna/cross"),
    ],
)
def test_refusals_are_one_line(small: str, arguments: tuple[str, ...], error: str) -> None:
    result = run(small, *arguments)
    assert result.exit_code == 1
    assert result.output.startswith(error)


def test_a_broken_document_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    broken = changed(("accounts", 0, "positions", 0, "quantity"), "abc")
    path.write_text(text(broken), "utf-8")
    result = run(str(path))
    assert result.exit_code == 1
    assert result.output == 'Error: accounts[0].positions[0].quantity "abc" is not a number\n'


@pytest.mark.parametrize(
    ("amount", "seen"),
    [
        ("1234567.005", "1,234,567.00"),
        ("-12", "-12.00"),
        ("0.00000001", "0.00000001"),
        ("0", "0"),
        (None, "-"),
    ],
)
def test_amounts_are_short_for_the_eye(amount: str | None, seen: str) -> None:
    assert money(amount) == seen
