"""Mends what can be mended of a history: rows twice, blocks that overlap, blocks lost on their way.

A row comes twice where a block is repeated after the store has forgotten its token: more blocks
than its window were stored between the crash and the repeat. Blocks overlap where two sinks wrote
a partition. Every statement may be repeated, so a repair that was interrupted is begun again.
"""

from collections.abc import Mapping
from itertools import groupby

from sinks.broker import Held
from sinks.clickhouse import REFUSED_TABLE, table_name
from sinks.store import Store
from sinks.verifier import BLOCKS_SQL, GENERATION_SQL, Finding, check

PLACES = {False: ("_partition", "_offset"), True: ("partition", "offset")}
"""Where a row came from: columns of a topic's table, and of sink_refused."""

Range = tuple[int, int]


def repair(store: Store, held: Mapping[str, Held] | None = None) -> list[str]:
    """Mend the history, and return what was done, a sentence each.

    No sink may run meanwhile. Of equal rows the first stays. Blocks that overlap become one, of as
    many records as are stored of it. A block on its way counts as stored where all of it is, and
    is forgotten, hence read again, where nothing is. Where a part is, it is left to the sink; but
    where `held`, by topic, says that the broker no longer has its records, that part is the block.
    """
    done: list[str] = []
    findings = check(store)
    for kind, mend in (("overlap", _merge), ("twice", _thin)):
        of_kind = [finding for finding in findings if finding.kind == kind]
        of_kind.sort(key=_partition_of)
        for _, group in groupby(of_kind, key=_partition_of):
            done += mend(store, list(group))
    for finding in findings:
        if finding.kind == "pending":
            done += _close(store, finding, gone=held is not None and _gone(finding, held))
    return done


def _partition_of(finding: Finding) -> tuple[str, str, int]:
    return finding.topic, finding.topic_id, finding.partition


def _merge(store: Store, group: list[Finding]) -> list[str]:
    rows = store.query(
        f"SELECT first_offset, last_offset FROM ({BLOCKS_SQL}) WHERE NOT pending "
        "AND topic_id = {topic_id:String} AND partition = {partition:UInt16} ORDER BY 1, 2",
        {"topic": group[0].topic, "recent_s": 0, "topic_id": group[0].topic_id,
         "partition": group[0].partition},
    )  # fmt: skip
    merged: list[tuple[Range, int]] = []
    for row in rows:
        first, last = int(row["first_offset"]), int(row["last_offset"])
        if merged and first <= merged[-1][0][1]:
            (begin, end), count = merged[-1]
            merged[-1] = (begin, max(end, last)), count + 1
        else:
            merged.append(((first, last), 1))
    done = []
    for span, count in merged:
        if count > 1:
            copies = _delete_copies(store, group[0], span)
            _record(store, group[0], span)
            done.append(
                f"{group[0].topic}/{group[0].partition} {span[0]}-{span[1]}: {count} blocks "
                f"made one, {copies} rows that were twice deleted"
            )
    return done


def _thin(store: Store, group: list[Finding]) -> list[str]:
    one, span = group[0], (min(f.first for f in group), max(f.last for f in group))
    copies = _delete_copies(store, one, span)
    return [
        f"{one.topic}/{one.partition} {span[0]}-{span[1]}: {copies} rows that were twice deleted"
    ]


def _gone(finding: Finding, held: Mapping[str, Held]) -> bool:
    now = held.get(finding.topic)
    if now is None or now.topic_id != finding.topic_id:
        return True
    return now.starts.get(finding.partition, 0) > finding.first


