"""The history of one genuine run, as the sink would have written it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from schemas.block import Block
from sinks.clickhouse import APPLIED, DECIDED, Delivery, create_tables, deliver
from sinks.store import Store
from sinks.watermarks import Watermarks
from streams.market.config import MarketConfig
from streams.market.events import Event
from tests.streams.audit.recorded import RecordedDriver, Topics

CRASH = MarketConfig(
    seed=7, accounts=50, fills_per_s=30.0, crash_at_s=8.0, fall_s=15.0, opening_s=6.0,
    funding_interval_s=7.0,
)  # fmt: skip
Spoil = Callable[..., Path]
FOLDER = "clickhouse"
SMALL = ("fills", "collateral", "transfers")
"""Topics whose records come in blocks of a few."""


class OrderingDriver(RecordedDriver):
    """Its accounts leave orders in the book: after each trade one, or what is left of one."""

    def _turn(self, events: Any) -> None:
        events = list(events)
        fills = [one.record for one in events if one.topic == "fills"]
        super()._turn([*events, *map(_order, fills)])


def _order(fill: dict[str, Any]) -> Event:
    """Like the fill, of either side and any kind; of few ids, so that many take another's place."""
    number = crc32(fill["fill_id"].encode())
    chosen = ("event_time", "account_id", "instrument_id", "price_e8", "margin_mode")
    order = {name: fill[name] for name in chosen} | {
        "order_id": f"{fill['instrument_id']}/{number % 4}",
        "side": ("BUY", "SELL")[number // 4 % 2],
        "remaining_e8": fill["quantity_e8"] * (number // 8 % 4),
        "reduce_only": number // 32 % 5 == 0,
    }
    return Event("orders", fill["account_id"], order)


def store_all(store: Store, log: Topics, *, told: bool) -> None:
    """Every record of the topics, a block a partition, or a few; `told`: with what was applied."""
    watermarks = Watermarks(store)
    for (topic, partition), every in log.items():
        size = 40 if topic in SMALL else len(every)
        for first in range(0, len(every), size or 1):
            entries = every[first : first + size]
            block = Block(
                topic, partition, np.array([one.offset for one in entries], np.int64),
                [one.key for one in entries], [one.value for one in entries],
                np.array([one.timestamp_ms for one in entries], np.int64),
            )  # fmt: skip
            applied = [one.headers[APPLIED] for one in entries if told and topic in DECIDED]
            delivery = Delivery(block, f"id of {topic}", applied)
            watermarks.intend([delivery])
            watermarks.stored([delivery], [deliver(store, delivery)])


@pytest.fixture(scope="session")
def driver() -> RecordedDriver:
    """A run, ended."""
    return _ended(RecordedDriver)


@pytest.fixture(scope="session")
def recorded(driver: RecordedDriver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of that run as `plimsoll up --data` leaves it."""
    return _stored(driver, tmp_path_factory.mktemp("recorded"), told=True)


@pytest.fixture(scope="session")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of an exchange that tells open orders, by a sink that kept no header."""
    return _stored(_ended(OrderingDriver), tmp_path_factory.mktemp("ordered"), told=False)


def _ended(kind: type[RecordedDriver]) -> RecordedDriver:
    driver = kind(CRASH, late=lambda turn: turn % 5 == 0)
    driver.run(110)
    return driver


def _stored(driver: RecordedDriver, data: Path, *, told: bool) -> Path:
    with Store(f"chdb://{data / FOLDER}") as store:
        create_tables(store)
        store_all(store, driver.log, told=told)
    return data


@pytest.fixture
def spoiled(recorded: Path, tmp_path: Path) -> Spoil:
    """A copy of it, or of another, in which statements were run."""

    def spoil(*statements: str, of: Path = recorded) -> Path:
        data = tmp_path / "data"
        shutil.copytree(of, data, symlinks=True)
        with Store(f"chdb://{data / FOLDER}") as store:
            for statement in statements:
                store.create(f"{statement} SETTINGS mutations_sync = 2")
        return data

    return spoil
