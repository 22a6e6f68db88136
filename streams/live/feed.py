"""What a view hears: topics only, never a worker's memory."""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from schemas.record_codec import decode

HEARD = ("prices", "margin-state", "margin-calls", "liquidations", "insurance-fund", "dead-letters")
PRICES_KEPT = 200_000
LATEST = 12


@dataclass(slots=True)
class Picture:
    """The pipeline as its topics tell it."""

    calls: Counter[str] = field(default_factory=Counter)
    liquidations: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """account -> its last margin-state record."""
    latest: deque[tuple[str, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=LATEST))
    """The last calls and liquidations, (topic, record), newest last."""
    fund_e8: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[int] = field(default_factory=list)
    """From a price on its topic to the liquidation that it caused on its topic."""
    clock_us: int = 0
    ids: Counter[str] = field(default_factory=Counter)
    """Ids of calls and liquidations, how often each was seen."""


class Feed:
    """Reads the topics that a view needs into a `Picture`."""

    def __init__(self, bootstrap: str, security: Mapping[str, str] | None = None) -> None:
        self.picture = Picture()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "plimsoll-live",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
                **(security or {}),
            }
        )
        listed = self._consumer.list_topics(timeout=10).topics
        self._consumer.assign(
            [
                KafkaPartition(topic, number, OFFSET_BEGINNING)
                for topic in HEARD
                for number in listed[topic].partitions
            ]
        )
        self._price_ms: OrderedDict[str, int] = OrderedDict()
        self._unmatched: deque[tuple[str, int]] = deque(maxlen=PRICES_KEPT)

    def poll(self, timeout_s: float) -> int:
        """Take what has arrived; returns how many records."""
        messages = self._consumer.consume(5_000, timeout_s)
        for message in messages:
            error = message.error()
            if error is None:
                self._take(message)
            elif not (error.retriable() or error.code() == KafkaError._PARTITION_EOF):
                raise KafkaException(error)
        self._match()
        return len(messages)

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Message) -> None:
        topic, value = message.topic(), message.value()
        if topic == "prices":
            place = f"{topic}-{message.partition()}-{message.offset()}"
            self._price_ms[place] = message.timestamp()[1]
            if len(self._price_ms) > PRICES_KEPT:
                self._price_ms.popitem(last=False)
            return
        if value is None:
            return
        record, picture = decode(value)[1], self.picture
        picture.clock_us = max(picture.clock_us, record["event_time"])
        if topic == "margin-state":
            picture.accounts[record["account_id"]] = record
        elif topic == "insurance-fund":
            picture.fund_e8[record["asset"]] = record["balance_e8"]
        elif topic == "dead-letters":
            picture.dead_letters[record["reason"]] += 1
        elif topic == "margin-calls":
            picture.calls[record["level"]] += 1
            picture.ids[record["call_id"]] += 1
            picture.latest.append((topic, record))
        else:
            picture.liquidations[record["action"]] += 1
            picture.ids[record["liquidation_id"]] += 1
            picture.latest.append((topic, record))
            source = dict(message.headers() or ()).get("plimsoll-source", b"")
            self._unmatched.append((_text(source), message.timestamp()[1]))

    def _match(self) -> None:
        """Liquidations whose price was read: the price's topic may lag behind in this reader."""
        for _ in range(len(self._unmatched)):
            source, at_ms = self._unmatched.popleft()
            if source in self._price_ms:
                self.picture.latencies_ms.append(max(at_ms - self._price_ms[source], 0))
            elif source.startswith("prices-"):
                self._unmatched.append((source, at_ms))


def _text(header: str | bytes | None) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else header or ""
