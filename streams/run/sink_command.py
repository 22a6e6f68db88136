"""The command that writes the history into ClickHouse, and that checks and mends it."""

import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import click

from streams.run.children import end_with_parent, stop_on_signals, tell

STATUS_S = 0.2
GROUP = "plimsoll-sink"
RECENT_S = 60
"""A check does not complain of blocks that were on their way within that time."""

log = logging.getLogger(__name__)


class Properties(click.ParamType):
    """A file of `name=value` lines, as Kafka's own tools take them; # begins a comment."""

    name = "file"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        try:
            lines = [line.strip() for line in Path(value).read_text("utf-8").splitlines()]
        except OSError as error:
            self.fail(str(error), param, ctx)
        pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
        for number, (name, equals, _) in enumerate(pairs, 1):
            if not equals:
                self.fail(f"{value}, setting {number}: {name!r} has no =", param, ctx)
        return {name.strip(): setting.strip() for name, _, setting in pairs}


@click.command()
@click.option("--bootstrap", envvar="PLIMSOLL_BOOTSTRAP", help="Kafka bootstrap addresses.")
@click.option(
    "--dsn",
    required=True,
    envvar="PLIMSOLL_DSN",
    help="http://user:password@host:8123 of a ClickHouse (https too), or chdb:///folder.",
)
@click.option("--group", default=GROUP, show_default=True, help="Consumer group; sinks share it.")
@click.option(
    "--kafka-config",
    type=Properties(),
    default={},
    help="File of librdkafka's settings, name=value, such as security.protocol and sasl.*.",
)
@click.option(
    "--keep-days", envvar="PLIMSOLL_KEEP_DAYS", help="Days to keep rows: margin_state=90,prices=400"
)
@click.option(
    "--history-port",
    type=int,
    envvar="PLIMSOLL_HISTORY_PORT",
    help="With chdb://, answer as a ClickHouse server does on this port; 0: a free one.",
)
@click.option("--drain-s", default=5.0, show_default=True, help="Seconds to finish in, at SIGTERM.")
@click.option("--check", is_flag=True, help="Check the history; exit status 1 where it is wrong.")
@click.option("--repair", is_flag=True, help="Mend what can be, then check; no sink may run.")
@click.option("--child", is_flag=True, hidden=True)
def sink(
    bootstrap: str | None, dsn: str, *, check: bool, repair: bool, child: bool, **given: Any
) -> None:
    """Write every topic's history into ClickHouse until SIGTERM, each record once.

    Where it goes on is read from the store, so it may be killed and started again at any time, and
    several share the partitions. While the store is busy or out of reach it waits.

    --check reads the whole history; with --bootstrap it also reads the topics again and compares.
    """
    from confluent_kafka import KafkaException

    from sinks.store import StoreError
    from sinks.watermarks import IntentMismatchError

    try:
        if check or repair:
            _inspect(bootstrap, dsn, mend=repair, **given)
        elif bootstrap is None:
            raise click.UsageError("--bootstrap is missing: which Kafka?")
        else:
            _carry(bootstrap, dsn, child=child, **given)
    except (StoreError, IntentMismatchError, KafkaException, ValueError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


def _carry(
    bootstrap: str,
    dsn: str,
    *,
    child: bool,
    keep_days: str | None,
    history_port: int | None,
    kafka_config: dict[str, str],
    **given: Any,
) -> None:
    from sinks.consumer import run
    from sinks.schema import keep_days_of
    from streams.run.history_door import open_door

    if child:
        end_with_parent()
    keep = None if keep_days is None else keep_days_of(keep_days)
    stored: Counter[str] = Counter()
    stop, done = stop_on_signals(), threading.Event()

    def say_how_far() -> None:
        while child and not done.wait(STATUS_S):
            tell({"rows": dict(stored)})

    def report(table: str, rows: int) -> None:
        stored[table] += rows
        log.info("%s: %d rows", table, rows)

    teller = threading.Thread(target=say_how_far)
    teller.start()
    try:
        with open_door(dsn, history_port) as address:
            if address is not None:
                tell({"history": address})
            rows = run(
                bootstrap=bootstrap,
                dsn=dsn,
                stop=stop,
                report=report,
                security=kafka_config,
                keep_days=keep,
                **given,
            )
    finally:
        done.set()
        teller.join()
    tell({"final": rows})


def _inspect(
    bootstrap: str | None, dsn: str, *, mend: bool, group: str, kafka_config: Any, **_: Any
) -> None:
    from schemas.topics import TOPICS
    from sinks.broker import held_by, settings_of
    from sinks.recount import recount
    from sinks.repair import repair
    from sinks.store import Store
    from sinks.verifier import check, expired

    settings = settings_of(bootstrap or "", group, kafka_config)
    with Store(dsn) as store:
        if mend:
            names = [topic.name for topic in TOPICS]
            for sentence in repair(store, held_by(settings, names) if bootstrap else None):
                click.echo(sentence)
        findings = check(store, recent_s=0 if mend else RECENT_S)
        if bootstrap:
            topics = recount(store, settings)
            findings += topics.findings
            click.echo(f"{topics.behind} offsets of the topics are not stored yet")
        for sentence in expired(store):
            click.echo(f"let go: {sentence}")
    for finding in findings:
        click.echo(f"{finding.kind}: {finding}")
    if findings:
        raise click.ClickException(f"{len(findings)} findings")
    click.echo("the history is whole")
