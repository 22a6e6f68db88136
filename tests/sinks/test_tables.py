"""Every table agrees with its record, column for column, and says why it is ordered so."""

from pathlib import Path

import pytest

from schemas.topics import TOPICS, Topic
from sinks.clickhouse import DECIDED, table_name
from sinks.columns import record_columns
from sinks.definitions import TABLES_FOLDER, tables, views
from sinks.store import Store

PLACE = [("_partition", "UInt16"), ("_offset", "UInt64")]
APPLIED = [("_applied", "String")]
WRITTEN = [("_ingested_at", "DateTime64(3, 'UTC')")]


OF_THE_SINK = {"sink_refused", "ingest_blocks", "schema_migrations", "retention_changes"}


def test_there_is_a_table_a_topic_and_four_of_the_sinks_own() -> None:
    expected = {table_name(topic.name) for topic in TOPICS} | OF_THE_SINK
    assert {one.name for one in tables()} == expected


@pytest.mark.parametrize("path", sorted(TABLES_FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_a_file_opens_with_the_reason_of_its_order(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("-- ")
    assert max(map(len, text.splitlines())) <= 100
    assert "\nCOMMENT '" in text


def test_a_table_remembers_tokens_and_a_view_is_replaced() -> None:
    for table in tables():
        assert f"CREATE TABLE IF NOT EXISTS {table.name} (" in table.statement
        assert "non_replicated_deduplication_window = 10000" in table.statement
    for view in views():
        assert f"CREATE OR REPLACE VIEW {view.name} AS" in view.statement
    assert len(views()) >= 10


@pytest.mark.embedded
def test_tables_agree_with_the_schemas(store: Store) -> None:
    for topic in TOPICS:
        described = store.query(f"DESCRIBE TABLE {table_name(topic.name)}")
        expected = [(c.name, c.table_type) for c in record_columns(topic.record)] + PLACE
        expected += (APPLIED if topic.name in DECIDED else []) + WRITTEN
        assert [(row["name"], row["type"]) for row in described] == expected, topic.name
        assert all(row["comment"] for row in described), topic.name
        assert all(row["codec_expression"] for row in described), topic.name


@pytest.mark.embedded
def test_every_file_is_read_as_the_store_reads_it(store: Store) -> None:
    for table in tables():
        described = store.query(f"DESCRIBE TABLE {table.name}")
        assert {row["name"]: row["type"] for row in described} == table.columns
        assert all(row["comment"] for row in described), table.name


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_money_is_decimal_and_nothing_else_is(topic: Topic) -> None:
    for column in record_columns(topic.record):
        assert column.field.endswith("_e8") == ("Decimal(18, 8)" in column.table_type)
        assert column.nullable == ("Nullable" in column.table_type)
