"""The command that hurts everything under load, then audits."""

import sys
from pathlib import Path
from typing import Any

import click

from streams.run.soak.faults import FAULTS


@click.command()
@click.option("--bootstrap", help="A Kafka to use; without it one is started, and hurt too.")
@click.option("--brokers", default=1, show_default=True, help="Brokers to start.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same faults.")
@click.option("--minutes", default=5.0, show_default=True, help="How long things are hurt.")
@click.option(
    "--faults",
    default=",".join(FAULTS),
    show_default=True,
    callback=lambda ctx, param, value: _faults(value),
    help="Which, with commas between.",
)
@click.option("--every-s", default=15.0, show_default=True, help="Seconds from fault to fault.")
@click.option("--workers", default=3, show_default=True, help="Worker processes.")
@click.option("--partitions", default=12, show_default=True, help="Partitions of account topics.")
@click.option("--rate", default=5_000.0, show_default=True, help="Fills a second.")
@click.option("--accounts", default=2_000, show_default=True, help="Accounts that trade them.")
@click.option("--session-timeout-s", default=10, show_default=True, help="Of the workers.")
@click.option("--cycle-ms", default=50, show_default=True, help="Of the workers.")
@click.option("--standbys", default=0, show_default=True, help="Warm copies of each partition.")
@click.option(
    "--insurance-fund",
    default=5_000_000,
    show_default=True,
    help="USD in the fund of the market, whose prices crash after a minute.",
)
@click.option("--summary", type=click.Path(path_type=Path), help="Write the verdict as JSON.")
def soak(bootstrap: str | None, brokers: int, **given: Any) -> None:
    """Kill, pause and damage everything under load, then audit every account."""
    from streams.run.soak.soak import Options, Soak

    if bootstrap:
        sys.exit(Soak(Options(**given), bootstrap).run())
    with _own_kafka(brokers) as kafka:
        sys.exit(Soak(Options(**given), kafka.bootstrap, kafka).run())


def _faults(text: str) -> list[str]:
    kinds = [kind for kind in text.split(",") if kind]
    if unknown := set(kinds) - set(FAULTS):
        raise click.BadParameter(f"{sorted(unknown)} are none of {', '.join(FAULTS)}")
    return kinds


def _own_kafka(brokers: int) -> Any:
    """Only a real Kafka hides what was aborted, and the source tree can start one."""
    try:
        from tests.kafka.broker import ApacheKafka, why_not
    except ImportError:
        raise click.ClickException(
            "only the source tree can start a Kafka: name one with --bootstrap"
        ) from None
    if reason := why_not():
        raise click.ClickException(f"{reason}: name a Kafka with --bootstrap")
    return ApacheKafka(brokers)
