"""What a store promises, held to by chDB, by the client over HTTP, and by a server if one is named.

Set PLIMSOLL_TEST_CLICKHOUSE to a server's address (http://user:password@host:8123) to include it.
"""

import os
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from sinks.door import Door
from sinks.native import NativeColumn, strings
from sinks.store import Store, StoreBusyError, StoreError
from tests.contracts.fault_proxy import FaultProxy

pytestmark = pytest.mark.embedded
TABLE = """CREATE TABLE entries (id Int64, name String, amount Decimal64(8))
ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"""


@pytest.fixture(params=["chdb", "http", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    door = None
    if request.param == "server":
        dsn = os.environ.get("PLIMSOLL_TEST_CLICKHOUSE", "")
        if not dsn:
            pytest.skip("PLIMSOLL_TEST_CLICKHOUSE names no server")
    elif request.param == "http":
        door = Door(str(tmp_path / "served"), writable=True)
        dsn = door.url
    else:
        dsn = f"chdb://{tmp_path / 'history'}"
    database = f"plimsoll_test_{uuid.uuid4().hex}"
    with Store(dsn, database=database) as opened:
        opened.create(TABLE)
        yield opened
        opened.create(f"DROP DATABASE {database}")
    if door is not None:
        door.close()


def entries(ids: list[int], amounts_e8: list[int]) -> list[NativeColumn]:
    return [
        NativeColumn("id", "Int64", np.array(ids, "<i8").tobytes()),
        NativeColumn("name", "String", strings([f"näme {number}" for number in ids])),
        NativeColumn("amount", "Decimal(18, 8)", np.array(amounts_e8, "<i8").tobytes()),
    ]


def ids(store: Store) -> list[int]:
    return [row["id"] for row in store.query("SELECT id FROM entries ORDER BY id")]


def test_rows_come_back_exactly_as_they_went_in(store: Store) -> None:
    store.insert("entries", entries([1, 2], [10**18 - 1, -(10**18 - 1)]), rows=2, token="a")
    assert store.query("SELECT * FROM entries ORDER BY id") == [
        {"id": 1, "name": "näme 1", "amount": Decimal("9999999999.99999999")},
        {"id": 2, "name": "näme 2", "amount": Decimal("-9999999999.99999999")},
    ]


def test_the_same_token_is_stored_once(store: Store) -> None:
    for _ in range(3):
        store.insert("entries", entries([1, 2], [5, 6]), rows=2, token="t:0:0-1:aa")
    assert ids(store) == [1, 2]


def test_the_same_rows_under_another_token_are_stored_again(store: Store) -> None:
    store.insert("entries", entries([1], [5]), rows=1, token="one")
    store.insert("entries", entries([1], [5]), rows=1, token="other")
    assert ids(store) == [1, 1]


def test_a_query_takes_parameters(store: Store) -> None:
    store.insert("entries", entries([1, 2, 3], [0, 0, 0]), rows=3, token="a")
    sql = "SELECT name FROM entries WHERE id > {least:Int64} AND name != {name:String}"
    assert store.query(sql, {"least": 1, "name": "näme 3"}) == [{"name": "näme 2"}]


def test_what_cannot_succeed_is_refused_for_good(store: Store) -> None:
    with pytest.raises(StoreError) as refused:
        store.insert("nowhere", entries([1], [1]), rows=1, token="a")
    assert not isinstance(refused.value, StoreBusyError)
    with pytest.raises(StoreError):
        store.query("SELECT FROM WHERE")
    with pytest.raises(StoreError):
        store.create("CREATE TABLE entries (id Nothing")


def test_an_insert_without_a_token_is_our_own_mistake(store: Store) -> None:
    with pytest.raises(AssertionError, match="token"):
        store.insert("entries", entries([1], [1]), rows=1, token="")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultProxy]:
    with Door(str(tmp_path / "served"), writable=True) as door:
        opened = FaultProxy(door.url)
        yield opened
        opened.close()


def test_a_server_that_says_later_is_busy(proxy: FaultProxy) -> None:
    with Store(proxy.dsn) as store:
        store.create(TABLE)
        proxy.fault = lambda table: "503"
        with pytest.raises(StoreBusyError):
            store.insert("entries", entries([1], [1]), rows=1, token="a")
        assert ids(store) == []
        proxy.fault = lambda table: None
        store.insert("entries", entries([1], [1]), rows=1, token="a")
        assert ids(store) == [1]


def test_an_answer_lost_after_the_insert_leaves_the_rows_once(proxy: FaultProxy) -> None:
    with Store(proxy.dsn) as store:
        store.create(TABLE)
        proxy.fault = lambda table: "reset after"
        with pytest.raises(StoreBusyError):
            store.insert("entries", entries([1, 2], [1, 1]), rows=2, token="a")
        proxy.fault = lambda table: None
        store.insert("entries", entries([1, 2], [1, 1]), rows=2, token="a")
        assert ids(store) == [1, 2]


def test_a_server_out_of_reach_is_busy(proxy: FaultProxy) -> None:
    proxy.close()
    with pytest.raises(StoreBusyError):
        Store(proxy.dsn)
