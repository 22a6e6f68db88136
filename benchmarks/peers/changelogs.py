"""A contender's changelog, read back from the broker: what would be there after a crash."""

import json
import time
from collections.abc import Callable, Iterator

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from benchmarks.peers.job import PACKED

AT_ONCE = 10_000
WAIT_S = 0.1
SILENCE_S = 30.0

Entry = tuple[str, list[int]]
Parse = Callable[[bytes, bytes], Entry]
"""Place ("account instrument") and what is held there, of a record's key and value."""


def folded(bootstrap: str, topic: str, parse: Parse) -> dict[str, list[int]]:
    """The last committed value of each key of a topic, by place."""
    last = {message.key(): message.value() for message in committed(bootstrap, topic)}
    return dict(parse(key, value) for key, value in last.items())


def committed(bootstrap: str, topic: str) -> Iterator[Message]:
    """The committed records of a topic, each partition to its end in its order.

    RuntimeError where the broker does not bring a partition to its end.
    """
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": f"folding-{topic}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "log_level": 0,
    })  # fmt: skip
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    ended: set[int] = set()
    heard_s = time.monotonic()
    try:
        while len(ended) < len(partitions):
            messages = consumer.consume(AT_ONCE, WAIT_S)
            if messages:
                heard_s = time.monotonic()
            elif time.monotonic() > heard_s + SILENCE_S:
                raise RuntimeError(f"{topic}: nothing for {SILENCE_S:.0f} s before its end")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def packed(key: bytes, value: bytes) -> Entry:
    """As the loop, Bytewax and Kafka Streams write it."""
    return key.decode(), list(PACKED.unpack(value))


def of_quix(key: bytes, value: bytes) -> Entry:
    """The record's key, a bar, the name within its state as JSON."""
    account, instrument = key.decode().split("|", 1)
    return f"{account} {json.loads(instrument)}", json.loads(value)


def of_faust(key: bytes, value: bytes) -> Entry:
    return json.loads(key), json.loads(value)
