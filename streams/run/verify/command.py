"""The commands that go by the history alone: is it right, and how was an account then?"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from streams.base.settings import Settings
from streams.run.moments import Moment
from streams.run.verify.source import history_options, open_history

US_PER_S = 1_000_000
ALWAYS_US = 1 << 53
"""Later than any record: the year 2255."""
RECENT_S = 10
"""A sink that keeps up has stored everything that was written so long ago."""


@click.command()
@history_options
@click.option("--from", "start", type=Moment(), help="Begin of the period, UTC; else the first.")
@click.option("--to", "end", type=Moment(), help="End of the period, UTC; else the last.")
@click.option("--profile", help="The workers' margin rules: a name, or a file of one.")
@click.option("--json", "as_json", is_flag=True, help="For programs; all findings.")
def verify(
    dsn: str | None,
    data: Path | None,
    *,
    start: datetime | None,
    end: datetime | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compute margin states, margin calls and liquidations anew from the history alone.

    What accounts held is booked from fills, collateral, transfers and funding, marks are taken from
    the prices, and margin follows by the engine's own rules. Exit status 1 where anything differs.
    """
    from rich.console import Console

    from sinks.reading import IncompleteHistoryError
    from sinks.store import StoreError
    from streams.run.verify.verifier import Verifier
    from streams.run.verify.view import document, view

    settings = Settings.read(**given)
    console = Console(stderr=True)
    with open_history(dsn, data) as store, console.status("reading") as status:
        verifier = Verifier(
            store, settings, _microseconds(start, 0), _microseconds(end, ALWAYS_US),
            status.update, recent_s=RECENT_S if data is None and end is None else 0,
        )  # fmt: skip
        try:
            report = verifier.run()
        except (IncompleteHistoryError, StoreError) as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(document(report))
    else:
        for block in view(report):
            Console().print(block, highlight=False, soft_wrap=True)
    sys.exit(0 if report.clean else 1)


@click.command()
@click.argument("account")
@click.option("--at", "moment", type=Moment(), required=True, help="The moment, UTC.")
@history_options
@click.option("--profile", help="The workers' margin rules: a name, or a file of one.")
@click.option("--json", "as_json", is_flag=True, help="For programs; money as decimal text.")
def history(
    account: str,
    *,
    moment: datetime,
    dsn: str | None,
    data: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Show ACCOUNT as it was: what it held, at which marks, and what that was worth.

    Its last margin state until then tells how far its records had been booked; what moved it since
    is booked on top, and margin is computed anew at the marks of that moment.
    """
    from rich.console import Console

    from sinks.store import StoreError
    from streams.run.verify.account import NotInHistoryError, account_at
    from streams.run.verify.account_view import account_document, account_view

    settings = Settings.read(**given)
    with open_history(dsn, data) as store:
        try:
            made = account_at(store, account, _microseconds(moment, 0), settings)
        except (NotInHistoryError, StoreError) as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(account_document(made), indent=2))
        return
    console = Console()
    for block in account_view(made):
        console.print(block, highlight=False)


def _microseconds(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else round(moment.timestamp() * US_PER_S)
