"""Hears the liquidations from outside, keeps their first orders, and has every order filled."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from queue import Empty, SimpleQueue
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from fastavro import schemaless_reader

from schemas.registry import record_schema
from schemas.topics import BY_NAME
from schemas.wire import HEADER_BYTES

TOPIC = "liquidations"
ORDERS = ("CANCEL_ORDERS", "REDUCE")
MOST = 1_000
"""Records that are taken together."""
POLL_S = 0.05

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class First:
    """A first order of a liquidation: whose, which, the tick that caused it, when it was here."""

    account_id: str
    action: str
    source: str
    received_s: float


class Ears:
    """A consumer of `topics` from their beginning; `firsts` has what it heard.

    A thread receives and looks at the clock; `listen` decodes, and answers, when it is called.
    The first orders of an episode are CANCEL_ORDERS and the first REDUCE; a later REDUCE waits
    for an answer and a deadline, not only for a price. What is there of REDUCE is handed to
    `answer`.
    Of margin calls the `level` is the action.
    """

    def __init__(
        self,
        bootstrap: str,
        answer: Callable[[list[Record]], None],
        *,
        topics: Sequence[str] = (TOPIC,),
        actions: Sequence[str] = ORDERS,
        read: Callable[[str, list[bytes]], list[Record]] | None = None,
    ) -> None:
        """`read` gives the records of a topic's values, which are Avro where it is not given."""
        self._answer = answer
        self._read = read or _records
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
        self._received: SimpleQueue[tuple[float, list[Message]]] = SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="ears", daemon=True)
        self._thread.start()

    def listen(self, timeout_s: float) -> None:
        """Take what came together, or nothing after the time."""
        try:
            received_s, messages = self._received.get(timeout=timeout_s)
        except Empty:
            return
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            by_topic.setdefault(message.topic(), []).append(message)
        for topic, some in by_topic.items():
            records = self._read(topic, [message.value() for message in some])
            for message, record in zip(some, records, strict=True):
                self._hear(message, record, received_s)
            self._answer([one for one in records if one.get("action") == "REDUCE"])

    def _hear(self, message: Message, record: Record, received_s: float) -> None:
        account, action = record["account_id"], record.get("action") or record["level"]
        place = (account, record["episode"], action)
        if action in self._actions and place not in self.firsts:
            source = dict(message.headers() or ())["plimsoll-source"].decode()
            self.firsts[place] = First(account, action, source, received_s)

    def accounts(self, action: str) -> set[str]:
        """Who was given such an order."""
        return {account for account, _, what in self.firsts if what == action}

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._consumer.close()

    def _receive(self) -> None:
        while not self._ending.is_set():
            first = self._consumer.poll(POLL_S)
            if first is not None:
                messages = [first, *self._consumer.consume(MOST, 0)]
                self._received.put((time.time(), messages))


def _records(topic: str, values: list[bytes]) -> list[Record]:
    schema = _without_marks(BY_NAME[topic].record)
    return [schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema, None) for value in values]


@cache
def _without_marks(record: str) -> dict[str, Any]:
    """The schema up to the marks, the last field of both records: an order needs none of them."""
    parsed = record_schema(record).parsed
    assert parsed["fields"][-1]["name"] == "marks"
    return {**parsed, "fields": parsed["fields"][:-1]}
