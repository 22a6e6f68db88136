"""A store of history with three calls, create, insert and query: a ClickHouse server or chDB."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from sinks.native import NativeColumn, block

# Timeout, too many queries, network, memory, too many parts, read-only, keeper, unknown status.
RETRYABLE_CODES = frozenset({159, 202, 210, 241, 242, 252, 319, 999})
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


class Store:
    """One connection to a database on a ClickHouse server or in chDB.

    `dsn` is `http://user:password@host:8123` (https too) or `chdb:///folder`. chDB opens one
    folder a process, for as long as any store of the process has it open; stores on the same
    folder share the data. Calls may come from any thread and are taken one at a time.
    Every call raises StoreBusyError where a repeat may succeed, else StoreError.
    """

    def __init__(self, dsn: str, *, database: str = "plimsoll") -> None:
        self._lock = threading.Lock()
        try:
            if dsn.startswith("chdb:"):
                self._client = clickhouse_connect.get_client(
                    dsn=dsn, settings=dict(EMBEDDED_SETTINGS)
                )
            else:
                self._client = clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False)
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
        other rows.
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
    code = getattr(error, "code", None)
    # Without a code it is the network, or a proxy's answer in the server's place.
    silent = isinstance(error, OperationalError) or type(error) is DatabaseError
    busy = silent if code is None else code in RETRYABLE_CODES
    return StoreBusyError(str(error)) if busy else StoreError(str(error))
