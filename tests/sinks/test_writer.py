"""The writer carries blocks through every fault of a store over HTTP, each once."""

import itertools
import uuid
from collections.abc import Iterator

import pytest

from sinks import patience
from sinks.clickhouse import Delivery, create_tables
from sinks.door import Door
from sinks.store import TIMEOUT_S, Store, StoreBusyError, StoreError
from sinks.verifier import check
from sinks.watermarks import Resume, Watermarks
from sinks.writer import REFUSED_IN_A_ROW, Writer
from tests.contracts.fault_proxy import FaultProxy
from tests.sinks.samples import block_of, edge_records, fills

pytestmark = pytest.mark.embedded
SHORT_S = 1.0
FAULTS = ("reset before", "reset after", "503", "429", "silent", "code 159", "late code 159",
          "code 202", "code 241", "code 252")  # fmt: skip


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_WAIT_S", 0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for all: each test has its own database or its own topic."""
    with Door(str(tmp_path_factory.mktemp("served")), writable=True) as opened:
        yield opened


@pytest.fixture
def proxy(server: Door) -> Iterator[FaultProxy]:
    opened = FaultProxy(server.url)
    yield opened
    opened.close()


@pytest.fixture
def store(proxy: FaultProxy) -> Iterator[Store]:
    with Store(proxy.dsn, database=f"history_{uuid.uuid4().hex}") as opened:
        create_tables(opened)
        yield opened


@pytest.fixture(scope="module")
def database(server: Door) -> str:
    with Store(server.url, database="history") as opened:
        create_tables(opened)
    return "history"


def deliveries(topic_id: str) -> list[Delivery]:
    damaged = fills(0, 6)
    damaged.values[4] = b"no fill"
    orders = block_of("orders", "order", edge_records("order", 5))
    return [Delivery(block, topic_id) for block in (damaged, fills(0, 4, 1), orders)]


def carry_out(writer: Writer, blocks: list[Delivery]) -> None:
    for block in blocks:
        writer.take(block)
    while writer.open:
        writer.advance()


