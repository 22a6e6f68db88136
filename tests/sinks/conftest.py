"""A history in chDB with all tables, the same as a server shows it, and the embedded broker."""

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


@pytest.fixture
def store(dsn: str) -> Iterator[Store]:
    with Store(dsn) as opened:
        create_tables(opened)
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
