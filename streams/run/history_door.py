"""What the sink's process does for the history beside writing it: its schema, and its door."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from sinks.door import Door
from sinks.schema import create_tables, keep_days_of
from sinks.store import Store, StoreError

EMBEDDED = "chdb://"


def prepare(dsn: str, keep: str | None) -> None:
    """Bring the tables to this release's state; ClickException where that must not be.

    `keep` is `table=days,...`, how long rows are kept; None leaves it as it is.
    """
    try:
        keep_days = None if keep is None else keep_days_of(keep)
        with Store(dsn) as store:
            create_tables(store, keep_days)
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error


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
