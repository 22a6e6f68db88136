"""The Faust transport and schema that put block delivery in place."""

import asyncio
import tempfile
from collections.abc import Callable
from shutil import rmtree
from typing import Any, cast
from weakref import finalize

import faust
from faust.transport.drivers.aiokafka import Transport

from streams.transport.assignor import StickyAssignor
from streams.transport.consumer import BlockConsumer

HEARTBEAT_S = 0.25
"""How soon a member hears that another one is gone."""
ReadFrom = Callable[[str, int], int | None]


class BlockTransport(Transport):  # type: ignore[misc]
    """Faust over aiokafka, with `BlockConsumer`.

    `read_from(topic, partition)` tells it at which offset to read on.
    """

    Consumer = BlockConsumer
    read_from: ReadFrom = staticmethod(lambda topic, partition: None)


class BlockSchema(faust.Schema):  # type: ignore[misc]
    """Passes a block through as it came: decoding is the cycle's work."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


def block_app(
    name: str,
    bootstrap: str,
    *,
    instance: str,
    session_timeout_s: int,
    fetch_records: int,
    web_port: int,
) -> faust.App:
    """A Faust app for block delivery; its transport is set by `use_blocks` once a loop runs."""
    folder = tempfile.mkdtemp(prefix="plimsoll-faust-")
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        datadir=folder,
        store="memory://",
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=1.0,
        broker_max_poll_records=fetch_records,
        consumer_max_fetch_size=8 * 1024 * 1024,
        table_standby_replicas=0,
        PartitionAssignor=StickyAssignor,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,  # it would wait for acknowledgements that Faust never sees
        web_enabled=False,
        web_port=web_port,  # Faust serves it even so
    )
    finalize(app, rmtree, folder, ignore_errors=True)  # Faust wants it, and puts nothing in it
    return app


def use_blocks(app: faust.App, read_from: ReadFrom) -> None:
    """Deliver blocks; `read_from(topic, partition)` is where the reader's state ends, or None."""
    transport = BlockTransport(app.conf.broker_consumer, app, loop=asyncio.get_running_loop())
    transport.read_from = read_from
    app.transport = transport


def block_consumer(app: Any) -> BlockConsumer:
    """The consumer of a running app whose transport is `BlockTransport`."""
    return cast(BlockConsumer, app.consumer)
