"""Is the history whole? What was recorded of blocks, held against itself and against the tables.

Gaps between the offsets of blocks are no fault in themselves: transactions and compaction leave
them. Whether a gap hides records only the topic can say, see `sinks.recount`.

Source: eBay's Block Aggregator, whose verifier reads the metadata of blocks and finds overlaps and
steps back; here every row is counted too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas.topics import TOPICS
from sinks.clickhouse import REFUSED_TABLE, TopicPartition, table_name
from sinks.retention import cutoffs
from sinks.store import Store

Kind = Literal["overlap", "step back", "pending", "missing", "twice", "stray", "unread", "changed"]

# The blocks of a topic, each once, and those on their way. Of several on their way with the same
# beginning the shortest counts. `open`: on its way, or recorded so recently that a query may have
# begun before its rows were there.
BLOCKS_SQL = """
SELECT topic_id, partition, first_offset, last_offset, max(rows) AS records,
    countIf(state = 'STORED') = 0 AS pending,
    countIf(state = 'STORED' AND at <= now64(3) - {recent_s:UInt32}) = 0 AS open,
    min(at) AS begun_at, minIf(at, state = 'STORED') AS stored_at,
    max(refused) AS refused, min(oldest) AS oldest, max(newest) AS newest
FROM (
    SELECT *, maxIf(last_offset + 1, state = 'STORED')
        OVER (PARTITION BY topic_id, partition) AS next
    FROM ingest_blocks WHERE topic = {topic:String})
GROUP BY topic_id, partition, first_offset, last_offset
HAVING NOT pending OR first_offset >= any(next)
ORDER BY last_offset
LIMIT 1 BY topic_id, partition, first_offset, if(pending, 0, last_offset)
"""
# A topic that was deleted and made again has blocks under several ids. A row belongs to the last
# of them that had begun when the row was written.
GENERATION_SQL = """arrayElement(
    (SELECT groupArray(topic_id) FROM (SELECT topic_id, min(at) AS start FROM ingest_blocks
        WHERE topic = {topic:String} GROUP BY topic_id ORDER BY start) AS g),
    arrayLastIndex(start -> start <= _ingested_at, (SELECT groupArray(start) FROM (
        SELECT topic_id, min(at) AS start FROM ingest_blocks
        WHERE topic = {topic:String} GROUP BY topic_id ORDER BY start) AS g)))"""
ORDER_SQL = f"""
SELECT topic_id, partition, first_offset, last_offset, behind,
    place > 1 AND first_offset <= nearest AS overlaps
