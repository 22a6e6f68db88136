"""The rows of each block beside the CRC that was written with it: is a value another one now?"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME
from sinks.clickhouse import Delivery
from sinks.reading import Row, rows
from sinks.store import Store
from sinks.verifier import Finding

NOT_KEYED = frozenset({"dead-letters"})
"""Their keys are those of other topics' records."""
BLOCKS_SQL = """
SELECT topic_id, partition, first_offset, last_offset, any(rows) AS records, any(crc) AS crc
FROM ingest_blocks WHERE topic = {topic:String} AND state = 'STORED'
GROUP BY topic_id, partition, first_offset, last_offset
ORDER BY partition, first_offset
"""
REFUSED_SQL = """
SELECT partition, offset, hex(key) AS key, key IS NULL AS no_key, hex(value) AS value,
    value IS NULL AS no_value
FROM sink_refused WHERE topic = {topic:String}
"""
AT_ONCE = 20_000
"""So many records are read at a time: blocks may be small, and a question has its price."""
Place = tuple[int, int]
"""Partition and offset."""
Bytes = tuple[bytes | None, bytes | None]


def changed(store: Store, topic: str) -> list[Finding]:
    """Blocks of a topic whose rows are not those that were stored.

    The rows are written as records again: an Avro record has one way to be written. Left out are
    blocks of which rows are gone or there twice, and topics of which no block of several can be
    written again, since their producer writes in a way of its own.
    """
    if topic in NOT_KEYED:
        return []
    found, alike, refused = [], 0, _refused(store, topic)
    for blocks in _together(store.query(BLOCKS_SQL, {"topic": topic})):
        here = _bytes(store, topic, blocks, refused)
        offsets = sorted(here)
        for block in blocks:
            first, last = int(block["first_offset"]), int(block["last_offset"])
            mine = offsets[bisect_left(offsets, first) : bisect_right(offsets, last)]
            if len(mine) != int(block["records"]):
                continue
            partition = int(block["partition"])
            if _crc(topic, partition, {one: here[one] for one in mine}) == int(block["crc"]):
                alike += 1
                continue
            sentence = f"one of its {len(mine)} rows or more are not as they were stored"
            found.append(
                Finding("changed", topic, str(block["topic_id"]), partition, first, last, sentence)
            )
    return found if alike or len(found) == 1 or BY_NAME[topic].sharing == "output" else []


def _together(blocks: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Blocks that follow each other in a partition, as many as are read at once."""
    run: list[Mapping[str, Any]] = []
    records = 0
    for block in blocks:
        if run and (block["partition"] != run[-1]["partition"] or records >= AT_ONCE):
            yield run
            run, records = [], 0
        run.append(block)
        records += int(block["records"])
    if run:
        yield run


def _refused(store: Store, topic: str) -> dict[Place, Bytes]:
    """Key and value of each record that the sink could not put into the table."""
    return {
        (int(row["partition"]), int(row["offset"])): (
            None if row["no_key"] else bytes.fromhex(row["key"]),
            None if row["no_value"] else bytes.fromhex(row["value"]),
        )
        for row in store.query(REFUSED_SQL, {"topic": topic})
    }


def _bytes(
    store: Store, topic: str, blocks: Sequence[Mapping[str, Any]], refused: Mapping[Place, Bytes]
) -> dict[int, Bytes]:
    """Key and value of each record of blocks of one partition, by offset."""
    partition = int(blocks[0]["partition"])
    first = min(int(block["first_offset"]) for block in blocks)
    last = max(int(block["last_offset"]) for block in blocks)
    where = "_partition = {partition:UInt16} AND _offset BETWEEN {first:UInt64} AND {last:UInt64}"
    span = {"partition": partition, "first": first, "last": last}
    here = {
        row.offset: _written(topic, row) for row in rows(store, topic, where=where, parameters=span)
    }
    for (place, offset), record in refused.items():
        if place == partition and first <= offset <= last:
            here[offset] = record
    return here


def _written(topic: str, row: Row) -> Bytes:
    of = BY_NAME[topic]
    return str(row.record[of.keyed_by]).encode(), encode(of.record, row.record)


def _crc(topic: str, partition: int, here: Mapping[int, Bytes]) -> int:
    offsets = sorted(here)
    keys: Sequence[bytes | None] = [here[offset][0] for offset in offsets]
    values: Sequence[bytes | None] = [here[offset][1] for offset in offsets]
    count = len(offsets)
    block = Block(
        topic, partition, np.array(offsets, np.int64), keys, values, np.zeros(count, np.int64)
    )
    return Delivery(block, "").crc
