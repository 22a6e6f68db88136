"""A history in chDB with all tables, the same as a server shows it, and the embedded broker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.clickhouse import create_tables
from sinks.door import Door
from sinks.store import Store
from streams.run.broker import EmbeddedBroker


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    return f"chdb://{tmp_path / 'history'}"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with all tables and no rows; a copy of it costs half of making it."""
    folder = tmp_path_factory.mktemp("made") / "history"
    with Store(f"chdb://{folder}") as opened:
        create_tables(opened)
    return folder


@pytest.fixture
def store(made: Path, dsn: str) -> Iterator[Store]:
    shutil.copytree(made, dsn.removeprefix("chdb://"), symlinks=True)
    with Store(dsn) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Door]:
    """What the sink speaks HTTP with: the door of an embedded history, opened for writing."""
    with Door(str(tmp_path / "served"), writable=True) as opened:
        yield opened


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running
