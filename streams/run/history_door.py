"""The door that the sink's process opens in front of the history it writes."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from sinks.door import Door

EMBEDDED = "chdb://"


@contextmanager
def open_door(dsn: str, port: int | None) -> Iterator[str | None]:
    """ClickHouse's HTTP interface in front of an embedded history; its address, or None.

    Where `port` is None there is none, and a server has one of its own. ClickException for a port
    with a server's DSN, or one that is taken.
    """
    if port is None:
        yield None
        return
    if not dsn.startswith(EMBEDDED):
        raise click.ClickException(f"{dsn} is a server, which answers by itself: no history port")
    try:
        door = Door(dsn.removeprefix(EMBEDDED), port=port)
    except OSError as error:
        raise click.ClickException(f"history port {port}: {error}") from error
    with door:
        yield door.url
