"""The rows of each block beside the CRC that was written with it: is a value another one now?"""

from collections.abc import Mapping, Sequence
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
SELECT offset, hex(key) AS key, key IS NULL AS no_key, hex(value) AS value,
    value IS NULL AS no_value
FROM sink_refused WHERE topic = {topic:String} AND partition = {partition:UInt16}
    AND offset BETWEEN {first:UInt64} AND {last:UInt64}
"""
Bytes = tuple[bytes | None, bytes | None]


def changed(store: Store, topic: str) -> list[Finding]:
    """Blocks of a topic whose rows are not those that were stored.

    The rows are written as records again: an Avro record has one way to be written. Left out are
    blocks of which rows are gone or there twice, and topics of which no block of several can be
    written again, since their producer writes in a way of its own.
    """
    if topic in NOT_KEYED:
        return []
    found, alike = [], 0
    for block in store.query(BLOCKS_SQL, {"topic": topic}):
        partition, first, last = (
            int(block[name]) for name in ("partition", "first_offset", "last_offset")
        )
        span = {"topic": topic, "partition": partition, "first": first, "last": last}
        here = _bytes(store, topic, span)
        if len(here) != int(block["records"]):
            continue
        if _crc(topic, partition, here) == int(block["crc"]):
            alike += 1
            continue
        sentence = f"one of its {len(here)} rows or more are not as they were stored"
        found.append(
            Finding("changed", topic, str(block["topic_id"]), partition, first, last, sentence)
        )
    return found if alike or len(found) == 1 or BY_NAME[topic].sharing == "output" else []


def _bytes(store: Store, topic: str, span: Mapping[str, Any]) -> dict[int, Bytes]:
    """Key and value of each record of a block, by offset."""
    where = "_partition = {partition:UInt16} AND _offset BETWEEN {first:UInt64} AND {last:UInt64}"
    here = {
        row.offset: _written(topic, row) for row in rows(store, topic, where=where, parameters=span)
    }
    for row in store.query(REFUSED_SQL, span):
        key = None if row["no_key"] else bytes.fromhex(row["key"])
        value = None if row["no_value"] else bytes.fromhex(row["value"])
        here[int(row["offset"])] = (key, value)
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
