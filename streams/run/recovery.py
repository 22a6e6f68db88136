"""Brings partitions back from the changelog, and keeps warm copies of others."""

import gc
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from streams.base.introduction import introduced
from streams.base.patience import patiently
from streams.base.topic_offsets import topic_offsets
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.shards import Shards
from streams.state.changelog import ChangelogError
from streams.state.partition_log import ADVICE, Image
from streams.transport.changelog_reader import ChangelogReader
from streams.transport.transaction import Journal

log = logging.getLogger(__name__)
TELL_S = 1.0
TIMEOUT_S = 10.0
ANSWERS = (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET)
"""Whether an offset is there; other errors pass, as while a leader is elected."""
REBUILD = (
    "where the inputs are kept from their beginning, --rebuild reads them again; else restore the "
    "changelog from a copy"
)


class Recovery:
    """Reads the changelogs of partitions that a worker takes over, or follows as a standby."""

    def __init__(
        self,
        shards: Shards,
        open_journal: Callable[[int], Journal],
        reader: ChangelogReader,
        inputs: "Inputs",
    ) -> None:
        self._shards = shards
        self._open_journal = open_journal
        self._reader = reader
        self._inputs = inputs
        self._images: dict[int, Image] = {}
        self.records = 0
        """Changelog records read so far: whoever waits for the end sees it move."""

    @property
    def warm(self) -> frozenset[int]:
        """Partitions whose changelog is followed."""
        return frozenset(self._images)

    def take_over(self, partitions: Iterable[int]) -> None:
        """Hold these partitions as their changelogs say; ChangelogError where one cannot be right.

        The journals are opened first: from then on nobody else writes there.
        """
        numbers = sorted(partitions)
        if not numbers:
            return
        wanted = self._images.keys() - set(numbers)
        began = time.monotonic()
        collected = gc.isenabled()
        gc.disable()  # millions of new records are no garbage, and looking through them takes long
        try:
            self._take_over(numbers)
        finally:
            if collected:
                gc.enable()
            self._follow(set(wanted))
        log.info("recovered %s in %.2f s", numbers, time.monotonic() - began)

    def _take_over(self, numbers: list[int]) -> None:
        told = time.monotonic()
        with ThreadPoolExecutor(len(numbers)) as pool:
            journals = dict(zip(numbers, pool.map(self._opened, numbers), strict=True))
        self._follow(self._images.keys() | set(numbers))
        for found in self._reader.read_to_end():
            self._take(found)
            if time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                log.info("recovering %d partitions: %d records", len(numbers), self.records)
        shards, images = self._shards, self._images
        self._inputs.require_known([number for number in numbers if not images[number].records])
        for number in numbers:
            shards.take_over(number, journals[number], images.pop(number).records)
        self._inputs.require_there({
            TP(topic, number): end
            for number in shards.held.intersection(numbers)
            for topic, end in shards.cycle.ends(number).items()
        })  # fmt: skip

    def follow(self, partitions: Iterable[int]) -> None:
        """Keep warm copies of these, and of no others."""
        wanted = set(partitions)
        if wanted != self._images.keys():
            self._follow(wanted)

    def poll(self) -> None:
        """Take what has come for the warm copies."""
        if self._images:
            self._take(self._reader.poll())

    def close(self) -> None:
        self._reader.close()

    def _opened(self, partition: int) -> Journal:
        journal = self._open_journal(partition)
        journal.open()
        return journal

    def _follow(self, partitions: set[int]) -> None:
        self._images = {number: self._images.get(number) or Image() for number in partitions}
        self._reader.follow(partitions)

    def _take(self, found: list[tuple[int, list[tuple[bytes | None, bytes | None]]]]) -> None:
        for number, pairs in found:
            try:
                self._images[number].take(pairs)
            except ChangelogError as error:
                raise ChangelogError(f"partition {number}: {error}; {ADVICE}") from error
            self.records += len(pairs)


class Inputs:
    """Whether the input topics still hold what a state needs: nothing may be missing between."""

    def __init__(
        self, bootstrap: str, app: str, rebuild: bool, security: dict[str, str] | None = None
    ) -> None:
        self._rebuild = rebuild
        self._connection = {"bootstrap.servers": bootstrap, **(security or {})}
        self._settings = {
            **self._connection, "group.id": app, "enable.auto.commit": False,
            "auto.offset.reset": "error", "enable.partition.eof": True,
        }  # fmt: skip

    def require_known(self, empty: Iterable[int]) -> None:
        """ChangelogError where a changelog that is `empty` cannot be, or its inputs are cut."""
        places = _places(empty)
        if not places or self._rebuild:
            return
        consumer = introduced(Consumer(self._settings))
        asked = [TopicPartition(*place) for place in places]
        told = patiently(lambda: _committed(consumer, asked))
        consumer.close()
        committed = {
            f"{place.topic}-{place.partition}": place.offset
            for place in told
            if place.offset not in (OFFSET_INVALID, 0)
        }
        if committed:
            raise ChangelogError(
                "the changelog is empty, but this deployment has applied records there (next "
                f"offsets {committed}): {REBUILD}"
            )
        (starts,) = self._asked(places, OffsetSpec.earliest())
        cut = {
            f"{place.topic}-{place.partition}": start for place, start in starts.items() if start
        }
        if cut:
            raise ChangelogError(
                "the changelog is empty, and the inputs do not begin at their beginning "
                f"({cut}): balances from before are unknown. --rebuild starts from what is there"
            )

    def require_there(self, ends: Mapping[TP, int]) -> None:
        """ChangelogError where what is to be read next was deleted, or its topic made anew."""
        starts, lasts = self._asked(ends, OffsetSpec.earliest(), OffsetSpec.latest())
        for (topic, partition), end in ends.items():
            start, last = starts[topic, partition], lasts[topic, partition]
            if 0 < end < start and not self._rebuild:
                raise ChangelogError(
                    f"{topic}-{partition}: the state ends at offset {end}, and the topic begins "
                    f"at {start}: what is between was deleted before it was applied"
                )
            if end > last and not self._read(topic, partition, end - 1):
                raise ChangelogError(
                    f"{topic}-{partition}: the state ends at offset {end}, and the topic at "
                    f"{last}: it was made anew. Delete the changelog too, or restore both"
                )

    def ends(self, partitions: Iterable[int]) -> dict[TP, int]:
        """Where the inputs of these partitions end."""
        (ends,) = self._asked(_places(partitions), OffsetSpec.latest())
        return ends

    def _asked(self, places: Collection[TP], *specs: OffsetSpec) -> list[dict[TP, int]]:
        """For each of `specs`, the offset of each place."""
        return topic_offsets(self._connection, places, *specs)

    def _read(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a reader can begin at this offset: one broker reports its ends too early."""
        consumer = Consumer(self._settings)
        consumer.assign([TopicPartition(topic, partition, offset)])
        deadline = time.monotonic() + TIMEOUT_S
        found = False
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            error = message and message.error()
            if message is not None and (error is None or error.code() in ANSWERS):
                found = error is None or error.code() == KafkaError._PARTITION_EOF
                break
        consumer.close()
        return found


def _committed(consumer: Consumer, asked: list[TopicPartition]) -> list[TopicPartition]:
    """What the group has committed; KafkaException where it is not told of each partition."""
    told: list[TopicPartition] = consumer.committed(asked, timeout=TIMEOUT_S)
    for place in told:
        if place.error is not None:
            raise KafkaException(place.error)
    return told


def _places(partitions: Iterable[int]) -> list[TP]:
    return [TP(topic, number) for number in partitions for topic in ACCOUNT_TOPICS]
