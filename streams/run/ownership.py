"""Which partitions a worker holds: what the group gives it, and what it does when they differ."""

import logging
import time

from faust.types import TP

from streams.base.settings import Settings
from streams.processors.intake import Inbox
from streams.processors.shards import Shards
from streams.run.recovery import Inputs, Recovery
from streams.transport.consumer import BlockConsumer

log = logging.getLogger(__name__)
REJOIN_S = 3.0
LOST_SESSIONS = 6


class Ownership:
    """Follows the assignments of the group."""

    def __init__(
        self,
        settings: Settings,
        shards: Shards,
        inbox: Inbox,
        recovery: Recovery,
        inputs: Inputs,
    ) -> None:
        self._settings = settings
        self._shards = shards
        self._inbox = inbox
        self._recovery = recovery
        self._inputs = inputs
        self._lost_s: float | None = None
        self._asked_s: float | None = None
        """Since when partitions are lost, and when a new generation was last asked for."""

    def hold(self, partitions: set[int], standbys: frozenset[int]) -> dict[TP, int]:
        """Release what was given away, bring back what was given to us; what is kept is kept.

        Returns where the inputs end now.
        """
        shards = self._shards
        for partition in shards.held - partitions:
            shards.release(partition)
        shards.lost.intersection_update(partitions)
        new = partitions - shards.held
        self._inbox.discard(lambda block: block.partition in shards.held)
        self._recovery.take_over(new)
        self._recovery.follow(standbys - shards.held)
        return self._inputs.ends(shards.held)

    async def ask_for_lost(self, consumer: BlockConsumer) -> None:
        """Partitions that another worker took, and that the group says are ours, are asked for.

        It took them in an assignment that was over when it did. A new generation settles it, and
        lets Faust read those inputs from where the state ends.
        """
        lost, now_s = sorted(self._shards.lost), time.monotonic()
        if not lost:
            self._lost_s = self._asked_s = None
            return
        self._lost_s = self._lost_s or now_s
        if now_s - self._lost_s > LOST_SESSIONS * self._settings.session_timeout_s:
            raise RuntimeError(
                f"partitions {lost} were taken by another producer {now_s - self._lost_s:.0f} s "
                "ago, and no new generation of the group changed that: are there two deployments "
                f"of app {self._settings.app!r}?"
            )
        if now_s - (self._asked_s or self._lost_s) > REJOIN_S:
            self._asked_s = now_s
            log.warning("partitions %s are ours by the group: asking for a new generation", lost)
            await consumer.rejoin()
