"""A history is brought to the state of this release in order, or refused with a reason."""

from pathlib import Path

import pytest

from sinks import schema
from sinks.clickhouse import DECIDED, table_name
from sinks.definitions import MIGRATIONS_FOLDER, Migration, migrations, tables
from sinks.schema import SchemaDiffersError, create_tables, keep_days_of
from sinks.store import Store

AWARDS = ("event", "sealed", "closes", "price", "bidder", "bid_id", "award")


def applied(store: Store) -> list[tuple[int, bool]]:
    rows = store.query("SELECT number, created FROM schema_migrations ORDER BY number")
    return [(row["number"], row["created"]) for row in rows]


def columns(store: Store) -> list[tuple[str, str, str]]:
    sql = """SELECT table, name, type FROM system.columns WHERE database = currentDatabase()
        AND table NOT IN (SELECT name FROM system.tables WHERE engine = 'View')
        ORDER BY table, position"""
    return [(row["table"], row["name"], row["type"]) for row in store.query(sql)]


def projections(store: Store) -> list[tuple[str, str]]:
    sql = """SELECT table, name FROM system.projections WHERE database = currentDatabase()
        ORDER BY table, name"""
    return [(row["table"], row["name"]) for row in store.query(sql)]


def make_old(store: Store) -> None:
    """As tables were before the first migration; they knew of no migrations then."""
    store.create("DROP TABLE schema_migrations")
    for column in AWARDS:
        store.create(f"ALTER TABLE auctions DROP COLUMN {column}")
    for table, name in projections(store):
        store.create(f"ALTER TABLE {table} DROP PROJECTION {name}")
    for topic in DECIDED:
        store.create(f"ALTER TABLE {table_name(topic)} DROP COLUMN _applied")


def test_the_numbers_of_the_files_have_no_gap(tmp_path: Path) -> None:
    assert [one.number for one in migrations()] == list(range(1, len(migrations()) + 1))
    for path in MIGRATIONS_FOLDER.glob("*.sql"):
        assert path.read_text("utf-8").startswith("-- ")
        (tmp_path / path.name).write_text(path.read_text("utf-8"))
    (tmp_path / "0999_far_ahead.sql").write_text("-- too far\n")
    with pytest.raises(ValueError, match="numbers of migrations"):
        migrations(tmp_path)


@pytest.mark.embedded
def test_a_new_history_has_seen_every_migration(store: Store) -> None:
    assert applied(store) == [(one.number, True) for one in migrations()]


@pytest.mark.embedded
def test_an_old_history_becomes_like_a_new_one_and_keeps_its_rows(store: Store) -> None:
    fresh = columns(store), projections(store)
    make_old(store)
    assert projections(store) == []
    store.create("INSERT INTO auctions (auction_id, awarded) VALUES ('a1', 2)")
    create_tables(store)
    assert (columns(store), projections(store)) == fresh
    assert applied(store) == [(one.number, False) for one in migrations()]
    rows = store.query("SELECT auction_id, awarded, event FROM auctions")
    assert [(r["auction_id"], int(r["awarded"]), r["event"]) for r in rows] == [("a1", 2, "OPENED")]
    create_tables(store)
    assert len(applied(store)) == len(migrations())


@pytest.mark.embedded
def test_a_migration_that_was_cut_short_is_finished(store: Store) -> None:
    make_old(store)
    store.create("ALTER TABLE auctions ADD COLUMN event LowCardinality(String) AFTER awarded")
    create_tables(store)
    assert applied(store) == [(one.number, False) for one in migrations()]


@pytest.mark.embedded
def test_a_newer_releases_history_is_refused(store: Store) -> None:
    newer = Migration(len(migrations()) + 1, "0099_from_tomorrow", "-- text\n")
    schema._record(store, newer, created=False)
    with pytest.raises(SchemaDiffersError, match=r"newer release.*0099_from_tomorrow"):
        create_tables(store)


