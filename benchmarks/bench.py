"""The benchmarks of one machine, one after the other: fills, price to liquidation, memory."""

import shlex
import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks import fills, latency, memory
from benchmarks.contender import ContenderFailedError
from benchmarks.latency import Shape
from benchmarks.results import Results, show, write

SEED = 7
LATENCY_ACCOUNTS = 5_000
SHARE = 0.2
"""Of the accounts, how many break in a run: a crash."""
TINY = Shape(ticks_per_s=100.0, calm_s=1.0, fall_s=2.0, hold_s=2.0)


@click.command()
@click.option("--fills", "count", default=400_000, show_default=True, help="Fills on the topic.")
@click.option("--accounts", default=20_000, show_default=True, help="Accounts of the fills.")
@click.option("--runs", default=3, show_default=True, help="Runs of each; medians are told.")
@click.option("--tiny", is_flag=True, help="Everything at a size that only proves that it works.")
@click.option("--write", "page", type=click.Path(path_type=Path), help="Write the results here.")
def main(count: int, accounts: int, runs: int, tiny: bool, page: Path | None) -> None:
    """Measure this machine; a wrong final state ends it with exit status 1."""
    if tiny:
        count, accounts, runs = 4_000, 200, 1
    watched = 100 if tiny else LATENCY_ACCOUNTS
    shape = TINY if tiny else Shape()
    try:
        results = Results(
            fills=fills.measure(SEED, count, accounts, runs=runs, say=click.echo),
            latency=[
                [
                    latency.measure(SEED, watched, SHARE, shape=shape, say=click.echo)
                    for _ in range(runs)
                ]
            ],
            memory=memory.measure(
                SEED, 300 if tiny else 100_000, tick_s=1.0 if tiny else 5.0, say=click.echo
            ),
        )
    except ContenderFailedError as error:
        raise click.ClickException(str(error)) from error
    show(results, Console())
    if page is not None:
        write(results, page, shlex.join(["python", "-m", "benchmarks.bench", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
