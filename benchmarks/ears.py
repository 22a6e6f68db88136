"""Hears the liquidations from outside, keeps their first orders, and has every order filled."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from schemas.record_codec import decode

TOPIC = "liquidations"
ORDERS = ("CANCEL_ORDERS", "REDUCE")


@dataclass(frozen=True, slots=True)
class First:
    """A first order of a liquidation: whose, which, the tick that caused it, when it was here."""

    account_id: str
    action: str
    source: str
    received_s: float


class Ears:
    """A consumer of `topics` from their beginning; `firsts` has what it heard.

    The first orders of an episode are CANCEL_ORDERS and the first REDUCE; a later REDUCE waits
    for an answer and a deadline, not only for a price. Every REDUCE is handed to `answer`.
    Of margin calls the `level` is the action.
    """

    def __init__(
        self,
        bootstrap: str,
        answer: Callable[[dict[str, Any]], None],
        *,
        topics: Sequence[str] = (TOPIC,),
        actions: Sequence[str] = ORDERS,
        read: Callable[[bytes], dict[str, Any]] = lambda value: decode(value)[1],
    ) -> None:
        self._answer = answer
        self._read = read
        self._actions = actions
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
        listed = self._consumer.list_topics(timeout=10).topics
        self._consumer.assign([
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for topic in topics
            for number in listed[topic].partitions
        ])  # fmt: skip
        self.firsts: dict[tuple[str, int, str], First] = {}
        """By account, episode and action."""

    def listen(self, timeout_s: float) -> None:
        """Take one record, or none after the time."""
        message = self._consumer.poll(timeout_s)
        received_s = time.time()
        if message is None:
            return
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        record = self._read(message.value())
        account, action = record["account_id"], record.get("action") or record["level"]
        place = (account, record["episode"], action)
        if action in self._actions and place not in self.firsts:
            source = dict(message.headers() or ())["plimsoll-source"].decode()
            self.firsts[place] = First(account, action, source, received_s)
        if action == "REDUCE":
            self._answer(record)

    def accounts(self, action: str) -> set[str]:
        """Who was given such an order."""
        return {account for account, _, what in self.firsts if what == action}

    def close(self) -> None:
        self._consumer.close()
