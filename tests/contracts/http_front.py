"""A small HTTP server that answers as ClickHouse does, with chDB behind it, and fails on demand."""

import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import chdb

NOT_SETTINGS = frozenset({"query", "database", "session_id", "query_id", "compress",
                          "client_protocol_version", "wait_end_of_query",
                          "send_progress_in_http_headers",
                          "http_headers_progress_interval_ms"})  # fmt: skip


class HttpFront:
    """Serves queries and inserts on a loopback port.

    `faults` holds what happens to the next inserts, in order: "refuse" answers 503 before
    anything is done, "lose" does the insert and closes the connection without an answer.
    """

    def __init__(self, folder: Path) -> None:
        self._connection = chdb.connect(str(folder))
        self._lock = threading.Lock()
        self.faults: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                front.answer(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.dsn = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._connection.close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        fields = {k: v[0] for k, v in parse_qs(urlsplit(request.path).query).items()}
        body = _body(request)
        insert = body.startswith(b"INSERT INTO")
        fault = self.faults.pop(0) if insert and self.faults else None
        if fault == "refuse":
            _send(request, 503, b"try later", {})
            return
        try:
            with self._lock:
                result = self._insert(fields, body) if insert else self._query(fields, body)
        except RuntimeError as error:
            code = str(error).partition("Code: ")[2].partition(".")[0]
            headers = {"X-ClickHouse-Exception-Code": code}
            _send(request, 500, str(error).encode(), headers)
            return
        if fault == "lose":
            request.close_connection = True
            return
        _send(request, 200, result, {"X-ClickHouse-Format": "Native"})

    def _insert(self, fields: dict[str, str], body: bytes) -> bytes:
        self._use(fields)
        statement, _, rows = body.partition(b"\n")
        head, _, form = statement.decode().partition(" FORMAT ")
        settings = ", ".join(
            f"{k} = '{v}'"
            for k, v in fields.items()
            if k not in NOT_SETTINGS and not k.startswith("param_")
        )
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(rows)
            file.flush()
            self._connection.query(
                f"{head} FROM INFILE '{file.name}' SETTINGS {settings} FORMAT {form.strip()}"
            )
        return b""

    def _query(self, fields: dict[str, str], body: bytes) -> bytes:
        self._use(fields)
        sql = fields.get("query") or body.decode()
        parameters = {k[6:]: v for k, v in fields.items() if k.startswith("param_")}
        result = self._connection.query(sql, "TabSeparated", params=parameters)
        return bytes(result.bytes())

    def _use(self, fields: dict[str, str]) -> None:
        self._connection.query(f"USE `{fields.get('database', 'default')}`")


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    chunks = []
    while size := int(request.rfile.readline(), 16):
        chunks.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(chunks)


def _send(
    request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    with suppress(ConnectionError):  # who asked may have gone
        request.end_headers()
        request.wfile.write(body)
