"""Publishes a cycle's outputs and returns only when the broker has every one of them."""

from collections import Counter
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

FLUSH_TIMEOUT_S = 30.0
BY_KEY = -1
"""The partition of a record whose key chooses it."""
Headers = list[tuple[str, bytes]]


class PublishFailedError(RuntimeError):
    """An output could not be delivered: the blocks that caused it stay unacknowledged."""


def producer_settings(
    bootstrap: str, security: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Settings of every producer of ours: idempotent, and partitioned as Java and Faust do."""
    return {
        "bootstrap.servers": bootstrap,
        "partitioner": "murmur2_random",  # librdkafka's own default sends accounts elsewhere
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        "compression.type": "lz4",
        "message.max.bytes": 8_000_000,
        **(security or {}),
    }


class Publisher:
    """One producer. `publish` queues, `flush` waits for the acknowledgements of all."""

    def __init__(self, bootstrap: str, security: dict[str, str] | None = None) -> None:
        self._producer = Producer(producer_settings(bootstrap, security))
        self._failed: KafkaError | None = None
        self.published: Counter[str] = Counter()

    def publish(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes,
        headers: Headers | None = None,
        partition: int = BY_KEY,
    ) -> None:
        """Queue a record."""
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, headers=headers, on_delivery=self._delivered
                )
            except BufferError:
                self._producer.poll(0.1)  # the queue is full: let deliveries drain it
            except KafkaException as error:
                raise PublishFailedError(f"{topic}: {error}") from error
            else:
                self.published[topic] += 1
                return

    def flush(self) -> None:
        """Wait until all is acknowledged; PublishFailedError where something is not."""
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        if self._failed is not None:
            raise PublishFailedError(f"the broker refused an output: {self._failed}")
        if left:
            raise PublishFailedError(f"{left} outputs unacknowledged after {FLUSH_TIMEOUT_S} s")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed = error