def _close(store: Store, finding: Finding, *, gone: bool) -> list[str]:
    span = finding.first, finding.last
    meant = store.query(
        f"SELECT records FROM ({BLOCKS_SQL}) WHERE pending AND topic_id = {{topic_id:String}} "
        "AND partition = {partition:UInt16} AND first_offset = {first:UInt64}",
        {"topic": finding.topic, "recent_s": 0, "topic_id": finding.topic_id,
         "partition": finding.partition, "first": finding.first},
    )  # fmt: skip
    records = int(meant[0]["records"])
    stored = sum(_stored(store, finding, span, refused=refused)[0] for refused in PLACES)
    if 0 < stored < records and not gone:
        return []
    _record(store, finding, span)
    lost = ", the topic no longer has the rest" if gone and stored < records else ""
    return [
        f"{finding.topic}/{finding.partition} {span[0]}-{span[1]}: no longer on its way, "
        f"{stored} of {records} records are stored{lost}"
    ]


def _delete_copies(store: Store, one: Finding, span: Range) -> int:
    """Delete all rows of the span but the first of each offset; returns how many those were."""
    deleted = 0
    for refused, (_, offset) in PLACES.items():
        before = _stored(store, one, span, refused=refused)[1]
        table = REFUSED_TABLE if refused else table_name(one.topic)
        # A mutation, since a lightweight DELETE leaves the rows in projections; and one text, since
        # a tuple of these two finds no row where a table has projections (seen on 26.9).
        sql = f"""ALTER TABLE {table} DELETE WHERE concat(_part, ' ', toString(_part_offset)) IN (
            SELECT concat(_part, ' ', toString(_part_offset)) FROM (
                SELECT _part, _part_offset, row_number() OVER (
                    PARTITION BY {offset} ORDER BY _ingested_at, _part, _part_offset) AS copy
                FROM {table} WHERE {_span(one, span, refused=refused)})
            WHERE copy > 1) SETTINGS mutations_sync = 2"""
        if before:
            store.create(sql)
            deleted += before - _stored(store, one, span, refused=refused)[1]
    return deleted


def _record(store: Store, one: Finding, span: Range) -> int:
    """Let the span be one block, of the offsets that are stored; returns how many those are.

    Where there are none its blocks are forgotten, and what the topic still has is read again.
    """
    refused = _stored(store, one, span, refused=True)[0]
    rows = _stored(store, one, span, refused=False)[0] + refused
    within = (
        f"topic = '{one.topic}' AND topic_id = {_quoted(one.topic_id)} "
        f"AND partition = {one.partition} "
        f"AND first_offset >= {span[0]} AND last_offset <= {span[1]}"
    )
    if rows:
        store.create(
            "INSERT INTO ingest_blocks (topic, topic_id, partition, first_offset, last_offset, "
            f"rows, refused, crc, state, at) SELECT any(topic), any(topic_id), any(partition), "
            f"{span[0]}, {span[1]}, {rows}, {refused}, 0, 'STORED', min(at) "
            f"FROM ingest_blocks WHERE {within}"
        )
    whole = f"(first_offset = {span[0]} AND last_offset = {span[1]} AND rows = {rows})"
    store.create(f"DELETE FROM ingest_blocks WHERE {within} AND NOT {whole}")
    return rows


def _stored(store: Store, one: Finding, span: Range, *, refused: bool) -> tuple[int, int]:
    """Offsets and rows of a span that are in its table, or in sink_refused."""
    table = REFUSED_TABLE if refused else table_name(one.topic)
    row = store.query(
        f"SELECT uniqExact({PLACES[refused][1]}) AS offsets, count() AS rows FROM {table} "
        f"WHERE {_span(one, span, refused=refused)}"
    )[0]
    return int(row["offsets"]), int(row["rows"])


def _span(one: Finding, span: Range, *, refused: bool) -> str:
    partition, offset = PLACES[refused]
    generation = GENERATION_SQL.replace("{topic:String}", f"'{one.topic}'")
    of_topic = f"topic = '{one.topic}' AND " if refused else ""
    return (
        f"{of_topic}{partition} = {one.partition} AND {offset} BETWEEN {span[0]} AND {span[1]} "
        f"AND {generation} = {_quoted(one.topic_id)}"
    )


def _quoted(text: str) -> str:
    """A string of SQL; parameters do not reach a mutation."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
