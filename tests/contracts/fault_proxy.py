"""A proxy between a client and a ClickHouse over HTTP that loses, delays and forges answers."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

RST = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset."""
ITS_OWN = frozenset({"Content-Length", "Date", "Server", "Connection"})
"""Headers that each server writes for itself."""


class FaultProxy:
    """Forwards requests to `target`, a dsn; what `fault` says of an insert happens to it.

    `fault` is called with the table of each insert and returns what is to happen, or None:

    - "reset before", "reset after": the connection is reset before the insert is forwarded, or
      when it has been carried out;
    - "silent": it is carried out and answered only when `released` is set;
    - "503", "429": that status, and nothing is done;
    - "code 241", "late code 159": an exception of that code, before, or when it was carried out.

    `inserts` are the tables of the inserts seen, `acknowledged` those that got their true answer.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).netloc
        self.fault: Callable[[str], str | None] = lambda table: None
        self.inserts: list[str] = []
        self.acknowledged: list[str] = []
        self.released = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.pass_on(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.dsn = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        table = _inserted_into(request.path, body)
        fault = None
        if table:
            self.inserts.append(table)
            fault = self.fault(table)
        if fault == "reset before":
            _reset(request)
        elif fault in ("503", "429"):
            _answer(request, int(fault), {}, b"not now")
        elif fault and fault.startswith("code "):
            _refuse(request, fault)
        else:
            self._forward(request, body, table, fault)

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes, table: str, fault: str | None
    ) -> None:
        server = http.client.HTTPConnection(self._target)
        server.request(request.command, request.path, body, dict(request.headers))
        answer = server.getresponse()
        content = answer.read()
        server.close()
        if fault == "reset after":
            _reset(request)
        elif fault and fault.startswith("late code "):
            _refuse(request, fault.removeprefix("late "))
        elif fault == "silent":
            self.released.wait()
            _reset(request)
        else:
            if table and answer.status == 200:
                self.acknowledged.append(table)
            headers = {k: v for k, v in answer.getheaders() if k not in ITS_OWN}
            _answer(request, answer.status, headers, content)


def _inserted_into(path: str, body: bytes) -> str:
    query = parse_qs(urlsplit(path).query).get("query", [""])[0]
    words = (query or body[:200].decode("utf-8", "replace")).split()
    if words[:2] != ["INSERT", "INTO"]:
        return ""
    return words[2].partition("(")[0].strip("`").rpartition(".")[2].strip("`")


def _refuse(request: BaseHTTPRequestHandler, fault: str) -> None:
    code = fault.removeprefix("code ")
    text = f"Code: {code}. DB::Exception: forged by a test".encode()
    _answer(request, 500, {"X-ClickHouse-Exception-Code": code}, text)


def _answer(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    with suppress(ConnectionError):  # who asked may have gone
        request.end_headers()
        request.wfile.write(body)


def _reset(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    request.connection.close()
