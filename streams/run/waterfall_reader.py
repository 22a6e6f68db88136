"""Reads the topics of the waterfall, from their beginnings to their ends."""

import time
from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from schemas.record_codec import decode
from schemas.registry import record_schema
from streams.run.waterfall import TOPICS, Waterfall

FETCH_RECORDS = 10_000
QUIET_TIMEOUT_S = 30.0
NULL = b"\0"
assert record_schema("fill").fields[-1].name == "liquidation_id", "see _is_ordinary"


def read_waterfall(bootstrap: str, security: Mapping[str, str] | None = None) -> Waterfall:
    """The waterfall of everything on the topics up to their ends.

    TimeoutError where nothing comes for 30 s, KafkaException where the broker fails.
    """
    waterfall = Waterfall()
    for topics in (TOPICS[:1], TOPICS[1:]):
        _read(waterfall, topics, bootstrap, security or {})
    return waterfall


def _read(
    waterfall: Waterfall, topics: tuple[str, ...], bootstrap: str, security: Mapping[str, str]
) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "plimsoll-waterfall",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
            **security,
        }
    )
    listed = consumer.list_topics(timeout=10).topics
    behind = {(topic, number) for topic in topics for number in listed[topic].partitions}
    consumer.assign([KafkaPartition(*place, OFFSET_BEGINNING) for place in behind])
    heard_s = time.monotonic()
    try:
        while behind:
            messages = consumer.consume(FETCH_RECORDS, 0.2)
            heard_s = time.monotonic() if messages else heard_s
            if time.monotonic() - heard_s > QUIET_TIMEOUT_S:
                raise TimeoutError(f"nothing came for 30 s, still behind: {sorted(behind)}")
            for message in messages:
                topic, value, error = message.topic(), message.value(), message.error()
                if error is None and value is not None and not _is_ordinary(topic, value):
                    waterfall.take(topic or "", decode(value)[1])
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    behind.discard((topic or "", message.partition() or 0))
                elif error is not None and not error.retriable():
                    raise KafkaException(error)
    finally:
        consumer.close()


def _is_ordinary(topic: str | None, value: bytes) -> bool:
    """A fill of no liquidation, told by its last byte, undecoded: they are nearly all fills."""
    return topic == "fills" and value.endswith(NULL)
