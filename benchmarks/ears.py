"""Hears the liquidations from outside and keeps the first orders of each account."""

import time
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.record_codec import decode

TOPIC = "liquidations"


@dataclass(frozen=True, slots=True)
class First:
    """A first order of a liquidation: whose, which, the tick that caused it, when it was here."""

    account_id: str
    action: str
    source: str
    received_s: float


class Ears:
    """A consumer of `liquidations` from their beginning; `firsts` has what it heard.

    The first orders of a bucket are CANCEL_ORDERS and the first REDUCE after it; the later ones
    of the same liquidation fall with the clock, not with a price.
    """

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "probe",
                "log_level": 0,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "fetch.error.backoff.ms": 10,
            }
        )
        partitions = self._consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        self._consumer.assign([TopicPartition(TOPIC, n, OFFSET_BEGINNING) for n in partitions])
        self.firsts: dict[tuple[str, str], First] = {}
        """By account and action."""

    def listen(self, timeout_s: float) -> bool:
        """Take one record, or none after the time; whether there was one."""
        message = self._consumer.poll(timeout_s)
        received_s = time.time()
        if message is None:
            return False
        error, value = message.error(), message.value()
        if error is not None:
            raise KafkaException(error)
        record = decode(value)[1]
        place = (record["account_id"], record["action"])
        if record["action"] in ("CANCEL_ORDERS", "REDUCE") and place not in self.firsts:
            source = dict(message.headers() or ())["plimsoll-source"].decode()
            self.firsts[place] = First(*place, source, received_s)
        return True

    def close(self) -> None:
        self._consumer.close()
