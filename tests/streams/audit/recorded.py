"""A run of the simulation written down as topics, and the engine's accounts read off its book."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME, TOPICS
from streams.audit.reading import Entry
from streams.market.config import MarketConfig
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.state.ledger import partition_of
from tests.simulation.driver import PARTITIONS, READ_BACK, WRITTEN_MS, Driver

STEP = 2
"""Offsets are so far apart, as transaction markers would have them."""
LATE = ("fills", "orders")
Place = tuple[str, int]
Topics = dict[Place, list[Entry]]
Damage = Callable[[str, bytes], tuple[bytes, ...]]
"""Topic and value -> the values that take its place, at most `STEP`."""


def untouched(topic: str, value: bytes) -> tuple[bytes, ...]:
    return (value,)


def no_topics() -> Topics:
    return {
        (topic.name, number): []
        for topic in TOPICS
        for number in range(1 if topic.sharing == "broadcast" else PARTITIONS)
    }


class RecordedDriver(Driver):
    """Keeps every input and output as a topic would.

    `written` says what is written in place of a record, `heard` what of that reaches the engine.
    In turns that are `late` fills and orders reach it a turn after prices, funding and all else.
    """

    def __init__(
        self,
        config: MarketConfig,
        *,
        written: Damage = untouched,
        heard: Damage = untouched,
        late: Callable[[int], bool] = lambda turn: False,
    ) -> None:
        super().__init__(500, config)
        self.log = no_topics()
        self._written = written
        self._heard = heard
        self._late = late
        self._turns = 0
        self._held: list[Block] = []
        self._own: dict[bytes, dict[str, bytes]] = {}
        """Value of a record that the engine reads back -> its headers."""

    def orders(self) -> dict[int, list[dict[str, Any]]]:
        """What the engine says of what fell between which inputs."""
        return {number: self.cycle.ledger.take_order(number) for number in range(PARTITIONS)}

    def _turn(self, events: Any) -> None:
        super()._turn(events)
        for one in self._last:
            key = one.key.encode() if isinstance(one.key, str) else one.key or b""
            value = encode(BY_NAME[one.topic].record, one.values)
            headers = {"plimsoll-id": one.output_id.encode()}
            if one.topic != "dead-letters":
                headers["plimsoll-applied"] = ",".join(
                    f"{name}={self.cycle.read_from(name, one.partition) or 0}"
                    for name in ACCOUNT_TOPICS
                ).encode()
            if one.topic in READ_BACK:
                self._own[value] = headers
            else:
                place = (one.topic, partition_of(key.decode(), PARTITIONS))
                self._write(place, key, value, headers)

    def _blocks(self, records: list[tuple[str, Any, Any]]) -> list[Block]:
        heard: dict[Place, list[tuple[int, bytes, bytes]]] = defaultdict(list)
        for topic, key, values in records:
            row = BY_NAME[topic]
            number = partition_of(key, PARTITIONS) if row.sharing == "account" else 0
            whole = encode(row.record, values)
            headers = self._own[whole] if topic in READ_BACK else {}
            for value in self._written(topic, whole):
                offset = self._write((topic, number), key.encode(), value, headers)
                for nth, copy in enumerate(self._heard(topic, value)):
                    heard[topic, number].append((offset + nth, key.encode(), copy))
        blocks = [
            Block(
                *place, np.array([offset for offset, _, _ in run], np.int64),
                [key for _, key, _ in run], [value for _, _, value in run],
                np.full(len(run), WRITTEN_MS),
            )
            for place, run in heard.items()
        ]  # fmt: skip
        self._turns += 1
        held, self._held = self._held, []
        if self._late(self._turns):
            self._held = [block for block in blocks if block.topic in LATE]
            blocks = [block for block in blocks if block.topic not in LATE]
        return held + blocks

    def _write(self, place: Place, key: bytes, value: bytes, headers: dict[str, bytes]) -> int:
        offset = STEP * len(self.log[place])
        self.log[place].append(Entry(offset, key, value, WRITTEN_MS, headers))
        return offset
