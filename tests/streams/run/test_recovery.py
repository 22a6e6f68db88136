"""What the inputs of a state still hold: an answer that is not whole lets nobody begin anew."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, TopicPartition

from streams.run import recovery
from streams.run.recovery import Inputs
from streams.state.changelog import ChangelogError


class Settling:
    """A consumer whose coordinator does not know the offsets of its group at first."""

    refusals = 2

    def __init__(self, settings: dict[str, Any]) -> None:
        self.asked = 0

    def list_topics(self, timeout: float) -> None:
        """The brokers are known."""

    def committed(self, places: list[TopicPartition], timeout: float) -> list[Any]:
        self.asked += 1
        if self.asked <= self.refusals:
            error = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)
            return [told(place, OFFSET_INVALID, error) for place in places]
        return [told(place, 7, None) for place in places]

    def close(self) -> None:
        """Nothing is open."""


def told(place: TopicPartition, offset: int, error: KafkaError | None) -> Any:
    return SimpleNamespace(topic=place.topic, partition=place.partition, offset=offset, error=error)


def test_offsets_that_could_not_be_told_do_not_count_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty changelog would pass for that of a deployment that never applied anything."""
    monkeypatch.setattr(recovery, "Consumer", Settling)
    monkeypatch.setattr("streams.base.patience.RETRY_S", 0.0)
    with pytest.raises(ChangelogError, match="has applied records there"):
        Inputs("127.0.0.1:1", "app", rebuild=False).require_known([0])
