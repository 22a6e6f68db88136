"""Drives a cycle and a simulated exchange against each other, without Kafka and without a clock.

Inputs are encoded and partitioned as on the topics and cut into blocks of a given size. After each
step of the market all blocks are applied and one decision is made; what it publishes is read back
and handed to the market before the next step. So the order of inputs per partition and the marks at
each decision do not depend on the block size.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from risk.liquidation.stages import Ladder
from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME
from streams.market.config import MarketConfig, build
from streams.processors.cycle import ACCOUNT_TOPICS, Cycle
from streams.processors.outputs import Output
from streams.state.ledger import partition_of

PARTITIONS = 4
WRITTEN_MS = 1_790_000_000_000
RULES = ("instruments", "assets", "risk-params", "accounts", "funding", "deleveraging")
READ_BACK = ("transfers", "deleveraging")
Log = tuple[str, int]


class Driver:
    """One run; `outputs` collects all that the cycle published."""

    def __init__(self, block_size: int, config: MarketConfig, ladder: Ladder | None = None) -> None:
        self.block_size = block_size
        self.exchange = build(config)
        self.cycle = Cycle(PARTITIONS, ladder=ladder)
        for number in range(PARTITIONS):
            self.cycle.take_partition(number, {})
        self.outputs: list[Output] = []
        self.sent: Counter[str] = Counter()
        self._end: dict[Log, int] = defaultdict(int)

    def run(self, steps: int) -> "Driver":
        self._turn(self.exchange.opening())
        for _ in range(steps):
            events = self.exchange.step()
            if events is None:
                break
            self._turn(events)
        while any(one.topic in READ_BACK for one in self._last):
            self._turn([])
        return self

    def _turn(self, events: Iterable[Any]) -> None:
        records = [(event.topic, event.key, event.record) for event in events]
        records += [
            (one.topic, one.key, one.values)
            for one in getattr(self, "_last", [])
            if one.topic in READ_BACK
        ]
        blocks = self._blocks(records)
        for topic in (*RULES, "prices"):
            for block in (b for b in blocks if b.topic == topic):
                self.cycle.take_broadcast(block)
        for topic in ACCOUNT_TOPICS:
            for block in (b for b in blocks if b.topic == topic):
                self.cycle.apply(block)
        self.cycle.decide()
        self._last = self.cycle.take_outputs()
        self.outputs.extend(self._last)
        for one in self._last:
            if one.topic == "margin-calls":
                self.exchange.on_margin_call(one.values)
            elif one.topic == "liquidations":
                self.exchange.on_liquidation(one.values)
            elif one.topic == "transfers":
                self.exchange.on_transfer(one.values)

    def _blocks(self, records: list[tuple[str, Any, Any]]) -> list[Block]:
        logs: dict[Log, list[tuple[bytes, bytes]]] = defaultdict(list)
        for topic, key, values in records:
            row = BY_NAME[topic]
            number = partition_of(key, PARTITIONS) if row.sharing == "account" else 0
            logs[topic, number].append((key.encode(), encode(row.record, values)))
            self.sent[topic] += 1
        blocks = []
        for (topic, number), log in logs.items():
            for start in range(0, len(log), self.block_size):
                run = log[start : start + self.block_size]
                blocks.append(block_of(topic, number, run, self._end[topic, number]))
                self._end[topic, number] += len(run)
        return blocks

    def ids(self) -> list[str]:
        """Ids of all margin calls and liquidations, in order."""
        return [o.output_id for o in self.outputs if o.topic in ("margin-calls", "liquidations")]

    def digest(self) -> str:
        rules = self.cycle.ledger.rules
        return self.cycle.ledger.book.digest(rules.assets, rules.instruments)


def block_of(
    topic: str, partition: int, run: list[tuple[bytes | None, bytes | None]], first: int = 0
) -> Block:
    """Keys and values as a block whose offsets begin at `first`."""
    return Block(
        topic, partition, np.arange(first, first + len(run), dtype=np.int64),
        [key for key, _ in run], [value for _, value in run], np.full(len(run), WRITTEN_MS),
    )  # fmt: skip
