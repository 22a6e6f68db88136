"""What the commands find in a history that is right, and in one where a byte was changed."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas.units import text
from sinks.store import Store
from streams.run.cli import main
from tests.simulation.driver import PARTITIONS
from tests.streams.run.verify.conftest import Spoil

pytestmark = pytest.mark.embedded
A_STATE = """SELECT _partition AS partition, _offset AS offset, account_id,
    `positions.mark` AS marks, `positions.instrument_id` AS names FROM margin_state
WHERE length(marks) > 0 ORDER BY event_time DESC, _partition, _offset LIMIT 1"""
A_TICK = """SELECT _offset AS offset, instrument_id FROM prices
WHERE (instrument_id, event_time) IN (
    SELECT marks.1, event_time FROM liquidations
    ARRAY JOIN arrayZip(`marks.instrument_id`, `marks.mark`) AS marks)
ORDER BY _offset LIMIT 1"""


def run(command: str, data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        main,
        [command, *arguments, "--data", str(data)],
        env={"PLIMSOLL_PARTITIONS": str(PARTITIONS)},
    )


def found(data: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = run("verify", data, "--json", *arguments)
    assert done.stdout, done.output
    return done.exit_code, json.loads(done.stdout)


def one_row(data: Path, sql: str) -> dict[str, Any]:
    with Store(f"chdb://{data / 'clickhouse'}", create=False) as store:
        return store.query(sql)[0]


def test_a_genuine_history_differs_nowhere(recorded: Path) -> None:
    status, made = found(recorded)
    assert (status, made["findings"], made["changed"]) == (0, [], [])
    told = one_row(
        recorded,
        """SELECT (SELECT count() FROM margin_state) AS states,
        (SELECT count() FROM margin_calls) AS calls,
        (SELECT count() FROM liquidations) AS orders""",
    )
    assert made["records"] == {"margin-state": told["states"], "margin-calls": told["calls"],
                               "liquidations": told["orders"]}  # fmt: skip
    assert min(made["records"].values()) > 10


def test_what_an_older_history_had_applied_is_found(recorded: Path, spoiled: Spoil) -> None:
    tables = ("margin_state", "margin_calls", "liquidations")
    data = spoiled(*(f"ALTER TABLE {table} DROP COLUMN _applied" for table in tables))
    status, made = found(data, "--to", "2025-01-06T00:00:16")
    assert (status, made["findings"], made["changed"]) == (0, [], [])
    assert min(made["records"].values()) > 10


def test_other_offsets_of_what_was_applied_are_named_or_refused(
    recorded: Path, spoiled: Spoil
) -> None:
    row = one_row(recorded, """SELECT _partition AS partition, _offset AS offset, account_id
        FROM margin_state WHERE notEmpty(`positions.mark`)
        ORDER BY event_time LIMIT 1""")  # fmt: skip
    place = f"_partition = {row['partition']} AND _offset = {row['offset']}"
    told = "ALTER TABLE margin_state UPDATE _applied = "
    data = spoiled(f"{told}replaceRegexpOne(_applied, 'fills=[0-9]+', 'fills=0') WHERE {place}")
    status, made = found(data, "--to", "2025-01-06T00:00:12")
    (finding,) = made["findings"]
    assert (status, finding["account"], finding["offset"]) == (1, row["account_id"], row["offset"])
    with Store(f"chdb://{data / 'clickhouse'}") as store:
        store.create(f"{told}'fills=x' WHERE {place} SETTINGS mutations_sync = 2")
    done = run("verify", data, "--to", "2025-01-06T00:00:12")
    assert done.exit_code == 1
    assert "plimsoll-applied 'fills=x' is not topic=offset" in done.output


def test_open_orders_are_in_the_margins(ordered: Path) -> None:
    status, made = found(ordered)
    assert (status, made["findings"], made["changed"]) == (0, [], [])
    told = one_row(
        ordered,
        """SELECT count() AS states, countIf(arraySum(`buckets.initial_margin`) > 0 AND
            arraySum(`positions.maintenance_margin`) = 0) AS of_orders FROM margin_state""",
    )
    assert made["records"]["margin-state"] == told["states"]
    assert told["of_orders"] > 10


def test_a_period_in_the_middle_is_computed_from_what_was_before(recorded: Path) -> None:
    status, made = found(recorded, "--from", "2025-01-06T00:00:12", "--to", "2025-01-06T00:00:20")
    assert (status, made["findings"]) == (0, [])
    assert made["from"] >= "2025-01-06 00:00:12"
    assert made["to"] < "2025-01-06 00:00:20"


def test_one_byte_of_a_mark_in_a_margin_state_is_named(recorded: Path, spoiled: Spoil) -> None:
    row = one_row(recorded, A_STATE)
    data = spoiled(
        "ALTER TABLE margin_state UPDATE `positions.mark` = arrayMap((mark, nth) -> if(nth = 1, "
        "reinterpret(bitXor(reinterpretAsInt64(mark), 1024), 'Decimal64(8)'), mark), "
        "`positions.mark`, arrayEnumerate(`positions.mark`)) "
        f"WHERE _partition = {row['partition']} AND _offset = {row['offset']}"
    )
    status, made = found(data)
    assert status == 1
    (finding,) = made["findings"]
    assert (finding["account"], finding["offset"]) == (row["account_id"], row["offset"])
    (difference,) = finding["differences"]
    mark = text(int(row["marks"][0].scaleb(8)))
    assert difference.startswith(f"mark of {row['names'][0]} in ")
    assert difference.endswith(f" stored, {mark} computed")
    assert [one["topic"] for one in made["changed"]] == ["margin-state"]


def test_one_byte_of_a_mark_in_the_prices_is_named(recorded: Path, spoiled: Spoil) -> None:
    row = one_row(recorded, A_TICK)
    data = spoiled(
        "ALTER TABLE prices UPDATE mark = reinterpret(bitXor(reinterpretAsInt64(mark), 1024), "
        f"'Decimal64(8)') WHERE _offset = {row['offset']}"
    )
    status, made = found(data)
    assert status == 1
    assert [one["topic"] for one in made["changed"]] == ["prices"]
    tick = {"instrument_id": row["instrument_id"], "partition": 0, "offset": row["offset"]}
    assert all(tick in finding["ticks"] for finding in made["findings"])
    assert "liquidations" in {finding["topic"] for finding in made["findings"]}


def test_another_cost_of_a_fill_shows_in_what_its_account_holds(
    recorded: Path, spoiled: Spoil
) -> None:
    row = one_row(recorded, """SELECT _partition AS partition, _offset AS offset, account_id
        FROM fills WHERE account_id IN (SELECT account_id FROM liquidations)
        ORDER BY event_time, account_id LIMIT 1""")  # fmt: skip
    data = spoiled(
        "ALTER TABLE fills UPDATE fee = fee + 1 "
        f"WHERE _partition = {row['partition']} AND _offset = {row['offset']}"
    )
    status, made = found(data)
    assert status == 1
    assert {finding["account"] for finding in made["findings"]} == {row["account_id"]}
    assert made["findings"][0]["differences"][0].startswith("balance of ")


def test_another_size_of_an_order_shows_in_the_initial_margin(
    ordered: Path, spoiled: Spoil
) -> None:
    row = one_row(ordered, """SELECT _partition AS partition, _offset AS offset, account_id
        FROM orders WHERE remaining > 0 AND NOT reduce_only AND account_id IN (
            SELECT account_id FROM margin_state WHERE arraySum(`positions.maintenance_margin`) = 0
            AND arraySum(`buckets.initial_margin`) > 0)
        ORDER BY event_time, account_id LIMIT 1""")  # fmt: skip
    data = spoiled(
        "ALTER TABLE orders UPDATE remaining = remaining * 100 "
        f"WHERE _partition = {row['partition']} AND _offset = {row['offset']}",
        of=ordered,
    )
    status, made = found(data, "--to", "2025-01-06T00:00:14")
    assert status == 1
    assert {finding["account"] for finding in made["findings"]} == {row["account_id"]}
    assert made["findings"][0]["differences"][0].startswith("initial margin of ")
    assert [one["topic"] for one in made["changed"]] == ["orders"]


MIDWAY = [
    f"ALTER TABLE {table} DELETE WHERE event_time < '2025-01-06 00:00:10'"
    for table in ("fills", "collateral", "transfers")
]


def test_what_rests_on_rows_that_are_gone_is_refused_and_the_rest_is_not(
    ordered: Path, spoiled: Spoil
) -> None:
    data = spoiled(*MIDWAY, of=ordered)
    done = run("verify", data)
    assert done.exit_code == 1
    assert "are no longer in the history" in done.output
    first = re.search(r"give --from (\S+)", done.output)
    assert first
    status, made = found(data, "--from", first[1])
    assert (status, made["findings"], made["changed"]) == (0, [], [])
    assert made["from"] >= first[1].replace("T", " ")
    later = one_row(data, f"SELECT count() AS n FROM margin_state WHERE event_time >= '{first[1]}'")
    assert made["records"]["margin-state"] == later["n"] > 100


def test_a_wrong_fee_is_found_where_older_rows_are_gone(recorded: Path, spoiled: Spoil) -> None:
    row = one_row(recorded, """SELECT _partition AS partition, _offset AS offset, account_id
        FROM fills WHERE account_id = 'mm-01' AND event_time > '2025-01-06 00:00:23'
        ORDER BY event_time LIMIT 1""")  # fmt: skip
    data = spoiled(
        *MIDWAY,
        "ALTER TABLE fills UPDATE fee = fee + 1 "
        f"WHERE _partition = {row['partition']} AND _offset = {row['offset']}",
    )
    first = re.search(r"give --from (\S+)", run("verify", data).output)
    assert first
    status, made = found(data, "--from", first[1])
    assert status == 1
    assert {finding["account"] for finding in made["findings"]} == {row["account_id"]}


def test_without_the_rules_nothing_can_be_recomputed(spoiled: Spoil) -> None:
    done = run("verify", spoiled("ALTER TABLE assets DELETE WHERE 1"))
    assert done.exit_code == 1
    assert "records of assets/0 are no longer in the history, so nothing can be" in done.output


def test_an_account_is_shown_as_it_was(recorded: Path) -> None:
    row = one_row(recorded, """SELECT account_id, toString(event_time) AS at, _offset AS offset,
        `buckets.stage` AS stages FROM margin_state
        WHERE has(`buckets.stage`, 'CALLED') ORDER BY event_time LIMIT 1""")  # fmt: skip
    done = run("history", recorded, row["account_id"], "--at", row["at"], "--json")
    made = json.loads(done.stdout)
    assert [one["stage"] for one in made["buckets"]] == row["stages"]
    assert made["last_state"]["offset"] == row["offset"]
    assert made["last_state"]["follows"] is True
    shown = run("history", recorded, row["account_id"], "--at", row["at"])
    assert "CALLED" in shown.output
    assert made["buckets"][0]["equity"] in shown.output


def test_what_is_not_in_the_history_is_told(recorded: Path, tmp_path: Path) -> None:
    nobody = run("history", recorded, "nobody", "--at", "2025-01-06T00:00:12")
    assert "no record of the history names the account 'nobody'" in nobody.output
    later = run("history", recorded, "mm-01", "--at", "2031-01-06")
    assert "is outside of the history, which goes from 2025-01-06 00:00:00" in later.output
    nothing = run("verify", tmp_path)
    assert f"{tmp_path} has no history" in nothing.output
    silent = CliRunner().invoke(main, ["verify", "--dsn", "http://127.0.0.1:9"])
    assert "no history at http://127.0.0.1:9" in silent.output
    assert {done.exit_code for done in (nobody, later, nothing, silent)} == {1}


def test_an_account_is_shown_with_the_margin_of_its_orders(ordered: Path) -> None:
    row = one_row(ordered, """SELECT s.account_id AS account_id, toString(s.event_time) AS at,
            arraySum(s.`buckets.initial_margin`) AS margin
        FROM margin_state AS s JOIN (SELECT account_id, max(event_time) AS last FROM orders
            GROUP BY account_id) AS o ON o.account_id = s.account_id
        WHERE s.event_time > o.last + INTERVAL 2 SECOND AND margin > 0
            AND arraySum(s.`positions.maintenance_margin`) = 0
        ORDER BY s.event_time, account_id LIMIT 1""")  # fmt: skip
    done = run("history", ordered, row["account_id"], "--at", row["at"], "--json")
    buckets = json.loads(done.stdout)["buckets"]
    assert sum(Decimal(one["initial_margin"]) for one in buckets) == row["margin"]
