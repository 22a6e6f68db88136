"""Offsets are asked for again while a partition's leader is being made known."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from streams.base.topic_offsets import topic_offsets


class Settling:
    """A broker's answers: some refusals, then each partition's number as its offset."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.clients = refusals, list[AdminClient]()

    def list_offsets(
        self, client: AdminClient, asked: dict[TopicPartition, OffsetSpec], **_: Any
    ) -> dict[TopicPartition, Future[ListOffsetsResultInfo]]:
        self.clients.append(client)
        told = {place: Future[ListOffsetsResultInfo]() for place in asked}
        for place, future in told.items():
            if len(self.clients) <= self.refusals:
                future.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_LEADER_EPOCH)))
            else:
                future.set_result(ListOffsetsResultInfo(place.partition, -1, -1))
        return told


def test_offsets_are_asked_for_anew_while_a_new_leader_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time by a client of its own, which does not keep what an older one believed."""
    broker = Settling(refusals=2)
    monkeypatch.setattr(AdminClient, "list_offsets", lambda *of, **how: broker.list_offsets(*of))
    monkeypatch.setattr(AdminClient, "list_topics", lambda *of, **how: None)
    monkeypatch.setattr("streams.base.patience.RETRY_S", 0.0)
    (starts,) = topic_offsets({}, [("fills", 3), ("collateral", 0)], OffsetSpec.earliest())
    assert starts == {("fills", 3): 3, ("collateral", 0): 0}
    assert len({id(client) for client in broker.clients}) == 3
