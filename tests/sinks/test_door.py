"""The door answers as a ClickHouse server does; it writes nothing, reads no files, keeps limits."""

import gzip
import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import cramjam
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks.door import Door
from sinks.door_engine import Limits
from sinks.native import NativeColumn
from sinks.store import RowsRefusedError, Store, StoreError

pytestmark = pytest.mark.embedded
ROWS = [(1, "näme", Decimal("9999999999.99999999")), (2, "tab\t'", Decimal("-0.00000001"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("history"))
    with Store(f"chdb://{path}") as store:
        store.create("CREATE TABLE t (n UInt8, s String, m Decimal64(8)) ENGINE = Memory")
        store.create(
            """INSERT INTO t VALUES (1, 'näme', 9999999999.99999999), (2, 'tab\\t\\'', -1e-8)"""
        )
        yield path


@pytest.fixture(scope="module")
def door(folder: str) -> Iterator[Door]:
    with Door(folder, limits=Limits(seconds=2, rows=5_000)) as opened:
        yield opened


def ask(
    door: Door, sql: str | bytes = b"", *, headers: dict[str, str] | None = None, **given: str
) -> tuple[int, bytes, Any]:
    """Status, body and headers of a POST; of a GET where there is no body."""
    given.setdefault("database", "plimsoll")
    body = sql.encode() if isinstance(sql, str) else sql
    request = urllib.request.Request(
        f"{door.url}/?{urllib.parse.urlencode(given)}", body or None, headers or {}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def refused(door: Door, sql: str, **given: str) -> tuple[int, int, str]:
    status, body, headers = ask(door, sql, **given)
    return status, int(headers.get("X-ClickHouse-Exception-Code", 0)), body.decode()


def test_it_is_alive(door: Door) -> None:
    for path in ("ping", "replicas_status", ""):
        with urllib.request.urlopen(f"{door.url}/{path}") as response:
            assert response.read() == b"Ok.\n"


def test_a_question_by_get_or_post_is_answered_the_same(door: Door) -> None:
    for answer in (ask(door, "SELECT n FROM t ORDER BY n"), ask(door, query="SELECT n FROM t")):
        assert answer[:2] == (200, b"1\n2\n")
        assert answer[2]["X-ClickHouse-Format"] == "TabSeparated"
        assert json.loads(answer[2]["X-ClickHouse-Summary"])["read_rows"] == "2"
        assert answer[2]["X-ClickHouse-Query-Id"]
    assert ask(door, "SELECT 1", query_id="mine")[2]["X-ClickHouse-Query-Id"] == "mine"


def test_the_format_is_the_statements_then_the_addresss(door: Door) -> None:
    status, body, headers = ask(door, "SELECT n FROM t FORMAT JSON", default_format="CSV")
    assert [row["n"] for row in json.loads(body)["data"]] == [1, 2]
    assert (status, headers["X-ClickHouse-Format"]) == (200, "JSON")
    assert headers["Content-Type"].startswith("application/json")
    assert ask(door, "SELECT s FROM t WHERE n = 1", default_format="CSV")[1] == '"näme"\n'.encode()
    by_header = ask(door, "SELECT 1 AS x", headers={"X-ClickHouse-Format": "JSONEachRow"})
    assert by_header[1] == b'{"x":1}\n'


def test_parameters_are_values_and_never_sql(door: Door) -> None:
    sql = "SELECT n FROM t WHERE s = {s:String}"
    assert ask(door, sql, param_s="näme")[1] == b"1\n"
    assert ask(door, sql, param_s="tab\\t'")[1] == b"2\n"
    assert ask(door, sql, param_s="' OR 1 --")[1] == b""
    assert refused(door, sql)[:2] == (400, 456)


def test_a_body_may_be_packed_and_so_is_an_answer(door: Door) -> None:
    sql = b"SELECT number FROM numbers(1000)"
    plain = ask(door, sql)[1]
    for name, packer in (("gzip", gzip), ("lz4", cramjam.lz4), ("zstd", cramjam.zstd)):
        packed = bytes(packer.compress(sql))
        status, body, headers = ask(
            door, packed, enable_http_compression="1",
            headers={"Content-Encoding": name, "Accept-Encoding": name},
        )  # fmt: skip
        assert (status, headers["Content-Encoding"]) == (200, name)
        assert bytes(packer.decompress(body)) == plain
    assert ask(door, sql, headers={"Accept-Encoding": "gzip"})[1] == plain
    assert refused(door, "SELECT 1", compress="1")[:2] == (501, 48)
    assert ask(door, sql, headers={"Content-Encoding": "gzip"})[0] == 400


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT nothing FROM t", 404, 47),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT count() FROM system.numbers", 408, 159),
        ("SELECT * FROM numbers(5001)", 413, 396),
    ],
)
def test_errors_have_clickhouses_codes(door: Door, sql: str, status: int, code: int) -> None:
    found = refused(door, sql)
    assert found[:2] == (status, code)
    assert found[2].startswith(f"Code: {code}. DB::Exception: ")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (3, 'x', 0)",
        "CREATE TABLE u (a Int8) ENGINE = Memory",
        "DROP TABLE t",
        "ALTER TABLE t DELETE WHERE 1",
        "/* SELECT */ TRUNCATE TABLE t",
        "SET readonly = 0",
        "USE system",
        "KILL QUERY WHERE 1",
        "GRANT SELECT ON *.* TO default",
        "SYSTEM FLUSH LOGS",
        "SELECT 1 SETTINGS max_threads = 1",
        "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')",
        "SELECT * FROM file('/etc/passwd', 'TSV', 'a String')",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT file('/etc/passwd')",
        "SELECT `fil\\x65` /* */ ('/etc/passwd')",
        "WITH x AS (SELECT \"file\"('/etc/passwd') AS a) SELECT a FROM x",
        "SELECT * FROM Python(folder)",
        "SELECT 1 INTO OUTFILE '{outside}'",
    ],
)
def test_what_does_not_only_read_is_refused(door: Door, tmp_path: Path, sql: str) -> None:
    outside = tmp_path / "outside"
    assert refused(door, sql.replace("{outside}", str(outside)))[:2] == (403, 164)
    assert not outside.exists()
    assert ask(door, "SELECT count() FROM t")[1] == b"2\n"


