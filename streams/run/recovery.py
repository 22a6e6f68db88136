"""Brings partitions back from the changelog, and keeps warm copies of others."""

import gc
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.shards import Shards
from streams.state.changelog import ChangelogError
from streams.state.partition_log import ADVICE, Image
from streams.transport.changelog_reader import ChangelogReader
from streams.transport.patience import patiently
from streams.transport.transaction import Journal

log = logging.getLogger(__name__)
TELL_S = 1.0
TIMEOUT_S = 10.0
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
        for number in numbers:
            image = self._images.pop(number)
            self._inputs.require_known(number, bool(image.records))
            self._shards.take_over(number, journals[number], image.records)
            if number in self._shards.held:
                self._inputs.require_there(number, self._shards.cycle.ends(number))

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

    def require_known(self, partition: int, found: bool) -> None:
        """ChangelogError where a changelog is empty that cannot be, or whose inputs are cut."""
        if found or self._rebuild:
            return
        consumer = Consumer(self._settings)
        places = [TopicPartition(topic, partition) for topic in ACCOUNT_TOPICS]
        told = patiently(lambda: consumer.committed(places, timeout=TIMEOUT_S))
        consumer.close()
        committed = {
            place.topic: place.offset for place in told if place.offset not in (OFFSET_INVALID, 0)
        }
        if committed:
            raise ChangelogError(
                f"partition {partition}: the changelog is empty, but this deployment has applied "
                f"records there (next offsets {committed}): {REBUILD}"
            )
        cut = {topic: first for topic, first in self._starts(partition).items() if first}
        if cut:
            raise ChangelogError(
                f"partition {partition}: the changelog is empty, and the inputs do not begin at "
                f"their beginning ({cut}): balances from before are unknown. --rebuild starts "
                "from what is there"
            )

    def require_there(self, partition: int, ends: dict[str, int]) -> None:
        """ChangelogError where what is to be read next was deleted, or its topic made anew."""
        for topic, first in self._starts(partition).items():
            if 0 < ends[topic] < first and not self._rebuild:
                raise ChangelogError(
                    f"{topic}-{partition}: the state ends at offset {ends[topic]}, and the topic "
                    f"begins at {first}: what is between was deleted before it was applied"
                )
        last = self.ends(partition)
        for topic, end in ends.items():
            if end > last[topic] and not self._read(topic, partition, end - 1):
                raise ChangelogError(
                    f"{topic}-{partition}: the state ends at offset {end}, and the topic at "
                    f"{last[topic]}: it was made anew. Delete the changelog too, or restore both"
                )

    def ends(self, partition: int) -> dict[str, int]:
        """By topic: where the inputs of a partition end."""
        return self._asked(partition, OffsetSpec.latest())

    def _starts(self, partition: int) -> dict[str, int]:
        return self._asked(partition, OffsetSpec.earliest())

    def _asked(self, partition: int, spec: OffsetSpec) -> dict[str, int]:
        places = [TopicPartition(topic, partition) for topic in ACCOUNT_TOPICS]

        def ask() -> dict[str, int]:
            # a client of its own each time: one keeps asking for a leader's epoch that is over
            admin = AdminClient(self._connection)
            answers = admin.list_offsets(
                dict.fromkeys(places, spec), isolation_level=IsolationLevel.READ_COMMITTED
            )
            return {
                place.topic: max(answer.result(timeout=TIMEOUT_S).offset, 0)
                for place, answer in answers.items()
            }

        return patiently(ask)

    def _read(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a reader can begin at this offset: one broker reports its ends too early."""
        consumer = Consumer(self._settings)
        consumer.assign([TopicPartition(topic, partition, offset)])
        deadline = time.monotonic() + TIMEOUT_S
        found = False
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is not None:
                error = message.error()
                found = error is None or error.code() == KafkaError._PARTITION_EOF
                break
        consumer.close()
        return found
