"""Requests of ClickHouse's HTTP interface as questions, and answers packed as the asker likes."""

from collections.abc import Mapping

import cramjam
from aiohttp import web

from sinks.door_engine import Question
from sinks.door_rules import NOT_IMPLEMENTED, SYNTAX_ERROR, RefusedError

PACKERS = {
    "lz4": cramjam.lz4, "zstd": cramjam.zstd, "gzip": cramjam.gzip, "deflate": cramjam.zlib,
}  # fmt: skip
SMALL = 1_000
"""Bytes below which an answer is not worth packing."""
OURS = frozenset({
    "query", "database", "default_format", "query_id", "user", "password", "role", "quota_key",
    "compress", "decompress", "client_protocol_version", "wait_end_of_query", "buffer_size",
    "stacktrace", "enable_http_compression", "session_id", "session_check", "session_timeout",
    "close_session", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
})  # fmt: skip
"""Names in the address that are no settings of the engine, or none that it could follow here."""


async def question_of(request: web.Request) -> Question:
    """What a GET or POST asks; RefusedError for what there is only on a server."""
    given = dict(request.query)
    if request.content_type == "multipart/form-data":
        form = await request.post()
        for name, value in form.items():
            if not isinstance(value, str):
                raise RefusedError(NOT_IMPLEMENTED, f"data sent along as {name!r} is not taken")
            given[name] = value
        body = b""
    else:
        body = _unpacked(request, await request.read())
    if given.get("session_id"):
        raise RefusedError(
            NOT_IMPLEMENTED,
            "there are no sessions here, so leave session_id out "
            "(clickhouse-connect: get_client(..., autogenerate_session_id=False))",
        )
    for name in ("compress", "decompress"):
        if given.get(name, "0") not in ("", "0"):
            raise RefusedError(
                NOT_IMPLEMENTED, f"{name}={given[name]}: ClickHouse's own blocks are not packed "
                "here; ask for gzip, deflate, lz4 or zstd by the headers of HTTP",
            )  # fmt: skip
    headers = request.headers
    statement = given.get("query", "").encode()
    return Question(
        statement=statement or body,
        data=body if statement else b"",
        database=given.get("database") or headers.get("X-ClickHouse-Database") or "default",
        format=given.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        parameters={name[6:]: text for name, text in given.items() if name.startswith("param_")},
        settings=_settings(given),
        protocol=_whole(given, "client_protocol_version"),
        **({"query_id": given["query_id"]} if given.get("query_id") else {}),
    )


def compressed(request: web.Request, body: bytes) -> tuple[bytes, str]:
    """The body as the asker accepts it, and its encoding; the empty name where it is as it was."""
    if request.query.get("enable_http_compression") != "1" or len(body) < SMALL:
        return body, ""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        name = part.split(";")[0].strip().lower()
        if name in PACKERS:
            return bytes(PACKERS[name].compress(body)), name
    return body, ""


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in given.items()
        if name not in OURS and not name.startswith("param_")
    }


def _whole(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "0")
    if not text.isdecimal():
        raise RefusedError(SYNTAX_ERROR, f"{name}={text} is no whole number")
    return int(text)


def _unpacked(request: web.Request, body: bytes) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding not in PACKERS:
        raise RefusedError(NOT_IMPLEMENTED, f"Content-Encoding {encoding!r} is not understood")
    try:
        return bytes(PACKERS[encoding].decompress(body))
    except cramjam.DecompressionError as error:
        raise RefusedError(SYNTAX_ERROR, f"the body is no {encoding}: {error}") from error