FROM (
    SELECT *,
        max(last_offset) OVER (PARTITION BY topic_id, partition
            ORDER BY first_offset, last_offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS nearest,
        max(last_offset) OVER (PARTITION BY topic_id, partition
            ORDER BY stored_at, first_offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS behind,
        row_number() OVER (PARTITION BY topic_id, partition
            ORDER BY first_offset, last_offset) AS place,
        row_number() OVER (PARTITION BY topic_id, partition
            ORDER BY stored_at, first_offset) AS turn
    FROM ({BLOCKS_SQL}) WHERE NOT pending)
WHERE (place > 1 AND first_offset <= nearest) OR (turn > 1 AND first_offset <= behind)
ORDER BY topic_id, partition, first_offset
"""
COUNTS_SQL = f"""
WITH
blocks AS ({BLOCKS_SQL}),
places AS (
    SELECT {GENERATION_SQL} AS topic_id, _partition AS partition, _offset AS offset, 1 AS kept
    FROM {{table}}
    UNION ALL
    SELECT {GENERATION_SQL} AS topic_id, partition, offset, 0 AS kept FROM {REFUSED_TABLE}
    WHERE topic = {{topic:String}}),
found AS (
    SELECT p.topic_id AS topic_id, p.partition AS partition, b.first_offset AS first_offset,
        b.last_offset AS last_offset, b.records = 0 OR p.offset > b.last_offset AS stray,
        count() AS rows, groupBitmap(p.offset - b.first_offset) AS offsets, sum(p.kept) AS kept
    FROM places AS p ASOF LEFT JOIN blocks AS b
        ON p.topic_id = b.topic_id AND p.partition = b.partition AND p.offset >= b.first_offset
    GROUP BY ALL)
SELECT topic_id, partition, first_offset, last_offset, 0 AS records, 0 AS open,
    rows, offsets, kept, 0 AS refused, NULL AS oldest, NULL AS newest
FROM found WHERE stray
UNION ALL
SELECT b.topic_id, b.partition, b.first_offset, b.last_offset, b.records, b.open,
    f.rows, f.offsets, f.kept, b.refused, b.oldest, b.newest
FROM blocks AS b LEFT JOIN (SELECT * FROM found WHERE NOT stray) AS f
    ON b.topic_id = f.topic_id AND b.partition = f.partition
    AND b.first_offset = f.first_offset AND b.last_offset = f.last_offset
WHERE f.rows != f.offsets OR (f.offsets != b.records AND NOT b.open)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, about the offsets `first` to `last` of a partition.

    - overlap: two blocks have the same offsets; step back: a block came after a later one.
    - pending: it was on its way into the store and never became durable.
    - missing, twice: fewer, or more rows than the block has records. Rows that were let go for
      their age are not missing, see `expired`.
    - stray: rows of no block; `first` to `last` is the block before them, or 0 to 0.
    - unread, changed: the topic has records there that are in no block, or not as many as it had.
    """

    kind: Kind
    topic: str
    topic_id: str
    partition: int
    first: int
    last: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} {self.first}-{self.last}: {self.sentence}"


def check(store: Store, *, recent_s: int = 0) -> list[Finding]:
    """What is wrong with the history as the store has it; an empty list is right.

    While a sink runs, blocks of the last `recent_s` seconds may be on their way. Where blocks of a
    partition overlap its rows are not counted: repair that first.
    """
    found: list[Finding] = []
    limits = cutoffs(store)
    known = {row["topic"] for row in store.query("SELECT DISTINCT topic FROM ingest_blocks")}
    for topic in TOPICS:
        if topic.name not in known:
            found += _unaccounted(store, topic.name)
            continue
        out_of_order = _out_of_order(store, topic.name, recent_s)
        found += out_of_order
        found += _pending(store, topic.name, recent_s)
        overlapping = {f.partition for f in out_of_order if f.kind == "overlap"}
        limit = limits.get(table_name(topic.name))
        found += _miscounted(store, topic.name, recent_s, overlapping, limit)
    return sorted(found, key=lambda f: (f.topic, f.topic_id, f.partition, f.first, f.kind))


def expired(store: Store) -> list[str]:
    """What was let go for its age, a sentence for each table that has let anything go."""
    told, limits = [], cutoffs(store)
    for topic in TOPICS:
        table = table_name(topic.name)
        if table not in limits:
            continue
        limit = limits[table]
        sql = COUNTS_SQL.replace("{table}", table)
        gone = [row for _, row in _rows(store, sql, topic.name, 0) if _went_for_age(row, limit)]
        if gone:
            records = sum(int(row["records"]) - int(row["offsets"]) for row in gone)
            told.append(
                f"{table}: {records:,} rows of {len(gone):,} blocks are gone, all from before "
                f"{limit:%Y-%m-%d %H:%M} UTC: older than its rows are kept"
            )
    return told


def gone_until(store: Store, topic: str) -> datetime | None:
    """A time before which all rows of a topic's table are that are gone; None: not known.

    Rows that went for their age were older than the table's rows are kept, others at most as late
    as the newest of their block.
    """
    table = table_name(topic)
    limit, until = cutoffs(store).get(table), []
    for _, row in _rows(store, COUNTS_SQL.replace("{table}", table), topic, 0):
        if int(row["offsets"]) < int(row["records"]):
            newest = row["newest"]
            aged = _went_for_age(row, limit)
            until.append(min(limit, newest or limit) if limit and aged else newest)
    return max(until) if until and None not in until else None


def finding(kind: Kind, where: TopicPartition, row: Mapping[str, Any], sentence: str) -> Finding:
    """A finding about the block that a row of a query names."""
    first, last = int(row["first_offset"]), int(row["last_offset"])
    return Finding(kind, where[0], str(row["topic_id"]), where[1], first, last, sentence)


def _rows(store: Store, sql: str, topic: str, recent_s: int) -> list[tuple[TopicPartition, Any]]:
    rows = store.query(sql, {"topic": topic, "recent_s": recent_s})
    return [((topic, int(row["partition"])), row) for row in rows]


def _unaccounted(store: Store, topic: str) -> list[Finding]:
    table = table_name(topic)
    sql = f"SELECT _partition AS partition, count() AS rows FROM {table} GROUP BY partition"
    return [
        Finding("stray", topic, "", int(row["partition"]), 0, 0, f"{row['rows']} rows in no block")
        for row in store.query(sql)
    ]


def _out_of_order(store: Store, topic: str, recent_s: int) -> list[Finding]:
    found = []
    for where, row in _rows(store, ORDER_SQL, topic, recent_s):
        if row["overlaps"]:
            found.append(finding("overlap", where, row, "some of it is in another block too"))
        else:
            sentence = f"stored after a block that ends at {row['behind']}"
            found.append(finding("step back", where, row, sentence))
    return found


def _pending(store: Store, topic: str, recent_s: int) -> list[Finding]:
    sql = f"""SELECT * FROM ({BLOCKS_SQL})
        WHERE pending AND begun_at <= now64(3) - {{recent_s:UInt32}}
        ORDER BY topic_id, partition"""
    return [
        finding("pending", where, row, f"on its way since {row['begun_at']:%Y-%m-%d %H:%M:%S}")
        for where, row in _rows(store, sql, topic, recent_s)
    ]


def _miscounted(
    store: Store, topic: str, recent_s: int, overlapping: set[int], limit: datetime | None
) -> list[Finding]:
    found = []
    table = table_name(topic)
    for where, row in _rows(store, COUNTS_SQL.replace("{table}", table), topic, recent_s):
        if where[1] in overlapping:
            continue
        records, rows, offsets = int(row["records"]), int(row["rows"]), int(row["offsets"])
        if not records:
            sentence = f"{rows} rows of {table} or {REFUSED_TABLE} are behind it and in no block"
            found.append(finding("stray", where, row, sentence))
            continue
        if rows > offsets:
            sentence = f"{rows - offsets} rows of {table} or {REFUSED_TABLE} are there twice"
            found.append(finding("twice", where, row, sentence))
        if offsets < records and not row["open"] and not _went_for_age(row, limit):
            sentence = f"{records - offsets} of {records} records are not in {table}"
            found.append(finding("missing", where, row, sentence))
    return found


def _went_for_age(row: Mapping[str, Any], limit: datetime | None) -> bool:
    """Whether the rows that a block has not are gone because of their age.

    Where none of them is that old, or a younger one must still be there and none is, or a refused
    record is not there either, something else took them. Nothing is known of the ages of blocks
    that were stored before migration 3.
    """
    kept, offsets = int(row["kept"]), int(row["offsets"])
    if limit is None or offsets >= int(row["records"]) or offsets < kept + int(row["refused"]):
        return False
    oldest, newest = row["oldest"], row["newest"]
    if oldest is None or newest is None:
        return True
    return bool(oldest < limit) and (kept > 0 or bool(newest < limit))
