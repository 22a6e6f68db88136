"""Where the topics begin and end: how many records there are, and how far a reader is behind."""

import time

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.topics import TOPICS
from streams.base.patience import patiently

EXACT_TIMEOUT_S = 10.0


class Offsets:
    """Asks the broker for the ends of all partitions of the catalogue in one request."""

    def __init__(self, bootstrap: str, security: dict[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, **(security or {})})
        listed = self._admin.list_topics(timeout=10).topics
        self._places = [
            TopicPartition(topic.name, number)
            for topic in TOPICS
            for number in listed[topic.name].partitions
        ]
        self._starts = self._ask(OffsetSpec.earliest())

    def ends(self) -> dict[str, int]:
        """The end of each partition, by "topic-partition"."""
        return self._ask(OffsetSpec.latest())

    def exact_ends(self) -> dict[str, int]:
        """The ends as a reader meets them: the embedded broker reports its own too early."""
        reported = self.ends()
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "plimsoll-offsets",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        consumer.assign(
            [
                TopicPartition(place.topic, place.partition, max(end - 1, start))
                for place, end, start in zip(
                    self._places, reported.values(), self._starts.values(), strict=True
                )
            ]
        )
        met: dict[str, int] = {}
        deadline = time.monotonic() + EXACT_TIMEOUT_S
        while len(met) < len(self._places):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._places) - len(met)} partitions did not end")
            for message in consumer.consume(1_000, 0.02):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    met[f"{message.topic()}-{message.partition()}"] = message.offset()
        consumer.close()
        return met

    def records(self, ends: dict[str, int]) -> dict[str, int]:
        """Records a topic since its beginning (transaction markers count as records here)."""
        counts = {topic.name: 0 for topic in TOPICS}
        for place, end in ends.items():
            counts[place.rsplit("-", 1)[0]] += end - self._starts[place]
        return counts

    def _ask(self, spec: OffsetSpec) -> dict[str, int]:
        def ask() -> dict[str, int]:
            futures = self._admin.list_offsets(dict.fromkeys(self._places, spec))
            return {
                f"{place.topic}-{place.partition}": max(future.result(timeout=10).offset, 0)
                for place, future in futures.items()
            }

        return patiently(ask)