@pytest.mark.parametrize("table", ["ingest_blocks", "fills", "sink_refused"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_loses_or_doubles_a_record(
    proxy: FaultProxy, server: Door, database: str, fault: str, table: str
) -> None:
    topic_id = uuid.uuid4().hex
    turns = itertools.count()
    proxy.fault = lambda into: fault if into == table and next(turns) < 2 else None
    timeout_s = SHORT_S if fault == "silent" else TIMEOUT_S
    with Store(proxy.dsn, database=database, timeout_s=timeout_s) as faulty:
        carry_out(Writer(faulty), deliveries(topic_id))
    assert next(turns) > 2, "the fault did not come about"
    with Store(server.url, database=database) as store:
        assert check(store) == []
        assert Watermarks(store).resume("fills", topic_id) == {3: Resume(6), 1: Resume(4)}
        for name, rows in (("fills", 9), ("orders", 5), ("sink_refused", 1)):
            assert store.query(f"SELECT count() AS n FROM {name}") == [{"n": rows}]
            store.create(f"TRUNCATE TABLE {name}")
        store.create("TRUNCATE TABLE ingest_blocks")


def test_a_table_that_is_busy_holds_up_only_its_own_partitions(
    store: Store, proxy: FaultProxy
) -> None:
    proxy.fault = lambda into: "code 252" if into == "fills" else None
    writer = Writer(store)
    orders = Delivery(block_of("orders", "order", edge_records("order", 5)), "id")
    for delivery in (Delivery(fills(0, 4), "id"), orders):
        writer.take(delivery)
    assert [stored.delivery for stored in writer.advance()] == [orders]
    assert writer.open == writer.busy == {("fills", 3)}
    writer.take(Delivery(block_of("orders", "order", edge_records("order", 2), first=5), "id"))
    assert len(writer.advance()) == 1
    assert {finding.kind for finding in check(store)} == {"pending"}
    proxy.fault = lambda into: None
    while writer.open:
        writer.advance()
    assert check(store) == []


def test_nothing_counts_as_stored_before_it_was_acknowledged(
    store: Store, proxy: FaultProxy
) -> None:
    stored_after: list[list[str]] = []
    faults = iter(["late code 159", "reset after", None])
    proxy.fault = lambda into: next(faults) if into == "fills" else None
    writer = Writer(store)
    writer.take(Delivery(fills(0, 4), "id"))
    while writer.open:
        if writer.advance():
            stored_after.append(proxy.acknowledged[-3:])
    assert stored_after == [["ingest_blocks", "fills", "ingest_blocks"]]


def test_a_table_without_a_column_stops_the_sink_and_names_it(store: Store) -> None:
    store.create("ALTER TABLE fills DROP COLUMN isolated_margin")
    writer = Writer(store)
    writer.take(Delivery(fills(7, 4), "id"))
    with pytest.raises(StoreError, match=r"fills, fills/3 7-10: .*isolated_margin") as stopped:
        writer.advance()
    assert not isinstance(stopped.value, StoreBusyError)
    store.create("ALTER TABLE fills ADD COLUMN isolated_margin Decimal(18, 8)")
    carry_out(Writer(store), [Delivery(fills(7, 4), "id")])
    assert check(store) == []


def with_price(block: Delivery, *rows: int) -> Delivery:
    """The block with a price in some rows that `refuse` will not have."""
    records = edge_records("fill", len(block.block))
    for record in records:
        record["price_e8"] = 1
    for row in rows:
        records[row]["price_e8"] = 13
    made = block_of("fills", "fill", records, first=block.first)
    block.block.values[:] = made.values
    return block


def refuse(store: Store) -> None:
    store.create("ALTER TABLE fills ADD CONSTRAINT lucky CHECK price != 0.00000013")


def test_rows_that_the_table_refuses_are_cut_out(store: Store) -> None:
    refuse(store)
    block = with_price(Delivery(fills(100, 50), "id"), 0, 17, 18, 49)
    carry_out(Writer(store), [block])
    refused = store.query("SELECT offset, reason, message FROM sink_refused ORDER BY offset")
    assert [row["offset"] for row in refused] == [100, 117, 118, 149]
    assert {row["reason"] for row in refused} == {"REFUSED_BY_STORE"}
    assert all("lucky" in row["message"] for row in refused)
    assert store.query("SELECT count() AS n FROM fills") == [{"n": 46}]
    assert check(store) == []


def test_a_table_that_refuses_everything_stops_the_sink(store: Store) -> None:
    refuse(store)
    writer = Writer(store)
    writer.take(with_price(Delivery(fills(0, 50), "id"), *range(50)))
    with pytest.raises(StoreError, match="the table must be wrong"):
        writer.advance()
    kept = store.query("SELECT count() AS n FROM sink_refused")
    assert kept == [{"n": REFUSED_IN_A_ROW}]


def test_a_crash_while_a_block_is_cut_repeats_the_part_in_hand(
    store: Store, proxy: FaultProxy
) -> None:
    refuse(store)
    block = with_price(Delivery(fills(0, 40), "id"), 30)
    inserts = itertools.count()
    proxy.fault = lambda into: "late code 241" if into == "fills" and next(inserts) > 1 else None
    writer = Writer(store)
    writer.take(block)
    while not writer.busy:
        writer.advance()
    proxy.fault = lambda into: None
    again = Watermarks(store).resume("fills", "id")[3]
    assert (again.offset, again.intent is not None) == (20, True)
    assert again.intent is not None
    rows = slice(again.intent.first, again.intent.last + 1)
    values = block.block.values[rows]
    part = Delivery(fills(again.intent.first, len(values)), "id")
    part.block.values[:] = values
    again.intent.check(part)
    carry_out(Writer(store), [part])
    assert check(store) == []
