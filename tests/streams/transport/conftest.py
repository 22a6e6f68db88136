"""One embedded broker with the pipeline's topics for the tests of this room."""

from collections.abc import Iterator

import pytest

from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics

PARTITIONS = 4


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, PARTITIONS)
        yield broker.bootstrap
