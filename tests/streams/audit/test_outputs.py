"""What the engine published: ids, steps, legs, and the marks and margins of liquidations."""

from typing import Any

import pytest

from tests.streams.audit.conftest import Run


def order_of(run: Run, action: str = "REDUCE") -> tuple[tuple[str, int], int, dict[str, Any]]:
    return next(
        (place, at, record)
        for place, at, _, record in run.entries("liquidations")
        if record["action"] == action
    )


@pytest.mark.parametrize(
    "topic", ["liquidations", "margin-calls", "transfers", "insurance-fund", "dead-letters"]
)
def test_an_id_given_twice_is_found(run: Run, topic: str) -> None:
    place, _, entry, _ = run.entries(topic)[3]
    run.append(place, entry)
    identity = entry.headers["plimsoll-id"].decode()
    assert f"{topic}: {identity} is given 2 times" in run.audit().duplicate_ids


def test_a_step_that_goes_back_is_found(run: Run) -> None:
    place, at, record = order_of(run)
    entries = run.log[place]
    later = next(
        other
        for other in range(at + 1, len(entries))
        if (entries[other].key or b"").decode() == record["account_id"]
    )
    entries[at], entries[later] = (
        entries[later]._replace(offset=entries[at].offset),
        entries[at]._replace(offset=entries[later].offset),
    )
    found = run.audit().duplicate_ids
    assert found[0].startswith(f"liquidations: {record['liquidation_id']} comes after")


def test_an_episode_that_goes_back_is_found(run: Run) -> None:
    place, at, record = order_of(run)
    identity = f"{record['account_id']}/{record['bucket']}"
    run.rewrite(place, at, episode=0, liquidation_id=f"{identity}/0/9")
    found = run.audit().duplicate_ids
    assert any(one.startswith(f"liquidations: {identity}/0/9 comes after") for one in found)


def leg_of(run: Run) -> tuple[tuple[str, int], int, dict[str, Any]]:
    return next(
        (place, at, record)
        for place, at, _, record in run.entries("transfers")
        if record["asset"] is not None
    )


def test_a_missing_leg_is_found(run: Run) -> None:
    place, at, record = leg_of(run)
    del run.log[place][at]
    unbalanced = run.audit().unbalanced
    identity = record["transfer_id"]
    assert any(
        one.startswith(f"transfer {identity} ") and f"leg {record['leg']} is missing" in one
        for one in unbalanced
    )
    assert any(one.startswith(f"transfer {identity}: its legs leave") for one in unbalanced)


@pytest.mark.parametrize("field", ["amount_e8", "quantity_e8", "cost_e8"])
def test_a_leg_one_unit_off_is_found(run: Run, field: str) -> None:
    place, at, record = next(
        (place, at, record)
        for place, at, _, record in run.entries("transfers")
        if record[field] and not record["account_id"].startswith("@")
    )
    run.rewrite(place, at, **{field: record[field] + 1})
    findings = run.audit()
    said = f"transfer {record['transfer_id']}: its legs leave 0.00000001 of"
    assert any(one.startswith(said) for one in findings.unbalanced)
    assert any(one.startswith(f"{record['account_id']}: ") for one in findings.wrong)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"mark_e8": 123}, "at 123 e8, which was no price of then"), ({"guard": "STALE"}, "STALE")],
)
def test_a_mark_that_may_not_liquidate_is_found(
    run: Run, change: dict[str, Any], said: str
) -> None:
    place, at, record = order_of(run)
    marks = [dict(mark) for mark in record["marks"]]
    marks[0] |= change
    run.rewrite(place, at, marks=marks)
    unjustified = run.audit().unjustified
    assert len(unjustified) == 1
    assert unjustified[0].startswith(f"{record['liquidation_id']} (REDUCE) rests on")
    assert said in unjustified[0]


def test_a_price_that_was_too_old_is_found(run: Run) -> None:
    place, at, record = order_of(run)
    run.rewrite(place, at, event_time=record["event_time"] + 3_600_000_000)
    assert "which was no price of then" in run.audit().unjustified[0]


@pytest.mark.parametrize("action", ["REDUCE", "TAKE_OVER"])
@pytest.mark.parametrize("field", ["equity_e8", "maintenance_margin_e8"])
def test_a_margin_that_does_not_follow_is_found(run: Run, action: str, field: str) -> None:
    place, at, record = order_of(run, action)
    run.rewrite(place, at, **{field: record[field] - 3})
    unjustified = run.audit().unjustified
    assert len(unjustified) == 1
    assert unjustified[0].startswith(f"{record['liquidation_id']} ({action}) has equity")


def test_an_order_above_maintenance_is_found(run: Run) -> None:
    place, at, record = order_of(run)
    run.rewrite(place, at, equity_e8=record["maintenance_margin_e8"])
    said = f"{record['liquidation_id']} (REDUCE) opens the episode"
    assert any(one.startswith(said) for one in run.audit().unjustified)


def test_an_order_before_its_inputs_were_applied_is_found(run: Run) -> None:
    """The same margin, but of a book that had not yet taken the fill that made it."""
    place, at, record = order_of(run)
    entry = run.log[place][at]
    run.log[place][at] = entry._replace(
        headers={**entry.headers, "plimsoll-applied": b"collateral=0,transfers=0,fills=0"}
    )
    unjustified = run.audit().unjustified
    assert len(unjustified) == 1
    assert unjustified[0].startswith(f"{record['liquidation_id']} (REDUCE) has equity 0 e8")
