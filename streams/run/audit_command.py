"""The command that proves, from the topics, that nothing was made or lost."""

import json
import sys
from typing import Any

import click

from streams.base.settings import Settings

US_PER_S = 1_000_000


@click.command()
@click.option("--bootstrap", help="Kafka bootstrap addresses; `plimsoll up` prints its own.")
@click.option("--app", help="Name of the deployment.")
@click.option(
    "--every", "every_s", default=60.0, show_default=True, type=click.FloatRange(min=0.001),
    help="Seconds of event time from one sum over all accounts to the next.",
)  # fmt: skip
@click.option("--topics-only", is_flag=True, help="Do not compare with the engine's own accounts.")
@click.option("--at-rest", is_flag=True, help="The engine stands still: nothing may be unread.")
@click.option("--json", "as_json", is_flag=True, help="For programs; money as decimal text.")
def audit(
    *,
    bootstrap: str | None,
    app: str | None,
    every_s: float,
    topics_only: bool,
    at_rest: bool,
    as_json: bool,
) -> None:
    """Recompute every account from the topics and check what the engine did with it.

    Sums over all accounts at every minute, the legs of every transfer, every liquidation, auction
    and deleveraging, and every account beside the engine's. Exit status 1 where anything is found.
    """
    from rich.console import Console

    from streams.audit.reading import UnreadableTopicsError
    from streams.run.audit_view import document, view
    from streams.run.auditing import examine
    from streams.state.changelog import ChangelogError
    from streams.transport.changelog_reader import ChangelogSilentError

    settings = Settings.read(bootstrap=bootstrap, app=app)
    try:
        report = examine(
            settings,
            every_us=round(every_s * US_PER_S),
            topics_only=topics_only,
            at_rest=at_rest,
        )
    except (UnreadableTopicsError, ChangelogError, ChangelogSilentError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print(document(report))
    else:
        Console().print(view(report))
    sys.exit(0 if report.findings.clean else 1)


def _print(made: Any) -> None:
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))
