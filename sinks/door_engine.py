"""Questions answered by chDB, each on a connection of its own with limits that hold it."""

import re
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import chdb

from sinks.door_native import FRAMED_FROM, framed
from sinks.door_rules import SYNTAX_ERROR, RefusedError, check_settings, check_statement

INSERT = re.compile(rb"\s*INSERT\s+INTO\s.*?\bFORMAT\s+(\w+)[ \t]*(?:\r?\n|$)", re.I | re.S)
FORMAT = re.compile(r"\bFORMAT\s+(\w+)(?:\s+SETTINGS\s[^()]*)?$", re.I)
PREFIX = "Code: 62. DB::Exception: "
# A parameter's value is read as a field of TabSeparated.
ESCAPES = str.maketrans({
    "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\0": "\\0",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may use."""

    seconds: int = 30
    rows: int = 1_000_000
    bytes: int = 512 << 20
    memory: int = 4 << 30
    threads: int = 2

    @property
    def settings(self) -> dict[str, int]:
        return {
            "max_execution_time": self.seconds, "max_result_rows": self.rows,
            "max_result_bytes": self.bytes, "max_memory_usage": self.memory,
            "max_threads": self.threads,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A request: a statement, the data behind an INSERT, and how it is to be answered.

    `protocol` is the version of ClickHouse's protocol that the client says it speaks; 0: none.
    """

    statement: bytes
    database: str
    data: bytes = b""
    format: str = "TabSeparated"
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    protocol: int = 0
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a result, the format they are in, and what it took."""

    body: bytes
    format: str
    rows_read: int
    bytes_read: int
    rows_written: int
    seconds: float


class Engine:
    """chDB on one folder, which this process owns while any connection to it is open.

    `answer` may be called from several threads at once. Read-only unless `writable`, which is for
    tests that stand it in the place of a server.
    """

    def __init__(self, folder: str, limits: Limits, *, writable: bool) -> None:
        self.folder, self._limits, self._writable = folder, limits, writable
        self._open = chdb.connect(folder)  # keeps the folder ours between questions
        row = self._open.query("SELECT version(), timezone(), displayName()", "TabSeparated")
        self.version, self.timezone, self.name = row.bytes().decode().strip().split("\t")

    def close(self) -> None:
        """Let the folder go; harmless when it is gone already."""
        self._open.close()

    def answer(self, question: Question) -> Answer:
        """The answer; RefusedError, or chDB's error with ClickHouse's code in its text."""
        if not self._writable:
            check_settings(question.settings, self._limits.settings)
        connection = chdb.connect(self.folder)
        try:
            return self._on(connection, question)
        finally:
            connection.close()

    def _on(self, connection: Any, question: Question) -> Answer:
        connection.query(f"USE {_quoted(question.database)}")
        insert = INSERT.match(question.statement + b"\n")
        head, data = question.statement, question.data
        if insert and not data:
            head, data = head[: insert.end()], head[insert.end() :]
        _set(connection, question.settings if self._writable else self._bounds(question))
        if insert and self._writable:
            return _insert(connection, head, insert[1].decode(), data)
        text = _text(head)
        if not self._writable:
            _set(connection, {"readonly": "1"})
            text = self._checked(connection, text)
        parameters = dict(question.parameters)
        result = connection.query(text, question.format, params=parameters)
        named = FORMAT.search(text.rstrip().rstrip(";").rstrip())
        form, body = named[1] if named else question.format, bytes(result.bytes())
        if form == "Native" and question.protocol >= FRAMED_FROM:
            body = framed(body)
        return Answer(
            body, form,
            result.rows_read(), result.bytes_read(), 0, result.elapsed(),
        )  # fmt: skip

    def _bounds(self, question: Question) -> dict[str, str]:
        bounds = {name: str(value) for name, value in self._limits.settings.items()}
        return {**bounds, **question.settings, "result_overflow_mode": "throw"}

    @staticmethod
    def _checked(connection: Any, text: str) -> str:
        """The statement, once the engine's own parser has said what it is."""
        try:
            written = connection.query(
                "SELECT formatQuerySingleLine({statement:String})", "TSVRaw",
                params={"statement": text.rstrip().rstrip(";").translate(ESCAPES)},
            )  # fmt: skip
        except RuntimeError as error:
            said = str(error).split(": In scope SELECT formatQuery")[0].removeprefix(PREFIX)
            raise RefusedError(SYNTAX_ERROR, said) from error
        check_statement(written.bytes().decode().rstrip("\n"))
        return text


def _insert(connection: Any, head: bytes, form: str, data: bytes) -> Answer:
    """Through a file: `send_insert` says nothing of a row that breaks a constraint of the table."""
    statement = re.sub(r"\s+FORMAT\s+\w+\s*$", "", _text(head), flags=re.I)
    with tempfile.NamedTemporaryFile(prefix="plimsoll-insert-") as file:
        file.write(data)
        file.flush()
        result = connection.query(f"{statement} FROM INFILE {_string(file.name)} FORMAT {form}")
    return Answer(b"", form, 0, 0, result.rows_read(), result.elapsed())


def _set(connection: Any, settings: Mapping[str, str]) -> None:
    if settings:
        parts = [f"{name} = {_string(value)}" for name, value in settings.items()]
        connection.query("SET " + ", ".join(parts))


def _text(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(SYNTAX_ERROR, f"the statement is not UTF-8: {error}") from error


def _string(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
