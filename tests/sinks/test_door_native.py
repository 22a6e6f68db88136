"""Blocks with preambles hold the very bytes of chDB's columns, whatever their types."""

import json
from collections.abc import Iterator

import pytest

from sinks.definitions import tables
from sinks.door_engine import Engine, Limits, Question
from sinks.door_native import FRAMED_FROM, PREAMBLE, framed
from sinks.door_rules import RefusedError
from sinks.native import strings, varint
from sinks.schema import create_tables
from sinks.store import Store

pytestmark = pytest.mark.embedded
VALUES = """
    number AS a, toInt8(number) AS b, toString(number) AS c, repeat('long', number * 50) AS d,
    if(number % 2, NULL, toString(number)) AS e, range(number) AS f,
    arrayMap(x -> toString(x), range(number)) AS g, toLowCardinality(toString(number % 2)) AS h,
    toLowCardinality(if(number % 2, NULL, toString(number))) AS i, [range(number), []] AS j,
    arrayMap(x -> toLowCardinality(toString(x % 2)), range(number % 3)) AS k,
    map('x', [number], toString(number), []) AS l, (number, 'x', toLowCardinality('y')) AS m,
    CAST((1, 2), 'Tuple(a Int8, `b, (c` Nullable(String))') AS n, toDecimal32(number, 2) AS o,
    toDecimal64(number, 8) AS p, toDecimal128(number, 3) AS q, toDecimal256(number, 3) AS r,
    toFixedString('abc', 3) AS s, toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS t,
    toIPv4('1.2.3.4') AS u,
    CAST(1, 'Enum8(\\'x, (\\' = 1, \\'y)\\' = 2)') AS v,
    toDateTime64(number, 6, 'UTC') AS w,
    toDate(number) AS x, toDateTime(number) AS y, 1.5 AS z,
    CAST(number, 'SimpleAggregateFunction(max, UInt64)') AS za,
    toInt256(number) AS zb, true AS zc, arrayZip(range(number), range(number)) AS zd
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = str(tmp_path_factory.mktemp("history"))
    opened = Engine(folder, Limits(), writable=False)
    yield opened
    opened.close()


def native(engine: Engine, sql: str, protocol: int = 0) -> bytes:
    question = Question(sql.encode(), "default", format="Native", protocol=protocol)
    return engine.answer(question).body


def described(engine: Engine, sql: str) -> list[tuple[str, str]]:
    answer = engine.answer(Question(sql.encode(), "default", format="JSON"))
    return [(column["name"], column["type"]) for column in json.loads(answer.body)["meta"]]


def test_each_column_ends_where_the_next_begins(engine: Engine) -> None:
    """The bytes of each column are known from asking for it alone."""
    with Store(f"chdb://{engine.folder}") as store:
        store.create(f"CREATE TABLE v ENGINE = Memory AS SELECT {VALUES} FROM numbers(7)")
    sql = "SELECT * FROM plimsoll.v"
    columns = described(engine, sql)
    expected = PREAMBLE + varint(len(columns)) + varint(7)
    for name, kind in columns:
        alone = native(engine, f"SELECT `{name}` FROM ({sql})")
        head = strings([name]) + strings([kind])
        assert alone.startswith(b"\x01\x07" + head), kind
        expected += head + b"\x00" + alone[2 + len(head) :]
    assert len(columns) > 25
    assert framed(native(engine, sql)) == expected
    assert native(engine, sql, protocol=FRAMED_FROM) == expected


def test_an_older_protocol_gets_plain_blocks(engine: Engine) -> None:
    assert native(engine, "SELECT 1 AS check", protocol=54405) == b"\x01\x01\x05check\x05UInt8\x01"


def test_every_block_has_its_preamble(engine: Engine) -> None:
    sql = "SELECT number FROM numbers(200000)"
    plain = native(engine, sql)
    assert framed(plain).count(PREAMBLE) > 1
    assert len(framed(plain)) == len(plain) + framed(plain).count(PREAMBLE) * (len(PREAMBLE) + 1)
    assert native(engine, "SELECT 1 WHERE 0", protocol=FRAMED_FROM).count(PREAMBLE) <= 1


def test_a_type_that_is_not_known_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(RefusedError, match=r"AggregateFunction.*cast it"):
        native(engine, "SELECT uniqState(1) AS u", protocol=FRAMED_FROM)


def test_all_types_of_the_history_are_known(engine: Engine) -> None:
    with Store(f"chdb://{engine.folder}") as store:
        create_tables(store)
        for table in tables():
            store.create(f"INSERT INTO {table.name} SELECT * FROM generateRandom() LIMIT 50")
            sql = f"SELECT * FROM plimsoll.{table.name}"
            assert native(engine, sql, protocol=FRAMED_FROM).startswith(PREAMBLE), table.name