def test_words_of_forbidden_things_may_be_data(door: Door) -> None:
    sql = "SELECT 'INTO OUTFILE', $$file('x')$$, 1 AS file, `file` + 1 -- DROP TABLE t;"
    assert ask(door, sql)[:2] == (200, b"INTO OUTFILE\tfile(\\'x\\')\t1\t2\n")


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "DESCRIBE TABLE t", "EXISTS TABLE t", "EXPLAIN SELECT 1", "(SELECT 1)",
            "WITH 1 AS x SELECT x", "DESC t"],
)  # fmt: skip
def test_what_only_reads_is_answered(door: Door, sql: str) -> None:
    status, body, _ = ask(door, sql)
    assert status == 200
    assert body


def test_settings_of_the_address_hold_within_the_limits(door: Door) -> None:
    sql = "SELECT toDecimal64(1, 2) AS x FORMAT JSONEachRow"
    assert ask(door, sql, output_format_json_quote_decimals="1")[1] == b'{"x":"1"}\n'
    assert refused(door, "SELECT * FROM numbers(9)", max_result_rows="5")[:2] == (413, 396)
    assert refused(door, sql, max_result_rows="0")[:2] == (400, 452)
    assert refused(door, sql, max_execution_time="3600")[:2] == (400, 452)
    for name in ("readonly", "allow_ddl", "output_format_schema", "format_schema"):
        assert refused(door, sql, **{name: "0"})[:2] == (403, 164)
    assert refused(door, sql, no_such_setting="1")[:2] == (404, 115)


def test_sessions_are_refused_with_what_to_do(door: Door) -> None:
    status, code, said = refused(door, "SELECT 1", session_id="mine")
    assert (status, code) == (501, 48)
    assert "autogenerate_session_id=False" in said


def test_a_page_that_leads_a_browser_here_gets_nothing(door: Door) -> None:
    status, body, _ = ask(door, "SELECT s FROM t", headers={"Host": "example.com"})
    assert status == 403
    assert b"name of this machine" in body


def test_it_listens_on_loopback_only(door: Door) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", door.port), timeout=5)


def test_a_question_does_not_keep_others_waiting(door: Door) -> None:
    slow = threading.Thread(target=ask, args=(door, "SELECT sleep(1.5)"))
    slow.start()
    assert ask(door, "SELECT 1")[1] == b"1\n"
    assert slow.is_alive()
    slow.join()


