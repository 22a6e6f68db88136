"""Rows that a table lets go for their age are no gap, and a gap is none of them."""

import time

import pytest
from click.testing import CliRunner

from sinks.clickhouse import Delivery, deliver
from sinks.schema import create_tables
from sinks.store import Store
from sinks.verifier import check, expired, gone_until
from sinks.watermarks import Watermarks
from streams.run.cli import main
from tests.sinks.samples import block_of, edge_records

pytestmark = pytest.mark.embedded
DAY_US = 86_400 * 1_000_000


def put(store: Store, first: int, days_old: list[float]) -> None:
    """Store a block of fills of these ages as the sink does."""
    records = edge_records("fill", len(days_old))
    for record, days in zip(records, days_old, strict=True):
        record["event_time"] = time.time_ns() // 1_000 - round(days * DAY_US)
    delivery = Delivery(block_of("fills", "fill", records, first=first), "id")
    marks = Watermarks(store)
    marks.intend([delivery])
    marks.stored([delivery], [deliver(store, delivery)])


def let_go(store: Store, days: int) -> None:
    create_tables(store, {"fills": days})
    store.create("OPTIMIZE TABLE fills FINAL")


def delete(store: Store, rows: str) -> None:
    store.create(f"ALTER TABLE fills DELETE WHERE {rows} SETTINGS mutations_sync = 2")


def offsets(store: Store) -> list[int]:
    return [row["_offset"] for row in store.query("SELECT _offset FROM fills ORDER BY _offset")]


def found(store: Store) -> list[tuple[str, int, int]]:
    return [(finding.kind, finding.first, finding.last) for finding in check(store)]


def told(store: Store) -> list[str]:
    return [sentence.split(" are gone")[0] for sentence in expired(store)]


def test_rows_gone_for_their_age_are_told_as_that(store: Store) -> None:
    put(store, 0, [500.0] * 4)
    put(store, 4, [500.0, 500.1])
    put(store, 6, [1.0] * 3)
    assert expired(store) == []
    let_go(store, 30)
    assert offsets(store) == [6, 7, 8]
    assert found(store) == []
    assert told(store) == ["fills: 6 rows of 2 blocks"]


def test_what_went_was_all_before_a_time(store: Store) -> None:
    put(store, 0, [500.0, 499.0])
    put(store, 2, [1.0])
    assert gone_until(store, "fills") is None
    let_go(store, 30)
    until = gone_until(store, "fills")
    assert until is not None
    assert round((time.time() - until.timestamp()) / 86_400) == 499
    put(store, 3, [400.0, 20.0])
    store.create("ALTER TABLE fills DELETE WHERE _offset = 3 SETTINGS mutations_sync = 2")
    until = gone_until(store, "fills")
    assert until is not None
    assert round((time.time() - until.timestamp()) / 86_400) == 30


def test_a_gap_among_rows_that_may_not_go_yet_is_told(store: Store) -> None:
    put(store, 0, [500.0] * 4)
    put(store, 4, [1.0] * 5)
    let_go(store, 30)
    delete(store, "_offset IN (5, 6)")
    assert [str(finding) for finding in check(store)] == [
        "fills/3 4-8: 2 of 5 records are not in fills"
    ]
    delete(store, "1")
    assert found(store) == [("missing", 4, 8)]
    assert told(store) == ["fills: 4 rows of 1 blocks"]


def test_of_a_block_at_the_limit_the_younger_rows_must_be_there(store: Store) -> None:
    put(store, 0, [500.0, 500.0, 1.0])
    let_go(store, 30)
    assert (offsets(store), found(store)) == ([2], [])
    assert told(store) == ["fills: 2 rows of 1 blocks"]
    delete(store, "1")
    assert found(store) == [("missing", 0, 2)]


def test_days_beyond_what_a_time_of_the_store_can_hold_are_refused(store: Store) -> None:
    """They would count from 1970 again, and everything would go."""
    put(store, 0, [1.0] * 2)
    with pytest.raises(ValueError, match="fills=20001: at most 20,000 days"):
        create_tables(store, {"fills": 20_001})
    let_go(store, 20_000)
    assert offsets(store) == [0, 1]


def test_a_refused_record_never_goes(store: Store) -> None:
    records = edge_records("fill", 3)
    for record in records:
        record["event_time"] = time.time_ns() // 1_000 - 500 * DAY_US
    block = block_of("fills", "fill", records)
    block.values[1] = b"no fill"
    delivery = Delivery(block, "id")
    Watermarks(store).intend([delivery])
    Watermarks(store).stored([delivery], [deliver(store, delivery)])
    let_go(store, 30)
    assert (offsets(store), found(store), told(store)) == ([], [], ["fills: 2 rows of 1 blocks"])
    store.create("DELETE FROM sink_refused WHERE 1")
    assert found(store) == [("missing", 0, 2)]


@pytest.mark.parametrize("later", [{"fills": 1_000}, {}], ids=["kept for longer", "for ever"])
def test_what_went_before_rows_were_kept_for_longer_stays_explained(
    store: Store, later: dict[str, int]
) -> None:
    put(store, 0, [500.0] * 4)
    put(store, 4, [100.0] * 2)
    let_go(store, 300)
    create_tables(store, later)
    assert (offsets(store), found(store), told(store)) == (
        [4, 5], [], ["fills: 4 rows of 1 blocks"],
    )  # fmt: skip
    delete(store, "1")
    assert found(store) == [("missing", 4, 5)]


def test_nothing_is_missed_of_blocks_whose_ages_are_not_known(store: Store) -> None:
    """Blocks that a release before 0003 stored."""
    put(store, 0, [500.0] * 4)
    store.create(
        "ALTER TABLE ingest_blocks UPDATE oldest = NULL, newest = NULL WHERE 1 "
        "SETTINGS mutations_sync = 1"
    )
    delete(store, "1")
    assert found(store) == [("missing", 0, 3)]
    create_tables(store, {"fills": 30})
    assert found(store) == []


def test_the_check_of_the_command_says_what_is_gone(store: Store, dsn: str) -> None:
    put(store, 0, [500.0] * 4)
    let_go(store, 30)
    checked = CliRunner().invoke(main, ["sink", "--dsn", dsn, "--check"])
    first, second = checked.output.splitlines()
    assert first.startswith("let go: fills: 4 rows of 1 blocks are gone, all from before ")
    assert (checked.exit_code, second) == (0, "the history is whole")
