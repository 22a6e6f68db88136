"""Reads what a finished world has committed: records of a topic, turns of a changelog."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from schemas.record_codec import decode
from schemas.topics import BY_NAME
from streams.state.partition_log import PARTITION
from tests.simulation.log import CHANGELOG, Entry, FakeBroker

Record = dict[str, Any]


class Topics:
    """All logs of a broker, as one sees them at the end."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.partitions = broker.partitions

    def entries(self, topic: str, partition: int | None = None) -> Iterator[tuple[str, Entry]]:
        """With each record where it is: topic-partition-offset."""
        numbers = range(self.partitions) if partition is None else (partition,)
        for number in numbers:
            for entry in self._broker.logs[topic, number].committed():
                yield f"{topic}-{number}-{entry.offset}", entry

    def records(self, topic: str) -> Iterator[Record]:
        for _, entry in self.entries(topic):
            yield read(topic, entry.value)

    def turns(self, partition: int) -> Iterator[Record]:
        """The state of a partition beside its accounts, after each of its turns."""
        for _, entry in self.entries(CHANGELOG, partition):
            if entry.key == PARTITION:
                yield json.loads((entry.value or b"")[1:])


@lru_cache(4_096)
def read(topic: str, value: bytes | None) -> Record:
    """A record's fields; none where the bytes are no record."""
    try:
        return dict(decode(value or b"", BY_NAME[topic].record)[1])
    except ValueError:
        return {}


def applied_end(entry: Entry, topic: str) -> int:
    """Up to where the inputs of its partition were applied when a record was decided."""
    applied = dict(entry.headers)["plimsoll-applied"].decode().split(",")
    return int(dict(part.split("=") for part in applied)[topic])
