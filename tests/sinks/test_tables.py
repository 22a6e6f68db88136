"""Every table agrees with its record, column for column, and says why it is ordered so."""

from pathlib import Path

import pytest

from schemas.topics import TOPICS, Topic
from sinks.clickhouse import TABLES_FOLDER, table_name
from sinks.columns import record_columns
from sinks.store import Store

OWN = [("_partition", "UInt16"), ("_offset", "UInt64"), ("_ingested_at", "DateTime64(3, 'UTC')")]


def test_there_is_a_table_a_topic_and_two_of_the_sinks_own() -> None:
    expected = {table_name(topic.name) for topic in TOPICS} | {"sink_refused", "ingest_blocks"}
    assert {path.stem for path in TABLES_FOLDER.glob("*.sql")} == expected


@pytest.mark.parametrize("path", sorted(TABLES_FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_a_table_opens_with_its_reason_and_remembers_tokens(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("-- ")
    assert f"CREATE TABLE IF NOT EXISTS {path.stem} (" in text
    assert "non_replicated_deduplication_window = 10000" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.embedded
def test_tables_agree_with_the_schemas(store: Store) -> None:
    for topic in TOPICS:
        described = store.query(f"DESCRIBE TABLE {table_name(topic.name)}")
        expected = [(c.name, c.table_type) for c in record_columns(topic.record)] + OWN
        assert [(row["name"], row["type"]) for row in described] == expected, topic.name
        assert all(row["comment"] for row in described), topic.name
        assert all(row["codec_expression"] for row in described), topic.name


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_money_is_decimal_and_nothing_else_is(topic: Topic) -> None:
    for column in record_columns(topic.record):
        assert column.field.endswith("_e8") == ("Decimal(18, 8)" in column.table_type)
        assert column.nullable == ("Nullable" in column.table_type)
