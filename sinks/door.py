"""ClickHouse's HTTP interface on a loopback port, in front of the chDB that this process owns.

chDB opens a folder for one process. While the sink runs, this is how others read the history: with
curl, clickhouse-connect, Grafana's data source or whatever else speaks to a ClickHouse server.
Source: ClickHouse documentation, "HTTP Interface".
"""

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from aiohttp import web

from sinks.door_engine import Answer, Engine, Limits, Question
from sinks.door_request import compressed, question_of
from sinks.door_rules import RefusedError, code_of, status_of

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
OUR_NAMES = frozenset({LOOPBACK, "localhost", "[::1]"})
AT_ONCE = 4
MOST_WAITING = 32
MOST_BODY = 1 << 30
SHUTDOWN_S = 1.0
CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8", "CSV": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8", "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8", "Native": "application/octet-stream",
    "Parquet": "application/octet-stream", "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
}  # fmt: skip


class Door:
    """Answers on a thread of its own; each question runs on one of a few more threads.

    Only what reads is answered, within `limits`, unless `writable`, which makes it a stand-in of a
    server for tests. There are no users: whoever reaches the port may read all of it.
    """

    def __init__(
        self, folder: str, *, port: int = 0, limits: Limits | None = None, writable: bool = False
    ) -> None:
        """`folder` is absolute, as in the sink's DSN. OSError where the port is taken."""
        self.engine = Engine(folder, limits or Limits(), writable=writable)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="door")
        self._loop = asyncio.new_event_loop()
        self._asked = 0
        app = web.Application(client_max_size=MOST_BODY)
        app.add_routes([
            web.get("/ping", _alive), web.get("/replicas_status", _alive),
            web.get("/", self._answer), web.post("/", self._answer),
        ])  # fmt: skip
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_S, auto_decompress=False
        )
        try:
            self._loop.run_until_complete(self._open(port))
        except BaseException:
            self._loop.run_until_complete(self._runner.cleanup())
            self._loop.close()
            self.engine.close()
            raise
        self.port = int(self._runner.addresses[0][1])
        """The port that answers."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="door", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def close(self) -> None:
        """Answer no more; what is being answered has a second to finish."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._pool.shutdown(cancel_futures=True)
        self.engine.close()

    def __enter__(self) -> "Door":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    async def _open(self, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, port).start()

    async def _answer(self, request: web.Request) -> web.Response:
        """A page of some other site that leads a browser here names another host: not answered."""
        if request.host.rsplit(":", 1)[0] not in OUR_NAMES:
            error = RefusedError(516, f"{request.host} is not a name of this machine for itself")
            return self._failed(error, "")
        query_id = request.query.get("query_id", "")
        try:
            question = await question_of(request)
            if not question.statement:
                return web.Response(text="Ok.\n")
            query_id = question.query_id
            answer = await self._run(question)
        except Exception as error:
            return self._failed(error, query_id)
        body, encoding = compressed(request, answer.body)
        headers = self._headers(query_id) | {
            "X-ClickHouse-Format": answer.format,
            "X-ClickHouse-Summary": _summary(answer),
            "Content-Type": CONTENT_TYPES.get(answer.format, "text/plain; charset=UTF-8"),
        }
        if encoding:
            headers["Content-Encoding"] = encoding
        return web.Response(body=body, headers=headers)

    async def _run(self, question: Question) -> Answer:
        if self._asked >= MOST_WAITING:
            raise RefusedError(202, f"{self._asked} questions are being answered or wait")
        self._asked += 1
        try:
            return await self._loop.run_in_executor(self._pool, self.engine.answer, question)
        finally:
            self._asked -= 1

    def _failed(self, error: Exception, query_id: str) -> web.Response:
        """The engine's error, with its code; anything else is a fault of ours, and is logged."""
        code = code_of(error)
        if code is None:
            log.error("a question could not be answered", exc_info=error)
            code, text = 1001, f"Code: 1001. DB::Exception: {error!r}. (STD_EXCEPTION)"
        else:
            text = str(error)
        headers = self._headers(query_id) | {
            "X-ClickHouse-Exception-Code": str(code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        text = f"{text.rstrip()} (version {self.engine.version})\n"
        return web.Response(body=text.encode(), status=status_of(code), headers=headers)

    def _headers(self, query_id: str) -> dict[str, str]:
        """What every answer says; a line end in a name would end the header."""
        return {
            "X-ClickHouse-Server-Display-Name": self.engine.name,
            "X-ClickHouse-Query-Id": query_id.replace("\r", " ").replace("\n", " "),
            "X-ClickHouse-Timezone": self.engine.timezone,
        }


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


def _summary(answer: Answer) -> str:
    return json.dumps({
        "read_rows": str(answer.rows_read), "read_bytes": str(answer.bytes_read),
        "written_rows": str(answer.rows_written), "written_bytes": "0",
        "total_rows_to_read": str(answer.rows_read), "result_rows": "0", "result_bytes":
        str(len(answer.body)), "elapsed_ns": str(round(answer.seconds * 1e9)),
    })  # fmt: skip
