"""A store of history with three calls, create, insert and query: a ClickHouse server or chDB."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from sinks.native import NativeColumn, block

# TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION, SOCKET_TIMEOUT,
# NETWORK_ERROR, NO_ZOOKEEPER, ABORTED, MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY,
# NOT_ENOUGH_SPACE, TOO_MANY_PARTS, TOO_FEW_LIVE_REPLICAS, UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE,
# UNKNOWN_STATUS_OF_INSERT, QUERY_WAS_CANCELLED, CANNOT_SCHEDULE_TASK, SERVER_OVERLOADED,
# KEEPER_EXCEPTION: the same insert may succeed later.
BUSY_CODES = frozenset({
    159, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 285, 286, 319, 394, 439, 745, 999,
})  # fmt: skip
BUSY_STATUSES = frozenset({408, 425, 429})  # and all from 500 on
# CANNOT_PARSE_TEXT, CANNOT_PARSE_INPUT_ASSERTION_FAILED, CANNOT_READ_ALL_DATA, CANNOT_PARSE_DATE,
# CANNOT_PARSE_DATETIME, ARGUMENT_OUT_OF_BOUND, CANNOT_CONVERT_TYPE, CANNOT_PARSE_NUMBER,
# INCORRECT_DATA, TOO_LARGE_STRING_SIZE, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE,
# CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, DECIMAL_OVERFLOW, VIOLATED_CONSTRAINT,
# UNKNOWN_ELEMENT_OF_ENUM: a value of some row is to blame. A table or a column that is not there,
# or of another type (16, 47, 53, 60, 81), is not among them: no row is better than the others.
ROW_CODES = frozenset({6, 27, 33, 38, 41, 69, 70, 72, 117, 131, 321, 349, 407, 469, 691})
TIMEOUT_S = 60
"""Well below half of `max.poll.interval.ms`, or a slow store would cost the sink its group."""
INSERT_SETTINGS = {
    "async_insert": 0,  # on by default since 26.3; would acknowledge before the rows are durable
    "insert_deduplicate": 1,
    "max_partitions_per_insert_block": 0,  # months in a block follow from the data, not from us
}
EMBEDDED_SETTINGS = {"max_threads": 2}  # the cores are the workers'


class StoreError(RuntimeError):
    """The store refused a call, and would again."""


class StoreBusyError(StoreError):
    """The store cannot answer now: out of reach, overloaded, or of unknown outcome. Try again."""


class RowsRefusedError(StoreError):
    """The store refused an insert for a value in it and kept nothing; other rows may be fine."""


class Store:
    """One connection to a database on a ClickHouse server or in chDB.

    `dsn` is `http://user:password@host:8123` (https too) or `chdb:///folder`. chDB opens one
    folder a process, for as long as any store of the process has it open; stores on the same
    folder share the data. Calls may come from any thread and are taken one at a time.
    Every call raises StoreBusyError where a repeat may succeed, else StoreError. A server that
    is silent for `timeout_s` is busy: what was asked of it may have been done or not.
    """

    def __init__(
        self,
        dsn: str,
        *,
        database: str = "plimsoll",
        timeout_s: float = TIMEOUT_S,
        create: bool = True,
    ) -> None:
        """`create` the database where it is not there, which a reader may not do."""
        self._lock = threading.Lock()
        try:
            if dsn.startswith("chdb:"):
                self._client = clickhouse_connect.get_client(
                    dsn=dsn, settings=dict(EMBEDDED_SETTINGS)
                )
            else:
                self._client = clickhouse_connect.get_client(
                    dsn=dsn, autogenerate_session_id=False, send_receive_timeout=timeout_s
                )
            if create:
                self._client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        except ClickHouseError as error:
            raise _translated(error) from error
        self._client.database = database

    def create(self, statement: str) -> None:
        """Run a statement of definition."""
        with self._lock:
            try:
                self._client.command(statement)
            except ClickHouseError as error:
                raise _translated(error) from error

    def insert(self, table: str, columns: Sequence[NativeColumn], *, rows: int, token: str) -> None:
        """Insert `rows` rows and return once they are durable.

        The store keeps the last tokens of a table and skips an insert whose token it knows,
        so a repeat after an unknown outcome is harmless, and a token must never be given to
        other rows. RowsRefusedError where a value does not fit: nothing of it is kept then.
        """
        assert token, "an insert without a token cannot be repeated"
        body = block(columns, rows)
        with self._lock:
            try:
                self._client.raw_insert(
                    table, [column.name for column in columns], body, fmt="Native",
                    settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
                )  # fmt: skip
            except ClickHouseError as error:
                raise _translated(error) from error

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a SELECT as dicts; `{name:Type}` in it is filled from `parameters`."""
        with self._lock:
            try:
                result = self._client.query(sql, parameters=dict(parameters or {}))
            except ClickHouseError as error:
                raise _translated(error) from error
        names = result.column_names
        return [dict(zip(names, row, strict=True)) for row in result.result_rows]

    def close(self) -> None:
        """Let go of the connection; harmless when it is closed already."""
        with self._lock:
            self._client.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _translated(error: ClickHouseError) -> StoreError:
    code, text = getattr(error, "code", None), str(error)
    if code in ROW_CODES:
        return RowsRefusedError(text)
    if code is not None:
        busy = code in BUSY_CODES
    elif status := re.search(r"HTTP status (\d+)", text):  # a proxy's answer in the server's place
        busy = int(status[1]) in BUSY_STATUSES or int(status[1]) >= 500
    else:
        busy = isinstance(error, OperationalError) or type(error) is DatabaseError
    return StoreBusyError(text) if busy else StoreError(text)
