"""The benchmarks of one machine: fills, price to liquidation, memory, kernels, recovery ..."""

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import (
    cascade,
    decisions,
    failover,
    fills,
    guarantee,
    latency,
    memory,
    questions,
    recovery,
    sink,
)
from benchmarks.contender import ContenderFailedError
from benchmarks.kernels import table as kernels
from benchmarks.latency import Shape
from benchmarks.machine import cpu_times, load
from benchmarks.page import write
from benchmarks.peers import contest
from benchmarks.results import sections, show
from benchmarks.scaling import Sizes
from benchmarks.scaling import measure as measure_scaling
from tests.kafka.broker import why_not

SEED = 7
LATENCY_ACCOUNTS = 5_000
HELD_ACCOUNTS = (10_000, 100_000, 1_000_000)
"""Accounts of the workers whose memory is looked at."""
RECOVERED = (100_000, 1_000_000)
"""Accounts of the recoveries."""
SHARE = 0.2
"""Of the accounts, how many break in a run: a crash."""
PARTS = (
    "fills", "peers", "decisions", "latency", "cascade", "memory", "kernels", "sink",
    "questions", "recovery", "guarantee", "failover", "scaling",
)  # fmt: skip
ON_KAFKA = {"recovery", "guarantee", "failover", "scaling"}
TINY = Shape(ticks_per_s=100.0, calm_s=1.0, fall_s=2.0, hold_s=2.0)
TINY_CASCADE = Shape(ticks_per_s=100.0, calm_s=1.0, fall_s=1.0, hold_s=8.0, depth_usd=60_000)
TINY_SIZES = Sizes(4_000, 400, 50, of_accounts=(200,), of_partitions=(2,))


@click.command()
@click.option("--fills", "count", default=400_000, show_default=True, help="Fills on the topic.")
@click.option("--accounts", default=20_000, show_default=True, help="Accounts of the fills.")
@click.option("--rows", default=50_000, show_default=True, help="Rows of each table of the sink.")
@click.option("--runs", default=3, show_default=True, help="Runs of each; medians are told.")
@click.option(
    "--states", default=10_000_000, show_default=True, help="Margin states of the questions."
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of a run that has ended, `plimsoll up --data`: the questions are asked of it.",
)
@click.option(
    "--crowd",
    "crowds",
    multiple=True,
    type=click.Choice([str(accounts) for accounts in decisions.TARGETS]),
    help="Accounts of the prices to decisions; may repeat; left out: each of these.",
)
@click.option("--tiny", is_flag=True, help="Everything at a size that only proves that it works.")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="This part; may repeat.")
@click.option("--as-is", is_flag=True, help="Peers that are not installed yet are left out.")
@click.option("--write", "page", type=click.Path(path_type=Path), help="Write the results here.")
def main(
    count: int,
    accounts: int,
    runs: int,
    *,
    rows: int,
    states: int,
    history: Path | None,
    crowds: tuple[str, ...],
    tiny: bool,
    only: tuple[str, ...],
    as_is: bool,
    page: Path | None,
) -> None:
    """Measure this machine; a wrong final state ends it with exit status 1.

    Of the parts, "peers" fetches what it compares with, once: packages of Python and of Maven.
    """
    if tiny:
        count, accounts, rows, states, runs = 4_000, 200, 500, 20_000, 1
    parts, began = set(only or PARTS), cpu_times()
    if parts & ON_KAFKA and (reason := why_not()):
        raise click.ClickException(f"{reason}; choose other parts with --only")
    asking = partial(questions.measure, states, tiny=tiny, history=history)
    deciding = partial(decisions.measure_all, SEED, [*map(int, crowds)], tiny=tiny)
    with_more = {"questions": asking, "decisions": deciding}
    try:
        results = {
            part: with_more[part](runs=runs, say=click.echo)
            if part in with_more
            else _measured(part, (count, accounts), runs, rows=rows, tiny=tiny, fetch=not as_is)
            for part in PARTS if part in parts
        }  # fmt: skip
    except ContenderFailedError as error:
        raise click.ClickException(str(error)) from error
    made = sections(results)
    show(made, Console())
    asked = load(began)
    click.echo(asked)
    if page is not None:
        write(made, page, shlex.join(["python", "-m", "benchmarks.bench", *sys.argv[1:]]), asked)


def _measured(
    part: str, fills_of: tuple[int, int], runs: int, *, rows: int, tiny: bool, fetch: bool
) -> Any:
    """The field of the results that a part is; `fills_of` are fills and their accounts."""
    if part == "fills":
        return fills.measure(SEED, *fills_of, runs=runs, say=click.echo)
    if part == "peers":
        return _peers(fills_of, runs, tiny=tiny, fetch=fetch)
    if part == "kernels":
        return kernels.measure(runs=runs, tiny=tiny, say=click.echo)
    if part == "sink":
        return sink.measure(SEED, rows, runs=runs, say=click.echo)
    if part in ON_KAFKA:
        return _on_kafka(part, fills_of, runs, tiny=tiny)
    return _with_prices(part, runs, tiny=tiny)


def _with_prices(part: str, runs: int, *, tiny: bool) -> Any:
    if part == "latency":
        watched, shape = (100, TINY) if tiny else (LATENCY_ACCOUNTS, Shape())
        return [
            latency.measure(SEED, watched, SHARE, shape=shape, say=click.echo) for _ in range(runs)
        ]
    if part == "cascade":
        watched, shape = (100, TINY_CASCADE) if tiny else (LATENCY_ACCOUNTS, cascade.SHAPE)
        return [cascade.measure(SEED, watched, shape=shape, say=click.echo) for _ in range(runs)]
    sizes, tick_s = ((300, 600), 1.0) if tiny else (HELD_ACCOUNTS, 15.0)
    return memory.measure(SEED, sizes, tick_s=tick_s, say=click.echo)


def _peers(
    fills_of: tuple[int, int], runs: int, *, tiny: bool, fetch: bool
) -> list[contest.Contest]:
    """On each broker that there is; tiny: on the first."""
    brokers = list(contest.BROKERS)
    if reason := why_not():
        brokers.remove(contest.KAFKA)
        click.echo(f"peers: {reason}")
    return [
        contest.measure(SEED, *fills_of, broker=broker, runs=runs, fetch=fetch, say=click.echo)
        for broker in (brokers[:1] if tiny else brokers)
    ]


def _on_kafka(part: str, fills_of: tuple[int, int], runs: int, *, tiny: bool) -> Any:
    if part == "recovery":
        sizes = (2_000,) if tiny else RECOVERED
        return recovery.measure(SEED, sizes, runs=runs, say=click.echo)
    if part == "guarantee":
        return guarantee.measure(SEED, *fills_of, runs=runs, say=click.echo)
    if part == "scaling":
        sizes_of = TINY_SIZES if tiny else Sizes(*fills_of)
        return measure_scaling(SEED, sizes_of, runs=runs, say=click.echo)
    return failover.measure(runs=runs, say=click.echo)


if __name__ == "__main__":
    main()