@pytest.mark.embedded
def test_another_migration_under_a_known_number_is_refused(store: Store) -> None:
    store.create("DROP TABLE schema_migrations")
    create_tables_record = next(one for one in tables() if one.name == "schema_migrations")
    store.create(create_tables_record.statement)
    schema._record(store, Migration(1, "0001_of_a_fork", "-- other\n"), created=False)
    with pytest.raises(SchemaDiffersError, match=r"0001_of_a_fork.*is not the one"):
        create_tables(store)


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE prices DROP COLUMN ask", "prices has no column ask"),
        (
            "ALTER TABLE fills MODIFY COLUMN fee Float64 CODEC(ZSTD(1))",
            "fills.fee is Float64, and must be Decimal",
        ),
        ("ALTER TABLE fills DROP PROJECTION by_hour", "fills has no projection by_hour"),
        (
            "ALTER TABLE fills DROP PROJECTION by_time, "
            "ADD PROJECTION by_time (SELECT side ORDER BY side)",
            "fills.by_time is another projection: SELECT side ORDER BY side",
        ),
        ("ALTER TABLE fills ADD COLUMN desk String", "fills.desk .String. is unknown"),
        (
            "ALTER TABLE fills MODIFY SETTING non_replicated_deduplication_window = 0",
            "fills does not remember the tokens",
        ),
    ],
)
def test_what_differs_is_named_and_refused(store: Store, change: str, said: str) -> None:
    store.create(change)
    with pytest.raises(SchemaDiffersError, match=said):
        create_tables(store)


@pytest.mark.embedded
def test_a_table_ordered_otherwise_is_refused(store: Store) -> None:
    definition = next(one for one in tables() if one.name == "prices")
    store.create("DROP TABLE prices")
    store.create(
        definition.statement.replace("ORDER BY (instrument_id, event_time)", "ORDER BY event_time")
    )
    with pytest.raises(SchemaDiffersError, match="ordered by event_time, and must be by instr"):
        create_tables(store)


@pytest.mark.embedded
def test_a_column_that_the_store_fills_by_itself_is_let_be(store: Store) -> None:
    store.create("ALTER TABLE fills ADD COLUMN day Date MATERIALIZED toDate(event_time)")
    create_tables(store)
    assert ("fills", "day", "Date") in columns(store)


@pytest.mark.embedded
def test_a_lost_table_is_not_made_anew_while_rows_of_it_were_stored(store: Store) -> None:
    store.create("DROP TABLE fills")
    create_tables(store)
    store.create("DROP TABLE fills")
    store.create("INSERT INTO ingest_blocks (topic, rows, state) VALUES ('fills', 7, 'STORED')")
    with pytest.raises(SchemaDiffersError, match="fills is missing, though 7 records"):
        create_tables(store)


@pytest.mark.embedded
def test_rows_are_kept_as_long_as_asked(store: Store) -> None:
    def kept() -> dict[str, str]:
        sql = """SELECT name, extract(engine_full, 'toIntervalDay.(\\\\d+)') AS days
            FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"""
        return {row["name"]: row["days"] for row in store.query(sql) if row["days"]}

    assert kept() == {}
    store.create("INSERT INTO prices (event_time) VALUES ('2001-01-01'), (now64(6))")
    create_tables(store, {"prices": 400, "margin_state": 90})
    assert kept() == {"prices": "400", "margin_state": "90"}
    store.create("OPTIMIZE TABLE prices FINAL")
    assert store.query("SELECT count() AS n FROM prices")[0]["n"] == 1
    create_tables(store)
    assert kept() == {"prices": "400", "margin_state": "90"}
    create_tables(store, {"prices": 0})
    assert kept() == {}


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("table", "said"), [("instruments", "must be kept whole"), ("nothing", "is no table")]
)
def test_rules_are_kept_whole(store: Store, table: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        create_tables(store, {table: 30})


def test_days_are_read_from_text() -> None:
    assert keep_days_of("margin_state=90, prices=400") == {"margin_state": 90, "prices": 400}
    assert keep_days_of("") == {}
    with pytest.raises(ValueError, match="table=days"):
        keep_days_of("prices")