@pytest.fixture
def client(door: Door) -> Iterator[Any]:
    opened = clickhouse_connect.get_client(
        host="127.0.0.1", port=door.port, database="plimsoll", autogenerate_session_id=False
    )
    yield opened
    opened.close()


def test_clickhouse_connect_reads_values_exactly(client: Any) -> None:
    assert client.ping()
    assert client.query("SELECT * FROM t ORDER BY n").result_rows == ROWS
    chosen = client.query("SELECT s FROM t WHERE n = {n:UInt8}", parameters={"n": 2})
    assert chosen.result_rows == [("tab\t'",)]
    assert len(client.query("SELECT * FROM numbers(1000)").result_rows) == 1000
    assert client.command("SELECT count() FROM t") == 2
    assert client.raw_query("SELECT n FROM t ORDER BY n", fmt="CSV") == b"1\n2\n"


def test_clickhouse_connect_reads_frames(client: Any) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert list(client.query_df("SELECT n FROM t ORDER BY n")["n"]) == [1, 2]
    assert client.query_arrow("SELECT m FROM t ORDER BY n")["m"].to_pylist() == [
        row[2] for row in ROWS
    ]


def test_clickhouse_connect_is_told_codes(client: Any) -> None:
    for call, code in ((client.query, 60), (client.command, 60)):
        with pytest.raises(DatabaseError) as failed:
            call("SELECT * FROM nowhere")
        assert failed.value.code == code
    with pytest.raises(DatabaseError, match="INSERT is not among"):
        client.insert("t", [[3, "x", Decimal(1)]], column_names=["n", "s", "m"])


def test_questions_of_a_grafana_data_source(door: Door) -> None:
    """Its client asks by POST for Native and gzip, with a name and password of its own."""
    headers = {"Accept-Encoding": "gzip", "Authorization": "Basic ZGVmYXVsdDo="}
    for sql in (
        "SELECT displayName(), version(), revision(), timezone()",
        "SELECT 1",
        "SELECT name FROM system.databases",
        "SELECT name FROM system.tables WHERE database = 'plimsoll'",
        "SELECT toStartOfInterval(now(), toIntervalSecond(60)) AS time, count() FROM t GROUP BY 1",
    ):
        status, body, answered = ask(
            door, sql, default_format="Native", enable_http_compression="1", headers=headers
        )
        assert (status, answered["X-ClickHouse-Format"]) == (200, "Native")
        assert body


def test_the_sink_reads_what_the_door_shows(door: Door, folder: str) -> None:
    """Both are in one process; what one writes the other sees at once."""
    with Store(f"chdb://{folder}") as store:
        store.create("CREATE TABLE later (n UInt8) ENGINE = Memory")
        store.create("INSERT INTO later VALUES (7)")
        assert ask(door, "SELECT n FROM later")[1] == b"7\n"
        store.create("DROP TABLE later")


def test_a_port_that_is_taken_is_told(door: Door, folder: str) -> None:
    with pytest.raises(OSError, match=str(door.port)):
        Door(folder, port=door.port)
    assert ask(door, "SELECT 1")[1] == b"1\n"


def test_in_a_servers_place_it_takes_inserts_once_each(folder: str) -> None:
    table = """CREATE TABLE e (n UInt8) ENGINE = MergeTree ORDER BY n
        SETTINGS non_replicated_deduplication_window = 100"""
    with Door(folder, writable=True) as server, Store(server.url, database="served") as store:
        store.create(table)
        for _ in range(3):
            store.insert("e", [NativeColumn("n", "UInt8", b"\x01\x02")], rows=2, token="once")
        store.insert("e", [NativeColumn("n", "UInt8", b"\x01")], rows=1, token="again")
        assert [row["n"] for row in store.query("SELECT n FROM e ORDER BY n")] == [1, 1, 2]
        with pytest.raises(StoreError, match=r"THERE_IS_NO_COLUMN|NO_SUCH_COLUMN"):
            store.insert("e", [NativeColumn("x", "UInt8", b"\x01")], rows=1, token="x")
        store.create("ALTER TABLE e ADD CONSTRAINT small CHECK n < 9")
        with pytest.raises(RowsRefusedError, match="small"):
            store.insert("e", [NativeColumn("n", "UInt8", b"\x09")], rows=1, token="y")
