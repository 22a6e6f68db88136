"""One genuine run with everything in it, written down once."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.record_codec import decode, encode
from streams.audit.account import AccountState
from streams.audit.auditor import audit
from streams.audit.findings import Findings
from streams.audit.reading import Entry
from streams.market.config import MarketConfig
from streams.run.soak.verdict import accounts_of
from tests.streams.audit.recorded import RecordedDriver, Topics

CRASH = MarketConfig(
    seed=7, accounts=150, fills_per_s=60.0, crash_at_s=20.0, fall_s=40.0, opening_s=15.0,
    funding_interval_s=7.0,
)  # fmt: skip
SPOILED_EVERY = 97


@dataclass
class Run:
    """Topics and accounts that a test may spoil."""

    log: Topics
    engine: dict[str, AccountState]
    orders: dict[int, list[dict[str, Any]]]

    def audit(self) -> Findings:
        return audit(self.log, self.engine, self.orders)

    def entries(self, topic: str) -> list[tuple[tuple[str, int], int, Entry, dict[str, Any]]]:
        """Place, index, entry and record of all that a topic holds and can be read."""
        return [
            (place, at, entry, decode(entry.value)[1])
            for place, entries in sorted(self.log.items())
            if place[0] == topic
            for at, entry in enumerate(entries)
        ]

    def rewrite(self, place: tuple[str, int], at: int, **fields: Any) -> None:
        """Change fields of a record on its topic."""
        entry = self.log[place][at]
        record, values = decode(entry.value)
        self.log[place][at] = entry._replace(value=encode(record, {**values, **fields}))

    def append(self, place: tuple[str, int], entry: Entry) -> None:
        """Put an entry behind the last one of a place."""
        self.log[place].append(entry._replace(offset=self.log[place][-1].offset + 2))


def spoiler() -> Callable[[str, bytes], tuple[bytes, ...]]:
    """After some fills writes the same once more, or the same cut short."""
    fills = 0

    def written(topic: str, value: bytes) -> tuple[bytes, ...]:
        nonlocal fills
        fills += topic == "fills"
        if topic != "fills" or fills % SPOILED_EVERY:
            return (value,)
        return (value, value) if fills // SPOILED_EVERY % 2 else (value, value[:-3])

    return written


@pytest.fixture(scope="session")
def recorded() -> Run:
    driver = RecordedDriver(CRASH, written=spoiler()).run(300)
    return Run(driver.log, accounts_of(driver.cycle), driver.orders())


@pytest.fixture
def run(recorded: Run) -> Run:
    log = {place: list(entries) for place, entries in recorded.log.items()}
    return Run(log, deepcopy(recorded.engine), deepcopy(recorded.orders))
