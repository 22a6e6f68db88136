"""The verifier finds what is wrong with a history, and the repair mends it."""

import pytest

from sinks.broker import Held
from sinks.clickhouse import Delivery, deliver
from sinks.repair import repair
from sinks.store import Store
from sinks.verifier import check
from sinks.watermarks import Resume, Watermarks
from tests.sinks.samples import block_of, edge_records, fills

pytestmark = pytest.mark.embedded
DELETE, AT_ONCE = "ALTER TABLE fills DELETE WHERE", "SETTINGS mutations_sync = 2"


def put(store: Store, first: int, count: int, *, topic_id: str = "id", partition: int = 3) -> None:
    """Store a block of fills as the sink does."""
    carry_out(store, Delivery(fills(first, count, partition), topic_id))


def carry_out(store: Store, delivery: Delivery) -> None:
    marks = Watermarks(store)
    marks.intend([delivery])
    marks.stored([delivery], [deliver(store, delivery)])


def found(store: Store) -> list[tuple[str, int, int]]:
    return [(finding.kind, finding.first, finding.last) for finding in check(store)]


def fill_offsets(store: Store) -> list[int]:
    return [row["_offset"] for row in store.query("SELECT _offset FROM fills ORDER BY _offset")]


def forget_tokens(store: Store, table: str) -> None:
    """Let the store forget the tokens it knows, as an outage beyond its window does."""
    window = "non_replicated_deduplication_window"
    for size in (0, 10_000):
        store.create(f"ALTER TABLE {table} MODIFY SETTING {window} = {size}")


def test_gaps_that_transactions_leave_are_right(store: Store) -> None:
    for first, count in ((0, 10), (20, 5), (30, 2)):
        put(store, first, count)
    put(store, 0, 4, partition=1)
    assert found(store) == []


def test_a_refused_record_counts_as_one(store: Store) -> None:
    block = fills(0, 4)
    block.values[2] = b"no fill"
    carry_out(store, Delivery(block, "id"))
    assert found(store) == []
    store.create("DELETE FROM sink_refused WHERE offset = 2")
    assert found(store) == [("missing", 0, 3)]


def test_a_block_on_its_way_is_told_until_it_is_stored(store: Store) -> None:
    put(store, 0, 10)
    delivery = Delivery(fills(10, 5), "id")
    Watermarks(store).intend([delivery])
    assert found(store) == [("pending", 10, 14)]
    outcome = deliver(store, delivery)
    assert found(store) == [("pending", 10, 14)], "its rows are not stray"
    assert check(store, recent_s=3600) == [], "it has just begun"
    Watermarks(store).stored([delivery], [outcome])
    assert found(store) == []


def test_rows_that_are_gone_and_rows_of_no_block_are_told(store: Store) -> None:
    put(store, 0, 10)
    put(store, 10, 5)
    store.create(f"{DELETE} _offset IN (3, 4) {AT_ONCE}")
    deliver(store, Delivery(fills(50, 2), "id"))
    deliver(store, Delivery(block_of("orders", "order", edge_records("order", 3)), "id"))
    assert [str(finding) for finding in check(store)] == [
        "fills/3 0-9: 2 of 10 records are not in fills",
        "fills/3 10-14: 2 rows of fills or sink_refused are behind it and in no block",
        "orders/3 0-0: 3 rows in no block",
    ]


def test_a_block_before_one_that_was_stored_already_is_told(store: Store) -> None:
    put(store, 20, 5)
    put(store, 0, 5)
    assert found(store) == [("step back", 0, 4)]


def test_rows_stored_twice_beyond_the_window_are_found_and_mended(store: Store) -> None:
    put(store, 0, 10)
    crashed = fills(10, 5)
    crashed.values[1] = b"no fill"
    delivery = Delivery(crashed, "id")
    marks = Watermarks(store)
    marks.intend([delivery])
    deliver(store, delivery)
    for table in ("fills", "sink_refused"):
        forget_tokens(store, table)
    marks.stored([delivery], [deliver(store, delivery)])
    assert found(store) == [("twice", 10, 14)]
    assert repair(store) == ["fills/3 10-14: 5 rows that were twice deleted"]
    assert found(store) == []
    assert fill_offsets(store) == [*range(11), 12, 13, 14]
    assert repair(store) == []


def test_blocks_of_two_sinks_that_overlap_become_one(store: Store) -> None:
    put(store, 0, 10)
    put(store, 10, 10)
    put(store, 15, 10)
    put(store, 30, 5)
    assert found(store) == [("overlap", 15, 24)]
    assert repair(store) == ["fills/3 10-24: 2 blocks made one, 5 rows that were twice deleted"]
    assert found(store) == []
    assert fill_offsets(store) == [*range(25), *range(30, 35)]
    assert Watermarks(store).resume("fills", "id") == {3: Resume(35)}


def test_a_topic_made_again_is_counted_apart(store: Store) -> None:
    for topic_id in ("first", "second"):
        put(store, 0, 10, topic_id=topic_id)
    assert found(store) == []
    forget_tokens(store, "fills")
    deliver(store, Delivery(fills(0, 10), "second"))
    assert found(store) == [("twice", 0, 9)]
    assert repair(store) == ["fills/3 0-9: 10 rows that were twice deleted"]
    assert fill_offsets(store) == sorted([*range(10)] * 2)
    assert found(store) == []


def test_a_block_on_its_way_is_closed_by_what_the_table_has(store: Store) -> None:
    whole, none = Delivery(fills(10, 5), "id"), Delivery(fills(0, 5, 4), "id")
    Watermarks(store).intend([whole, none])
    deliver(store, whole)
    assert repair(store) == [
        "fills/3 10-14: no longer on its way, 5 of 5 records are stored",
        "fills/4 0-4: no longer on its way, 0 of 5 records are stored",
    ]
    assert found(store) == []
    assert Watermarks(store).resume("fills", "id") == {3: Resume(15)}


@pytest.mark.parametrize(
    "held",
    [{}, {"fills": Held("another", {3: 0})}, {"fills": Held("id", {3: 12})}],
    ids=["no topic", "made again", "records expired"],
)
def test_half_a_block_is_closed_where_the_topic_has_no_more(
    store: Store, held: dict[str, Held]
) -> None:
    delivery = Delivery(fills(10, 5), "id")
    Watermarks(store).intend([delivery])
    deliver(store, delivery)
    store.create(f"{DELETE} _offset > 12 {AT_ONCE}")
    assert repair(store) == repair(store, {"fills": Held("id", {3: 0})}) == []
    assert found(store) == [("pending", 10, 14)]
    assert repair(store, held) == [
        "fills/3 10-14: no longer on its way, 3 of 5 records are stored, "
        "the topic no longer has the rest"
    ]
    assert found(store) == []
    assert Watermarks(store).resume("fills", "id")[3] == Resume(15)
