"""Decimal sums in ClickHouse are the book's integers, to the last unit of 1e-8."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sinks.schema import create_tables
from sinks.store import Store
from streams.audit.account import AccountState
from streams.run.soak.verdict import accounts_of
from tests.streams.audit.recorded import RecordedDriver
from tests.streams.run.verify.conftest import CRASH, FOLDER, store_all

pytestmark = pytest.mark.embedded
WITHOUT_FUNDING = replace(CRASH, funding_interval_s=100_000.0)
TURNS = 90
FEES = "@fees:"
"""Accounts that a partition keeps what it collected in: no record of its own tells of that."""
END = "2100-01-01 00:00:00"
POSITIONS_SQL = (
    f"SELECT account_id, bucket, instrument_id, quantity FROM positions_at(at = '{END}')"
)
CASH_SQL = """
SELECT account_id, asset, sum(moved) AS cash FROM (
    SELECT account_id, asset, toDecimal128(amount, 24) AS moved FROM collateral
    UNION ALL
    SELECT account_id, fee_asset, -toDecimal128(fee, 24) FROM fills
    UNION ALL
    SELECT account_id, settlement_asset,
        toDecimal128(if(side = 'BUY', -quantity, quantity), 8) * price * multiplier
    FROM fills JOIN linear USING (instrument_id)
    UNION ALL
    SELECT account_id, assumeNotNull(asset), toDecimal128(amount, 24)
    FROM transfers WHERE asset IS NOT NULL
    UNION ALL
    SELECT account_id, settlement_asset, -toDecimal128(cost, 24)
    FROM transfers JOIN linear ON linear.instrument_id = transfers.instrument_id
)
WHERE asset IN (SELECT settlement_asset FROM linear)
GROUP BY account_id, asset
"""
LINEAR_SQL = """
SELECT DISTINCT instrument_id, settlement_asset, multiplier FROM instruments
WHERE startsWith(kind, 'LINEAR')
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, AccountState], Path]:
    """The accounts of a book, and the folder of the history that led to them."""
    driver = RecordedDriver(WITHOUT_FUNDING)
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
    return {
        (name, *place): quantity
        for name, account in accounts.items()
        for place, (quantity, _) in account.positions.items() if quantity
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


def test_cash_and_fees_are_the_books(run: tuple[dict[str, AccountState], Path]) -> None:
    """Balances less costs: what was paid in and moved, less fees and the worth of what was traded.

    So no unit appears or is lost however profit was realised on the way.
    """
    accounts, data = run
    linear = {r["instrument_id"]: r["settlement_asset"] for r in asked(data, LINEAR_SQL)}
    expected: defaultdict[tuple[str, str], int] = defaultdict(int)
    for name, account in accounts.items():
        for (_, asset), amount in account.balances.items():
            if asset in linear.values() and not name.startswith(FEES):
                expected[name, asset] += amount
        for (_, instrument), (_, cost) in account.positions.items():
            if instrument in linear:
                expected[name, linear[instrument]] -= cost
    rows = asked(data, f"WITH linear AS ({LINEAR_SQL}) {CASH_SQL}")
    summed = {(row["account_id"], row["asset"]): e8(row["cash"]) for row in rows}
    assert {place: n for place, n in summed.items() if n} == {
        place: n for place, n in expected.items() if n
    }
    collected: defaultdict[str, int] = defaultdict(int)
    for name in filter(lambda name: name.startswith(FEES), accounts):
        for (_, asset), amount in accounts[name].balances.items():
            collected[asset] += amount
    paid = asked(data, "SELECT fee_asset, sum(fee) AS fees FROM fills GROUP BY fee_asset")
    assert {row["fee_asset"]: e8(row["fees"]) for row in paid} == collected
    kinds = {row["kind"] for row in asked(data, "SELECT DISTINCT kind FROM transfers")}
    assert "TAKEOVER" in kinds
