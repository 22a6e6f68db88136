"""The command that answers a customer: why was I liquidated, or where did I stand?"""

import json
from datetime import datetime
from typing import Any

import click

from streams.base.settings import Settings
from streams.run.moments import Moment

US_PER_S = 1_000_000


@click.command()
@click.argument("account")
@click.option("--id", "identity", help="A liquidation or margin call; else the last liquidation.")
@click.option("--at", type=Moment(), help="In place of it: where the account stood then, UTC.")
@click.option("--bootstrap", help="Kafka bootstrap addresses; `plimsoll up` prints its own.")
@click.option("--app", help="Name of the deployment.")
@click.option("--profile", help="The workers' margin rules: a name, or a file of one.")
@click.option("--json", "as_json", is_flag=True, help="For programs; money as decimal text.")
def explain(
    account: str,
    *,
    identity: str | None,
    at: datetime | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Tell the story of ACCOUNT from the topics: what it held, what was asked of it, and why.

    Everything is worked out anew with the engine's own functions, from the records of that moment.
    """
    from rich.console import Console

    from streams.audit.margin import NotPricedError
    from streams.audit.reading import UnreadableTopicsError
    from streams.run.answer.appraisal import UnknownPriceError
    from streams.run.answer.evidence import UnknownAccountError
    from streams.run.answer.reading import read_evidence
    from streams.run.answer.story import UnknownLiquidationError
    from streams.state.changelog import ChangelogError

    if identity and at:
        raise click.UsageError("--id and --at ask different questions: give one of them")
    settings = Settings.read(**given)
    try:
        evidence = read_evidence(account, settings)
        made = _made(evidence, settings, identity, at)
    except (
        UnreadableTopicsError, ChangelogError, UnknownAccountError, UnknownLiquidationError,
        UnknownPriceError, NotPricedError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error.args[0])) from error
    if as_json:
        click.echo(json.dumps(made, indent=2, ensure_ascii=False))
        return
    console = Console()
    for block in _blocks(made, settings.confirm_ticks):
        console.print(block, highlight=False)


def _made(evidence: Any, settings: Settings, identity: str | None, at: datetime | None) -> Any:
    from streams.run.answer.gains import taken
    from streams.run.answer.story import chosen, liquidation, moment
    from streams.state.profiles import load_profile

    profile = load_profile(settings.profile)
    episode = chosen(evidence, identity) if at is None else None
    made: dict[str, Any] = {"liquidation": None, "statement": None, "taken": taken(evidence)}
    if episode is not None:
        made["liquidation"] = liquidation(evidence, episode, profile)
    else:
        time_us = round(at.timestamp() * US_PER_S) if at else evidence.rules.clock_us
        made["statement"] = moment(evidence, profile, time_us)
    return made


def _blocks(made: Any, confirm_ticks: int) -> Any:
    from streams.run.answer.words import answer, losses, statement

    if made["liquidation"]:
        yield from answer(made["liquidation"], confirm_ticks=confirm_ticks)
    if made["statement"]:
        yield from statement(made["statement"])
    if made["taken"]:
        yield from losses(made["taken"])
