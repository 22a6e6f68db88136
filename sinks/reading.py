"""The rows of the history as the records that they were: exact integers, in the topics' order."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from schemas.topics import BY_NAME
from sinks.clickhouse import table_name
from sinks.columns import RecordColumn, record_columns
from sinks.store import Store
from sinks.verifier import BLOCKS_SQL

WHOLE_SQL = f"""
SELECT partition, sum(records) AS records FROM ({BLOCKS_SQL}) WHERE NOT pending GROUP BY partition
"""
STORED_SQL = """SELECT _partition AS partition, uniqExact(_offset) AS records FROM {table}
GROUP BY partition"""
REFUSED_SQL = """SELECT partition, uniqExact(offset) AS records FROM sink_refused
WHERE topic = {topic:String} GROUP BY partition"""
GENERATIONS_SQL = "SELECT DISTINCT topic_id FROM ingest_blocks WHERE topic = {topic:String}"


class IncompleteHistoryError(RuntimeError):
    """Rows that an answer rests on are not in the history; the message says which."""


class Row(NamedTuple):
    """A record and where it was read: amounts in 1e-8, times in microseconds, as on the topic."""

    partition: int
    offset: int
    record: dict[str, Any]


def rows(
    store: Store,
    topic: str,
    *,
    where: str = "1",
    parameters: Mapping[str, Any] | None = None,
    order: str = "_partition, _offset",
) -> Iterator[Row]:
    """The records of a topic for which a condition on its table holds, each once."""
    columns = record_columns(BY_NAME[topic].record)
    chosen = ", ".join(f"{_exact(one)} AS c{number}" for number, one in enumerate(columns))
    sql = f"""SELECT {chosen}, _partition AS at_partition, _offset AS at_offset
        FROM {table_name(topic)} AS t WHERE {where}
        ORDER BY {order} LIMIT 1 BY at_partition, at_offset"""
    for row in store.query(sql, parameters):
        values = list(row.values())
        yield Row(values[-2], values[-1], _record(columns, values))


def require_whole(store: Store, topics: Sequence[str]) -> None:
    """IncompleteHistoryError where a table has fewer rows than its topic had records.

    Rows go where tables are kept for some days only: what followed from them is then not known.
    """
    for topic in topics:
        made = store.query(GENERATIONS_SQL, {"topic": topic})
        if len(made) > 1:
            raise IncompleteHistoryError(
                f"topic {topic} was deleted and made again {len(made) - 1} times: which of its "
                "records were applied when is not known"
            )
        stored = _counts(store, STORED_SQL.format(table=table_name(topic)))
        refused = _counts(store, REFUSED_SQL, topic)
        expected = _counts(store, WHOLE_SQL, topic)
        for partition, records in sorted(expected.items()):
            gone = records - stored.get(partition, 0) - refused.get(partition, 0)
            if gone > 0:
                raise IncompleteHistoryError(
                    f"{gone} of {records} records of {topic}/{partition} are no longer in the "
                    "history, so what followed from them cannot be recomputed"
                )


def _counts(store: Store, sql: str, topic: str = "") -> dict[int, int]:
    found = store.query(sql, {"topic": topic, "recent_s": 0})
    return {int(row["partition"]): int(row["records"]) for row in found}


@cache
def _exact(column: RecordColumn) -> str:
    """SQL of a column's value as the record has it."""
    name = f"t.`{column.name}`"
    bare = {"decimal": "reinterpretAsInt64({})", "micros": "toUnixTimestamp64Micro({})"}.get(
        column.kind
    )
    if bare is None:
        return name
    if column.array is None:
        return bare.format(name)
    return f"arrayMap(x -> {bare.format('x')}, {name})"


def _record(columns: Sequence[RecordColumn], values: Sequence[Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for column, value in zip(columns, values, strict=False):
        if column.array is None:
            record[column.field] = value
            continue
        elements = record.setdefault(column.array, [{} for _ in value])
        for element, one in zip(elements, value, strict=True):
            element[column.field] = one
    return record
