"""The command line: up, and the parts that it starts (worker, market, sink)."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import click

from streams.base.settings import Settings
from streams.run.audit_command import audit
from streams.run.children import end_with_parent, stop_on_signals, tell
from streams.run.desk.command import evaluate
from streams.run.explain_command import explain
from streams.run.map_command import liquidation_map
from streams.run.moments import Moment
from streams.run.sink_command import sink
from streams.run.soak.command import soak
from streams.run.verify.command import history, verify

KAFKA = click.option("--bootstrap", required=True, help="Kafka bootstrap addresses.")
AS_CHILD = click.option("--child", is_flag=True, hidden=True)


@click.group()
@click.version_option(package_name="plimsoll")
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="WARNING",
    show_default=True,
    envvar="PLIMSOLL_LOG_LEVEL",
    help="What is told on standard error.",
)
def main(log_level: str) -> None:
    """Plimsoll: streaming margin and liquidations for derivatives exchanges."""
    logging.basicConfig(
        level=log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    if not __debug__:
        raise click.ClickException("python -O removes the checks that keep the book exact")


MARKET_OPTIONS = (
    click.option("--seed", default=42, show_default=True, help="Same seed, same market."),
    click.option("--accounts", default=2_000, show_default=True, help="Simulated accounts."),
    click.option(
        "--options/--no-options",
        default=True,
        show_default=True,
        help="List options too, and margin some accounts as portfolios; not in a replay.",
    ),
    click.option(
        "--fills-per-s",
        default=400.0,
        show_default=True,
        help="Fills a second of event time, both sides counted.",
    ),
    click.option(
        "--replay",
        type=click.Path(exists=True, path_type=Path),
        help="Recorded prices: a file or folder of bars.",
    ),
    click.option("--from", "start", type=Moment(), help="First moment of the replay, UTC."),
    click.option("--to", "end", type=Moment(), help="End of the replay, UTC."),
    click.option("--speed", default=1.0, show_default=True, help="Event time over wall time."),
    click.option(
        "--insurance-fund",
        default=5_000_000,
        show_default=True,
        help="USD in the insurance fund at the start.",
    ),
)


def market_options(command: Any) -> Any:
    for option in reversed(MARKET_OPTIONS):
        command = option(command)
    return command


@main.command()
@market_options
@click.option("--duration", type=float, help="Seconds until it ends by itself.")
@click.option("--bootstrap", help="A Kafka to use in place of the embedded broker.")
@click.option("--partitions", default=8, show_default=True, help="Partitions of account topics.")
@click.option("--workers", default=1, show_default=True, help="Worker processes.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder that keeps the history.")
@click.option("--summary", type=click.Path(path_type=Path), help="Write the summary as JSON.")
@click.option("--svg", type=click.Path(path_type=Path), help="Write the last view as a picture.")
@click.option(
    "--history-port",
    default=0,
    show_default=True,
    envvar="PLIMSOLL_HISTORY_PORT",
    help="Port on which the history answers as a ClickHouse server does; 0: a free one.",
)
def up(**options: Any) -> None:
    """Start everything on this machine and show it live: broker, worker, market, history."""
    from streams.run.children import ChildFailedError
    from streams.run.embedded import Options, run

    try:
        sys.exit(run(Options(**options)))
    except (ChildFailedError, RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@KAFKA
@click.option("--app", help="Name of the deployment.")
@click.option("--partitions", type=int, help="Partitions of each account topic.")
@click.option("--instance", help="Static member name of this worker.")
@click.option("--session-timeout-s", type=int, help="Seconds without a heartbeat until dead.")
@click.option("--web-port", type=int, help="Port of Faust's own web server.")
@click.option("--cycle-ms", type=int, help="Least time from one cycle to the next.")
@click.option("--standbys", type=int, help="Warm copies of each partition in other workers.")
@click.option("--transactions", type=click.Choice(["on", "off"]), help="Off: outputs may repeat.")
@click.option("--rebuild", flag_value="yes", help="Without a changelog, read the inputs afresh.")
@AS_CHILD
def worker(child: bool, **given: Any) -> None:
    """Run one risk worker until SIGTERM."""
    from confluent_kafka import KafkaException

    from streams.base.patience import patiently
    from streams.run.topics import TopicsDifferError, check_topics
    from streams.run.worker import REFUSALS, Worker

    settings = Settings.read(**given)
    if child:
        end_with_parent()

    def check() -> None:
        check_topics(
            settings.bootstrap,
            settings.partitions,
            app=settings.app,
            min_replication=settings.min_replication,
            min_retention_ms=settings.min_retention_h * 3_600_000,
        )

    try:
        patiently(check)
    except TopicsDifferError as error:
        raise click.ClickException(str(error)) from error
    except (KafkaException, TimeoutError) as error:
        raise click.ClickException(f"no broker answers at {settings.bootstrap}: {error}") from error

    async def serve() -> dict[str, Any]:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await Worker(settings, tell).run(stop)

    try:
        tell({"final": asyncio.run(serve())})
    except REFUSALS as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


@main.command()
@KAFKA
@market_options
@click.option("--duration", type=float, help="Seconds of event time until the market closes.")
@AS_CHILD
def market(child: bool, bootstrap: str, speed: float, **given: Any) -> None:
    """Run the simulated exchange until its prices end, or until SIGTERM."""
    from schemas.units import E8
    from streams.market.config import MarketConfig, build
    from streams.market.runner import run

    if child:
        end_with_parent()
    config = MarketConfig(
        seed=given["seed"],
        accounts=given["accounts"],
        replay=given["replay"],
        start=given["start"],
        end=given["end"],
        options=given["options"],
        fills_per_s=given["fills_per_s"],
        duration_s=given["duration"],
        insurance_fund_e8=given["insurance_fund"] * E8,
    )
    stop = stop_on_signals()
    published = run(
        build(config),
        bootstrap=bootstrap,
        speed=speed,
        stop=stop,
        on_ready=lambda: tell({"ready": True}),
    )
    tell({"final": published})


@main.command()
@KAFKA
@click.option("--partitions", default=8, show_default=True, help="Partitions of account topics.")
@click.option("--app", default="plimsoll", show_default=True, help="Name of the deployment.")
@click.option("--replication", default=1, show_default=True, help="Replicas of a new topic.")
@click.option("--create", is_flag=True, help="Create the topics that are missing.")
def topics(bootstrap: str, partitions: int, app: str, replication: int, create: bool) -> None:
    """Check that all topics are as they must be; exit status 1 where they are not."""
    from streams.run.topics import TopicsDifferError, check_topics, ensure_topics

    try:
        if create:
            ensure_topics(bootstrap, partitions, replication, app=app)
        else:
            check_topics(bootstrap, partitions, app=app, min_replication=replication)
    except TopicsDifferError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"all topics are as they should be, with {partitions} partitions an account topic")


@main.command("compile")
def compile_kernels() -> None:
    """Compile the kernels now, a minute or two, so that the first start need not."""
    from streams.run.compiling import compile_all

    compile_all()


main.add_command(audit)
main.add_command(evaluate)
main.add_command(explain)
main.add_command(liquidation_map)
main.add_command(sink)
main.add_command(soak)
main.add_command(verify)
main.add_command(history)

if __name__ == "__main__":
    main()
