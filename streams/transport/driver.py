"""The Faust transport and schema that put block delivery in place."""

from collections.abc import Callable
from typing import Any, cast

import faust
from faust.transport.drivers.aiokafka import Transport

from streams.transport.consumer import BlockConsumer

ReadFrom = Callable[[str, int], int | None]


class BlockTransport(Transport):  # type: ignore[misc]
    """Faust over aiokafka, with `BlockConsumer`.

    `read_from(topic, partition)` tells it at which offset the worker's state of a partition ends.
    """

    Consumer = BlockConsumer
    read_from: ReadFrom = staticmethod(lambda topic, partition: None)


class BlockSchema(faust.Schema):  # type: ignore[misc]
    """Passes a block through as it came: decoding is the cycle's work."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        return message.value


def block_consumer(app: Any) -> BlockConsumer:
    """The consumer of a running app whose transport is `BlockTransport`."""
    return cast(BlockConsumer, app.consumer)
