"""Our side of the consumer group: a leader that knows its topics, and failures that are heard."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator

from streams.transport.assignor import PartitionCountError

ASK_AGAIN_S = 0.2


class Coordinator(GroupCoordinator):  # type: ignore[misc]
    """aiokafka's coordinator where a broker goes away at the wrong moment."""

    on_failure: Callable[[BaseException], None]
    """Told of what ends our membership. aiokafka keeps it for the next read, and waits; but nobody
    reads until partitions are assigned."""

    async def _perform_assignment(self, response: Any) -> Any:
        """As the leader, assign by topics that the broker has told us of.

        A client whose broker went away between their first two words knows no topic: it would give
        nobody anything, and look again only after five minutes.
        """
        deadline = time.monotonic() + self._session_timeout_ms / 1000
        while True:
            try:
                return await super()._perform_assignment(response)
            except PartitionCountError:
                if time.monotonic() > deadline:
                    raise
            await self._client.force_metadata_update()
            await asyncio.sleep(ASK_AGAIN_S)

    async def _push_error_to_user(self, exc: BaseException) -> None:
        self.on_failure(exc)
        await super()._push_error_to_user(exc)
