"""A worker's signs of life: what its watchdog judges, and what /livez and /readyz say."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.run.health import HealthServer, Progress, Watchdog

log = logging.getLogger(__name__)
ASK_S = 2.0
BEAT_S = 0.5


class Vitals:
    """Serves the health of a worker, and ends it when it stalls.

    `positions()` says how far each owned "topic-partition" is, recovery included; `done_to()` the
    offset up to which it is dealt with. Both are asked from other threads. A broker that does not
    answer is no sign of death: lags are unknown then, and only the loop is judged.
    """

    def __init__(
        self,
        bootstrap: str,
        address: tuple[str, int],
        *,
        positions: Callable[[], Mapping[str, int]],
        done_to: Callable[[], Mapping[str, int]],
        readiness: Callable[[], dict[str, bool]],
    ) -> None:
        self._connection = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._connection)
        self._positions = positions
        self._done_to = done_to
        self._progress = Progress()
        self._beat_s = time.monotonic()
        self._sentences: list[str] = []
        self._server = HealthServer(*address, liveness=lambda: self._sentences, readiness=readiness)
        self._tasks: list[asyncio.Task[None]] = []
        self._watchdog: Watchdog | None = None

    async def start(self) -> int:
        """Watch and serve from now on; the port that answers."""
        loop = asyncio.get_running_loop()
        self._beat_s = time.monotonic()
        self._tasks.append(loop.create_task(self._beat()))
        self._watchdog = Watchdog(self._liveness, loop=loop)
        self._watchdog.start()
        await self._server.start()
        return self._server.port

    async def stop(self) -> None:
        """Before a shutdown, which may take its time."""
        if self._watchdog is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._watchdog.stop)
        for task in self._tasks:
            task.cancel()
        await self._server.stop()

    async def _beat(self) -> None:
        while True:
            self._beat_s = time.monotonic()
            await asyncio.sleep(BEAT_S)

    def _liveness(self) -> list[str]:
        verdict = self._progress.observe(
            time.monotonic(), self._lags(), self._positions(), self._beat_s
        )
        self._sentences = verdict.sentences
        return verdict.sentences

    def _lags(self) -> dict[str, int]:
        """Committed records behind which each owned partition is; none where the broker is mute."""
        done = dict(self._done_to())
        places = {name: TopicPartition(*_split(name)) for name in done}
        try:
            answers = self._admin.list_offsets(
                {place: OffsetSpec.latest() for place in places.values()},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=ASK_S,
            )
            ends = {
                f"{place.topic}-{place.partition}": answer.result(timeout=ASK_S).offset
                for place, answer in answers.items()
            }
        except (KafkaException, TimeoutError):
            self._admin = AdminClient(self._connection)  # one may keep asking a leader that was
            return {}
        return {name: max(ends[name] - end, 0) for name, end in done.items()}


def _split(name: str) -> tuple[str, int]:
    topic, partition = name.rsplit("-", 1)
    return topic, int(partition)
