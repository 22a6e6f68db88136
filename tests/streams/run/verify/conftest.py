"""The history of one genuine run, as the sink would have written it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schemas.block import Block
from sinks.clickhouse import Delivery, create_tables, deliver
from sinks.store import Store
from sinks.watermarks import Watermarks
from streams.market.config import MarketConfig
from tests.streams.audit.recorded import RecordedDriver, Topics

CRASH = MarketConfig(
    seed=7, accounts=50, fills_per_s=30.0, crash_at_s=8.0, fall_s=15.0, opening_s=6.0,
    funding_interval_s=7.0,
)  # fmt: skip
FOLDER = "clickhouse"


def store_all(store: Store, log: Topics) -> None:
    """Every record of the topics, a block a partition."""
    watermarks = Watermarks(store)
    for (topic, partition), entries in log.items():
        if entries:
            block = Block(
                topic, partition, np.array([one.offset for one in entries], np.int64),
                [one.key for one in entries], [one.value for one in entries],
                np.array([one.timestamp_ms for one in entries], np.int64),
            )  # fmt: skip
            delivery = Delivery(block, f"id of {topic}")
            watermarks.intend([delivery])
            watermarks.stored([delivery], [deliver(store, delivery)])


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run as `plimsoll up --data` leaves it."""
    driver = RecordedDriver(CRASH, late=lambda turn: turn % 5 == 0)
    driver.run(110)
    data = tmp_path_factory.mktemp("recorded")
    with Store(f"chdb://{data / FOLDER}") as store:
        create_tables(store)
        store_all(store, driver.log)
    return data


@pytest.fixture
def spoiled(recorded: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of it in which a statement was run."""

    def spoil(statement: str) -> Path:
        data = tmp_path / "data"
        shutil.copytree(recorded, data, symlinks=True)
        with Store(f"chdb://{data / FOLDER}") as store:
            store.create(f"{statement} SETTINGS mutations_sync = 2")
        return data

    return spoil
