"""Where a history is read: a ClickHouse server, or the folder of an embedded run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sinks.store import Store, StoreError

FOLDER = "clickhouse"
NEEDED = {"margin_state", "prices", "ingest_blocks"}


def history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--dsn and --data, of which one is given."""
    data = click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of a `plimsoll up --data` that has ended.",
    )
    dsn = click.option(
        "--dsn",
        envvar="PLIMSOLL_DSN",
        help="http://user:password@host:8123 of a ClickHouse; `plimsoll up` prints its own.",
    )
    return dsn(data(command))


def open_history(dsn: str | None, data: Path | None) -> Store:
    """The history; it is read and never written to.

    ClickException where neither or both are given, and where there is none or nothing answers.
    """
    if data is not None:
        folder = data / FOLDER
        if not folder.is_dir():
            raise click.ClickException(f"{data} has no history: there is no folder {folder}")
        dsn = f"chdb://{folder.absolute()}"
    elif dsn is None:
        raise click.UsageError("which history? give --dsn of a ClickHouse, or --data of a run")
    try:
        store = Store(dsn, create=False)
        found = store.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
    except StoreError as error:
        raise click.ClickException(f"no history at {dsn}: {error}") from error
    missing = NEEDED - {row["name"] for row in found}
    if missing:
        store.close()
        raise click.ClickException(f"{dsn} has no history: no table {', '.join(sorted(missing))}")
    return store
