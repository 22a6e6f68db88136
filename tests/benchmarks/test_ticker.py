"""The ticks of the benchmarks: the records that they stand for, and when each was sent."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from benchmarks.ticker import Blank, Ticker
from benchmarks.workload import OPENED_US, listed, mark
from schemas.record_codec import decode, encode
from streams.market.events import PRICES
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics


@pytest.mark.parametrize("depth_usd", [0, 1_000_000])
@pytest.mark.parametrize(("sequence", "drop"), [(0, 0.0), (64, 0.0213), (70_000, -0.5)])
def test_a_blank_is_filled_with_the_record_of_a_mark(
    depth_usd: int, sequence: int, drop: float
) -> None:
    for listing in listed():
        event = mark(listing, sequence, OPENED_US, drop, depth_usd=depth_usd)
        blank = Blank(listing, depth_usd)
        assert blank.key == event.key
        assert blank.filled(sequence, OPENED_US, drop) == encode("mark", event.record)


@pytest.mark.embedded
def test_the_sequences_of_an_instrument_ascend_and_every_tick_has_a_time() -> None:
    names = [one.instrument_id for one in listed()]
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, 2)
        ticker = Ticker(broker.bootstrap)
        ticker.run(0.03, 1_000.0, lambda second: second)
        ticker.all_at(0.5)
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test"})
        consumer.assign([TopicPartition(PRICES, 0, OFFSET_BEGINNING)])
        messages = consumer.consume(30 + 2 * len(names), 30.0)
        consumer.close()
    ticks = [decode(message.value(), "mark")[1] for message in messages]
    assert [one["instrument_id"] for one in ticks] == [*names, *(names * 3)[:30], *names]
    for name in names:
        sequences = [one["sequence"] for one in ticks if one["instrument_id"] == name]
        assert sequences == sorted(set(sequences))
    sent_s = [ticker.sent_s(f"prices-0-{message.offset()}") for message in messages]
    assert sent_s == sorted(sent_s)
    assert [int(one * 1_000) for one in sent_s] == [one.timestamp()[1] for one in messages]
