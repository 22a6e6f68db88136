"""Blocks of records become rows, exactly, once, and with nothing lost."""

import numpy as np
import pytest

from schemas.block import Block
from schemas.topics import TOPICS, Topic
from schemas.units import LIMIT_E8
from sinks.clickhouse import Delivery, deliver, table_name
from sinks.store import Store
from tests.sinks.samples import block_of, edge_records, stored_records

ROWS = 24


def delivery(block: Block, topic_id: str = "topic") -> Delivery:
    return Delivery(block, topic_id)


@pytest.mark.embedded
def test_every_record_comes_back_as_it_went_in(store: Store) -> None:
    for topic in TOPICS:
        records = edge_records(topic.record, ROWS)
        outcome = deliver(store, delivery(block_of(topic.name, topic.record, records)))
        assert outcome.refused == 0
        assert stored_records(store, table_name(topic.name), topic.record) == records, topic.name


@pytest.mark.embedded
def test_a_repeat_is_stored_once_and_another_topic_of_the_name_apart(store: Store) -> None:
    block = block_of("fills", "fill", edge_records("fill", ROWS))
    for topic_id in ("first", "first", "second"):
        deliver(store, delivery(block, topic_id))
    rows = store.query("SELECT _offset, count() AS n FROM fills GROUP BY _offset ORDER BY _offset")
    assert [(row["_offset"], row["n"]) for row in rows] == [(n, 2) for n in range(ROWS)]


@pytest.mark.embedded
@pytest.mark.parametrize(("topic", "record"), [("fills", "fill"), ("margin-calls", "margin_call")])
def test_what_is_no_record_is_kept_byte_for_byte(store: Store, topic: str, record: str) -> None:
    good = block_of(topic, record, edge_records(record, 6))
    values = [*good.values[:2], b"\x01garbage\xff", None, *good.values[4:]]
    block = Block(topic, 3, good.offsets, [None, *good.keys[1:]], values, good.timestamps_ms)
    assert [deliver(store, delivery(block)).refused for _ in range(2)] == [2, 2]
    kept = store.query(f"SELECT _offset FROM {table_name(topic)} ORDER BY _offset")
    assert [row["_offset"] for row in kept] == [0, 1, 4, 5]
    assert store.query(
        "SELECT topic, partition, offset, reason, hex(key) AS key, hex(value) AS value "
        "FROM sink_refused ORDER BY offset"
    ) == [
        {"topic": topic, "partition": 3, "offset": 2, "reason": "UNDECODABLE",
         "key": b"key".hex().upper(), "value": b"\x01garbage\xff".hex().upper()},
        {"topic": topic, "partition": 3, "offset": 3, "reason": "UNDECODABLE",
         "key": b"key".hex().upper(), "value": None},
    ]  # fmt: skip


@pytest.mark.embedded
def test_what_was_applied_is_told_of_the_rows_that_are_kept(store: Store) -> None:
    good = block_of("margin-calls", "margin_call", edge_records("margin_call", 3))
    values = [good.values[0], b"\x01garbage\xff", good.values[2]]
    block = Block("margin-calls", 3, good.offsets, good.keys, values, good.timestamps_ms)
    deliver(store, Delivery(block, "id", [b"fills=7,orders=2", b"fills=8", b""]))
    kept = store.query("SELECT _offset, _applied FROM margin_calls ORDER BY _offset")
    assert kept == [{"_offset": 0, "_applied": "fills=7,orders=2"}, {"_offset": 2, "_applied": ""}]


@pytest.mark.embedded
def test_values_beyond_the_columns_are_refused_and_their_neighbours_kept(store: Store) -> None:
    records = edge_records("margin_call", 8)
    records[2]["equity_e8"] = LIMIT_E8 + 1
    records[5]["marks"] = [{"instrument_id": "X", "mark_e8": -LIMIT_E8 - 1, "guard": "LIVE"}]
    records[6]["event_time"] = 2**62
    assert deliver(store, delivery(block_of("margin-calls", "margin_call", records))).refused == 3
    rest = [records[row] for row in (0, 1, 3, 4, 7)]
    assert stored_records(store, "margin_calls", "margin_call") == rest
    refused = store.query("SELECT offset, reason FROM sink_refused ORDER BY offset")
    assert [(row["offset"], row["reason"]) for row in refused] == [
        (2, "AMOUNT_OUT_OF_RANGE"), (5, "AMOUNT_OUT_OF_RANGE"), (6, "TIME_OUT_OF_RANGE"),
    ]  # fmt: skip


@pytest.mark.embedded
def test_a_block_over_more_months_than_a_server_likes_is_stored(store: Store) -> None:
    records = edge_records("fill", 150)
    for month, record in enumerate(records):
        record["event_time"] = month * 31 * 86_400_000_000
    deliver(store, delivery(block_of("fills", "fill", records)))
    assert store.query("SELECT count() AS n FROM fills") == [{"n": 150}]


def test_a_token_changes_with_everything_that_identifies_a_block() -> None:
    block = block_of("fills", "fill", edge_records("fill", 4))
    later = Block("fills", 3, block.offsets + 4, block.keys, block.values, block.timestamps_ms)
    elsewhere = Block("fills", 4, block.offsets, block.keys, block.values, block.timestamps_ms)
    shifted = [*block.values[:2], (block.values[2] or b"") + b"x", (block.values[3] or b"")[:-1]]
    damaged = Block("fills", 3, block.offsets, block.keys, shifted, block.timestamps_ms)
    tokens = [delivery(b).token for b in (block, later, elsewhere, damaged)]
    tokens.append(delivery(block, "other").token)
    assert len(set(tokens)) == len(tokens)
    again = block_of("fills", "fill", edge_records("fill", 4))
    assert delivery(again).token == tokens[0]
    assert tokens[0].startswith("topic:3:0-3:")


def test_offsets_may_have_gaps() -> None:
    block = block_of("fills", "fill", edge_records("fill", 2))
    gappy = Block("fills", 3, np.array([5, 90]), block.keys, block.values, block.timestamps_ms)
    assert (delivery(gappy).first, delivery(gappy).last) == (5, 90)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_tables_are_named_like_topics(topic: Topic) -> None:
    assert table_name(topic.name).replace("_", "-") == topic.name
