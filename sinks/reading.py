"""The rows of the history as the records that they were: exact integers, in the topics' order."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from schemas.topics import BY_NAME
from sinks.clickhouse import DECIDED, table_name
from sinks.columns import RecordColumn, record_columns
from sinks.store import Store
from sinks.verifier import BLOCKS_SQL, gone_until

US_PER_S = 1_000_000
WHOLE_SQL = f"""
SELECT partition, sum(records) AS records FROM ({BLOCKS_SQL}) WHERE NOT pending GROUP BY partition
"""
STORED_SQL = """SELECT _partition AS partition, uniqExact(_offset) AS records FROM {table}
GROUP BY partition"""
REFUSED_SQL = """SELECT partition, uniqExact(offset) AS records FROM sink_refused
WHERE topic = {topic:String} GROUP BY partition"""
PAGE_ROWS = 100_000
"""A server may refuse larger answers; this is far below what the door of `plimsoll up` allows."""
TOLD_SQL = """SELECT count() AS tables FROM system.columns
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND name = '_applied'"""
GENERATIONS_SQL = "SELECT DISTINCT topic_id FROM ingest_blocks WHERE topic = {topic:String}"


class IncompleteHistoryError(RuntimeError):
    """Rows that an answer rests on are not in the history; the message says which."""


class Row(NamedTuple):
    """A record and where it was read: amounts in 1e-8, times in microseconds, as on the topic."""

    partition: int
    offset: int
    record: dict[str, Any]
    applied: str = ""
    """Of what was decided: how far topics were applied, fills=120,collateral=45; empty: not told"""


class Gone(NamedTuple):
    """Records of a partition that are no longer in the history."""

    topic: str
    partition: int
    fewer: int
    records: int
    until_us: int | None
    """Event time before which all of the topic's are that are gone; None: not known."""

    def __str__(self) -> str:
        place = f"{self.topic}/{self.partition}"
        return f"{self.fewer} of {self.records} records of {place} are no longer in the history"


def rows(
    store: Store,
    topic: str,
    *,
    where: str = "1",
    parameters: Mapping[str, Any] | None = None,
    order: str | None = None,
    applied: bool = False,
) -> Iterator[Row]:
    """The records of a topic for which a condition on its table holds, each once.

    They come by partition and offset, a page at a time; in another `order` all at once. With
    what was `applied`, where that is asked for; `tells_applied` says whether it may be.
    """
    if order is not None:
        place = f"{where} ORDER BY {order}"
        yield from _page(store, topic, place, parameters, applied=applied)
        return
    behind: tuple[int, int] | None = None
    while True:
        on = "" if behind is None else f" AND (_partition, _offset) > {behind}"
        place = f"({where}){on} ORDER BY _partition, _offset"
        page = _page(store, topic, place, parameters, applied=applied, most=PAGE_ROWS)
        yield from page
        if len(page) < PAGE_ROWS:
            return
        behind = page[-1][:2]


def _page(
    store: Store,
    topic: str,
    where: str,
    parameters: Mapping[str, Any] | None,
    *,
    applied: bool,
    most: int | None = None,
) -> list[Row]:
    columns = record_columns(BY_NAME[topic].record)
    chosen = ", ".join(f"{_exact(one)} AS c{number}" for number, one in enumerate(columns))
    told = "_applied" if applied else "''"
    sql = f"""SELECT {chosen}, _partition AS at_partition, _offset AS at_offset, {told} AS applied
        FROM {table_name(topic)} AS t WHERE {where} LIMIT 1 BY at_partition, at_offset"""
    sql += "" if most is None else f" LIMIT {most}"
    found = (list(row.values()) for row in store.query(sql, parameters))
    return [Row(values[-3], values[-2], _record(columns, values), values[-1]) for values in found]


def tells_applied(store: Store) -> bool:
    """Whether what was decided has how far topics were applied: older histories have not."""
    tables = [table_name(topic) for topic in DECIDED]
    return int(store.query(TOLD_SQL, {"tables": tables})[0]["tables"]) == len(tables)


def gone(store: Store, topics: Sequence[str]) -> list[Gone]:
    """What tables have fewer of than their topics had: rows go where they are kept for some days.

    IncompleteHistoryError for a topic that was deleted and made again.
    """
    found = []
    for topic in topics:
        made = store.query(GENERATIONS_SQL, {"topic": topic})
        if len(made) > 1:
            raise IncompleteHistoryError(
                f"topic {topic} was deleted and made again {len(made) - 1} times: which of its "
                "records were applied when is not known"
            )
        expected = _counts(store, WHOLE_SQL, topic)  # first: rows may still be arriving
        stored = _counts(store, STORED_SQL.format(table=table_name(topic)))
        refused = _counts(store, REFUSED_SQL, topic)
        for partition, records in sorted(expected.items()):
            fewer = records - stored.get(partition, 0) - refused.get(partition, 0)
            if fewer > 0:
                until = gone_until(store, topic)
                until_us = None if until is None else round(until.timestamp() * US_PER_S)
                found.append(Gone(topic, partition, fewer, records, until_us))
    return found


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
