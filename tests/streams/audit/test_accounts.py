"""Accounts against the inputs: a genuine run is clean, and each false entry is found and named."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from schemas.record_codec import decode, encode
from streams.audit.account import AccountState
from streams.audit.auditor import audit
from streams.audit.findings import Findings
from streams.audit.partitioner import partition_of
from streams.market.config import MarketConfig
from streams.run.soak.verdict import accounts_of
from streams.state.ledger import partition_of as engines_partition_of
from tests.streams.audit.conftest import Run
from tests.streams.audit.recorded import RecordedDriver

CALM = MarketConfig(
    seed=5, accounts=40, fills_per_s=60.0, crash_at_s=None, opening_s=8.0, funding_interval_s=5.0
)
ID_FIELDS = {"fills": "fill_id", "collateral": "collateral_id", "funding": "funding_id"}


def test_a_genuine_run_with_everything_in_it_is_clean(run: Run) -> None:
    kinds = {record["action"] for *_, record in run.entries("liquidations")}
    assert {"CANCEL_ORDERS", "REDUCE", "TAKE_OVER", "COMPLETED"} <= kinds
    assert {"WARNING", "CALL", "CURED"} <= {r["level"] for *_, r in run.entries("margin-calls")}
    assert {record["reason"] for *_, record in run.entries("dead-letters")} == {
        "UNDECODABLE", "DUPLICATE_ID",
    }  # fmt: skip
    assert run.entries("funding")
    findings = run.audit()
    assert findings.clean, findings
    summary = findings.summary()
    assert summary["clean"]
    assert summary["wrong"] == summary["letters"] == 0
    assert summary["recomputed"] == sum(
        record["action"] in ("REDUCE", "TAKE_OVER") for *_, record in run.entries("liquidations")
    )
    assert summary["records"]["fills"] == sum(  # type: ignore[index]
        len(entries) for (topic, _), entries in run.log.items() if topic == "fills"
    )


def heard_wrongly(
    topic: str, nth: int, copies: int, steps: int = 60
) -> tuple[Findings, dict[str, Any]]:
    """A run in which one record reaches the engine so many times, and that record."""
    seen, chosen = count(), {}

    def heard(name: str, value: bytes) -> tuple[bytes, ...]:
        if name != topic or next(seen) != nth:
            return (value,)
        record, values = decode(value)
        chosen.update(values)
        again = encode(record, {**values, ID_FIELDS[topic]: "another"})  # else it is refused
        return (value, again)[:copies]

    driver = RecordedDriver(CALM, heard=heard).run(steps)
    assert chosen
    return audit(driver.log, accounts_of(driver.cycle), driver.orders()), chosen


@pytest.mark.parametrize(
    ("topic", "field"), [("fills", "fill_id"), ("collateral", "collateral_id")]
)
def test_a_record_that_the_engine_lost_is_named(topic: str, field: str) -> None:
    findings, record = heard_wrongly(topic, 60 if topic == "fills" else 20, copies=0)
    account = record["account_id"]
    assert account in {sentence.split(": ")[0] for sentence in findings.wrong}
    assert findings.unbalanced
    assert len(findings.lost) == 1
    assert findings.lost[0].startswith(f"{account}: {topic}-")
    assert record[field] in findings.lost[0]
    assert not findings.twice


@pytest.mark.parametrize(
    ("topic", "field"), [("fills", "fill_id"), ("collateral", "collateral_id")]
)
def test_a_record_that_the_engine_applied_twice_is_named(topic: str, field: str) -> None:
    findings, record = heard_wrongly(topic, 60 if topic == "fills" else 20, copies=2)
    assert len(findings.twice) == 1
    assert findings.twice[0].startswith(f"{record['account_id']}: {topic}-")
    assert record[field] in findings.twice[0]
    assert not findings.lost


def test_a_payment_that_was_lost_is_named() -> None:
    findings, payment = heard_wrongly("funding", 45, 0, steps=200)
    name = payment["funding_id"]
    assert findings.lost == [f"partition {n}: funding {name} was never paid" for n in range(4)]


def test_a_payment_that_nobody_asked_for_is_named() -> None:
    findings, payment = heard_wrongly("funding", 45, 2, steps=120)
    assert sum("was paid, and is no payment" in one for one in findings.wrong) == 4
    slices = {one.split("#")[0] for one in findings.wrong if one[0] == "@"}
    assert slices == {f"@funding:{payment['instrument_id']}"}


def test_a_payment_made_twice_is_named(run: Run) -> None:
    payments = [one for one in run.orders[1] if "payment" in one]
    run.orders[1].append(payments[0])
    assert [one.startswith("partition 1: funding") for one in run.audit().twice] == [True]


def of_trader(run: Run, holds: Callable[[AccountState], object]) -> str:
    return next(n for n, state in sorted(run.engine.items()) if n[0] != "@" and holds(state))


def test_a_balance_one_unit_off_is_found(run: Run) -> None:
    name = of_trader(run, lambda state: state.balances.get(("cross", "USDT")))
    run.engine[name].balances["cross", "USDT"] += 1
    findings = run.audit()
    assert [sentence.split(":")[0] for sentence in findings.wrong] == [name]
    assert "cross USDT is" in findings.wrong[0]
    assert [sentence.split(":")[0] for sentence in findings.unbalanced] == ["USDT"]
    assert not findings.lost + findings.twice


@pytest.mark.parametrize("prefix", ["@fees:", "@funding:", "@settlement:", "@insurance:"])
def test_a_system_account_one_unit_off_is_found(run: Run, prefix: str) -> None:
    name = next(
        n for n, state in sorted(run.engine.items()) if n.startswith(prefix) and state.balances
    )
    asset = next(iter(run.engine[name].balances))
    run.engine[name].balances[asset] -= 1
    findings = run.audit()
    assert [sentence.startswith(f"{name}: cross") for sentence in findings.wrong] == [True]


def test_a_cost_one_unit_off_is_found(run: Run) -> None:
    name = of_trader(run, lambda state: any(q for q, _ in state.positions.values()))
    place, held = next(one for one in run.engine[name].positions.items() if one[1][0])
    run.engine[name].positions[place] = (held[0], held[1] + 1)
    findings = run.audit()
    assert len(findings.wrong) == 1
    assert f"{place[0]} {place[1]} is" in findings.wrong[0]
    assert findings.unbalanced[0].startswith(f"{place[1]}: the sum of cost")


def test_an_account_out_of_nowhere_is_found(run: Run) -> None:
    run.engine["nobody"] = AccountState({("cross", "USDT"): 1})
    findings = run.audit()
    assert findings.wrong == ["nobody: cross USDT is 0.00000001 in the engine and 0 by the inputs"]


def test_an_account_that_the_engine_forgot_is_found(run: Run) -> None:
    name = of_trader(run, lambda state: state.balances.get(("cross", "USDT")))
    del run.engine[name]
    assert [sentence.split(":")[0] for sentence in run.audit().wrong] == [name]


def test_an_engine_that_stopped_reading_is_found(run: Run) -> None:
    for state in run.engine.values():
        state.offsets = {
            topic: end - 2 * (topic == "fills") for topic, end in state.offsets.items()
        }
    lost = run.audit().lost
    assert any("records, from offset" in sentence for sentence in lost), lost


def test_the_auditors_partitions_are_the_engines() -> None:
    names = [*map(str, range(500)), "", "acc-é", "@insurance:USDT", "日本", "a" * 97]
    assert [partition_of(n, 12) for n in names] == [engines_partition_of(n, 12) for n in names]
