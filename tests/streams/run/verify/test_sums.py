"""Decimal sums in ClickHouse are the book's integers, to the last unit of 1e-8."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sinks.schema import create_tables
from sinks.store import Store
from streams.audit.account import AccountState
from streams.market.config import MarketConfig
from streams.run.soak.verdict import accounts_of
from tests.streams.audit.recorded import RecordedDriver
from tests.streams.run.verify.conftest import FOLDER, store_all

pytestmark = pytest.mark.embedded
OF_ALL_KINDS = MarketConfig(
    seed=3, accounts=50, options=True, step_ms=2_000, fills_per_s=20.0, opening_s=16.0,
    crash_at_s=30.0, fall_s=60.0, funding_interval_s=20.0,
)  # fmt: skip
TURNS = 78
"""Until behind the first expiry of options."""
END = "2100-01-01 00:00:00"
POSITIONS_SQL = (
    f"SELECT account_id, bucket, instrument_id, quantity FROM positions_at(at = '{END}')"
)
CASH_SQL = """
SELECT account_id, bucket, asset, sum(amount) AS cash FROM cash_movements(penalty_ppm = 5000)
GROUP BY account_id, bucket, asset
"""
OTHER_SIDE = {"FEE": "@fees", "FUNDING": "@funding", "REALISED": "@settlement"}
"""What is told of the accounts -> the slices that take the other side, each of one name."""
COLLECTED_SQL = """
SELECT what, if(what = 'FEE', asset, instrument_id) AS name, asset, -sum(amount) AS collected
FROM cash_movements(penalty_ppm = 5000)
WHERE what IN ('FEE', 'FUNDING', 'REALISED')
GROUP BY what, name, asset
"""
KINDS_SQL = """
SELECT DISTINCT what, kind FROM cash_movements(penalty_ppm = 5000)
LEFT JOIN (SELECT instrument_id, any(kind) AS kind FROM instruments GROUP BY instrument_id) AS of
ON of.instrument_id = cash_movements.instrument_id WHERE amount != 0
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, AccountState], Path]:
    """The accounts of a book, and the folder of the history that led to them."""
    driver = RecordedDriver(OF_ALL_KINDS)
    driver.run(TURNS)
    data = tmp_path_factory.mktemp("summed")
    with Store(f"chdb://{data / FOLDER}") as store:
        create_tables(store)
        store_all(store, driver.log, told=True)
    return accounts_of(driver.cycle), data


def e8(amount: Decimal) -> int:
    scaled = amount.scaleb(8)
    assert scaled == int(scaled), f"{amount} is no whole number of 1e-8"
    return int(scaled)


def asked(data: Path, sql: str) -> list[dict[str, Any]]:
    with Store(f"chdb://{data / FOLDER}") as store:
        return store.query(sql)


def held(accounts: Mapping[str, AccountState]) -> dict[tuple[str, str, str], int]:
    """But for what slices hold against positions that were settled."""
    return {
        (name, *place): quantity
        for name, account in accounts.items() if not name.startswith("@settlement:")
        for place, (quantity, _) in account.positions.items() if quantity
    }  # fmt: skip


def balances(accounts: Mapping[str, AccountState]) -> dict[tuple[str, str, str], int]:
    """Of every account that is no slice of a partition."""
    return {
        (name, *place): e8
        for name, account in accounts.items() if "#" not in name
        for place, e8 in account.balances.items() if e8
    }  # fmt: skip


def test_positions_are_the_books(run: tuple[dict[str, AccountState], Path]) -> None:
    accounts, data = run
    summed = {
        (row["account_id"], row["bucket"], row["instrument_id"]): e8(row["quantity"])
        for row in asked(data, POSITIONS_SQL)
    }
    assert summed == held(accounts)
    assert len(summed) > 50


def test_positions_are_the_books_with_late_fills_and_funding(
    driver: RecordedDriver, recorded: Path
) -> None:
    summed = {
        (row["account_id"], row["bucket"], row["instrument_id"]): e8(row["quantity"])
        for row in asked(recorded, POSITIONS_SQL)
    }
    assert summed == held(accounts_of(driver.cycle))


def test_cash_is_the_books(run: tuple[dict[str, AccountState], Path]) -> None:
    """Every balance of every account, from the records of what moved it alone."""
    accounts, data = run
    summed = {
        (row["account_id"], row["bucket"], row["asset"]): e8(row["cash"])
        for row in asked(data, CASH_SQL)
    }
    assert {place: cash for place, cash in summed.items() if cash} == balances(accounts)
    told = {(row["what"], row["kind"]) for row in asked(data, KINDS_SQL)}
    inverse = {(what, "INVERSE_PERP") for what in ("FUNDING", "REALISED", "MARGIN")}
    assert told >= inverse | {("REALISED", "OPTION"), ("FUNDING", "LINEAR_PERP"), ("TAKEOVER", "")}


def test_what_was_paid_was_collected(run: tuple[dict[str, AccountState], Path]) -> None:
    """Fees, funding and profit: the slices of the partitions have the other side, to the unit."""
    accounts, data = run
    collected: Counter[tuple[str, str]] = Counter()
    for name, account in accounts.items():
        if name.startswith(tuple(OTHER_SIDE.values())):
            for (_, asset), amount in account.balances.items():
                collected[name.rpartition("#")[0], asset] += amount
    paid = {
        (f"{OTHER_SIDE[row['what']]}:{row['name']}", row["asset"]): e8(row["collected"])
        for row in asked(data, COLLECTED_SQL)
    }
    assert {place: n for place, n in paid.items() if n} == {
        place: n for place, n in collected.items() if n
    }
    assert {place[0].partition(":")[0] for place, n in paid.items() if n} == set(
        OTHER_SIDE.values()
    )
