"""A group whose broker goes away at the wrong moment, or whose topics do not fit together."""

import asyncio
from collections.abc import Callable

import faust
import pytest

from streams.processors.intake import Inbox, hold_blocks
from streams.run.topics import ensure_topics
from streams.transport.driver import block_app, use_blocks
from tests.kafka.broker import ApacheKafka
from tests.kafka.conftest import need_brokers
from tests.streams.transport.conftest import PARTITIONS

TOPICS = ["collateral", "fills", "transfers"]
PATIENCE_S = 120


def worker(name: str, bootstrap: str, topics: list[str]) -> faust.App:
    app = block_app(
        "grouped", bootstrap, instance=name, session_timeout_s=4, fetch_records=5_000,
        web_port=16_176,
    )  # fmt: skip
    use_blocks(app, lambda topic, number: None)
    hold_blocks(app, topics, Inbox())
    return app


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.05)


async def crash_reason(bootstrap: str, topics: list[str]) -> BaseException | None:
    app = worker("alone", bootstrap, topics)
    await app.start()
    try:
        await until(lambda: app.should_stop)
    finally:
        await app.stop()
    return app.crash_reason


@pytest.mark.embedded
def test_a_worker_whose_topics_are_not_alike_ends_and_says_so(bootstrap: str) -> None:
    """The client keeps what failed for the next read, and a worker that has nothing reads never."""
    reason = asyncio.run(crash_reason(bootstrap, ["fills", "prices"]))
    assert "fills has 4, prices has 1: these topics need one number" in str(reason)


async def partitions_given(
    cluster: ApacheKafka, name: str, meanwhile: Callable[[], object]
) -> set[int]:
    """What a worker gets; `meanwhile` is done when it knows its broker, and not yet its topics."""
    app = worker(name, cluster.bootstrap, TOPICS)
    starting = asyncio.create_task(app.start())
    try:
        reader = app.consumer._thread
        await until(lambda: reader._consumer and reader._consumer._client.cluster.brokers())
        await asyncio.to_thread(meanwhile)
        await starting
        await until(lambda: app.consumer.assignment() or app.should_stop)
        return {tp.partition for tp in app.consumer.assignment()}
    finally:
        await app.stop()


@pytest.mark.kafka
def test_a_broker_that_dies_before_it_told_of_the_topics_leaves_nobody_idle() -> None:
    """The leader of the group knew of no partitions, and gave nobody any for five minutes."""
    need_brokers()
    with ApacheKafka() as cluster:
        ensure_topics(cluster.bootstrap, PARTITIONS)

        async def meet() -> set[int]:
            await partitions_given(cluster, "before", bool)  # the group is there
            return await partitions_given(
                cluster, "after", lambda: (cluster.kill(), cluster.start())
            )

        assert asyncio.run(meet()) == set(range(PARTITIONS))
