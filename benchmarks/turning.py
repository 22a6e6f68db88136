"""What one decision costs a worker, in CPU time, by the accounts of its book."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import crowd_book
from benchmarks.crowd import crowd, listed, opening
from benchmarks.full_book import PARTITIONS
from benchmarks.workload import OPENED_US, mark
from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME
from schemas.units import US_PER_MS
from streams.market.events import Event
from streams.processors.cycle import Cycle
from streams.processors.warm_up import warm_up

TIMES = 5
FALL = 0.0001
"""By how much all prices differ from one decision to the next."""
LONG_AGO_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Turns:
    """CPU seconds, the least of a few: a decision on all accounts, one after all prices have moved
    a little, and the taking of a tick."""

    accounts: int
    all_s: float
    moved_s: float
    tick_s: float
    tick_bytes: float


def measure(seed: int, accounts: int) -> Turns:
    """A cycle alone, without a broker, that holds the crowd; nobody in it is near the edge."""
    cycle = Cycle(PARTITIONS)
    warm_up(cycle.ledger.profile)
    for place, event in enumerate(opening()):
        cycle.take_broadcast(_block([event], place))
    people = crowd(seed, accounts, breaking=0)
    for partition in range(PARTITIONS):
        numbers = np.arange(partition, accounts, PARTITIONS)
        crowd_book.hold(cycle, people, numbers, partition)
    feed = _Feed(cycle)
    for _ in range(2):
        feed.tick()
        cycle.decide()
        cycle.take_outputs()
    tick_s, moved_s, all_s = [], [], []
    for _ in range(TIMES):
        tick_s.append(_cpu_s(feed.tick))
        moved_s.append(_cpu_s(cycle.decide))
        cycle.ledger.rules.revision += 1  # other rules may ask more of everyone
        feed.tick()
        all_s.append(_cpu_s(cycle.decide))
    return Turns(accounts, min(all_s), min(moved_s), min(tick_s) / len(listed()), feed.bytes_each)


class _Feed:
    """A tick of every instrument, a block at a time."""

    def __init__(self, cycle: Cycle) -> None:
        self._cycle = cycle
        self._round = 0
        self.bytes_each = 0.0

    def tick(self) -> None:
        self._round += 1
        time_us = OPENED_US + LONG_AGO_US + self._round * US_PER_MS
        drop = FALL * (self._round % 2)
        events = [mark(one, self._round, time_us, drop) for one in listed()]
        block = _block(events, self._round * len(events))
        self.bytes_each = sum(len(value or b"") for value in block.values) / len(block)
        self._cycle.take_broadcast(block)


def _block(events: list[Event], first: int) -> Block:
    topic, many = events[0].topic, len(events)
    record = BY_NAME[topic].record
    return Block(
        topic,
        0,
        np.arange(first, first + many),
        [event.key.encode() for event in events],
        [encode(record, event.record) for event in events],
        np.array([event.record["event_time"] // US_PER_MS for event in events]),
    )


def _cpu_s(work: Callable[[], None]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s
