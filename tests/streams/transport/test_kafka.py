"""Publishing, broadcast reading and block delivery on a real broker."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.block import Block
from streams.processors.intake import Inbox, hold_blocks
from streams.state.ledger import partition_of
from streams.transport.broadcast import BroadcastReader
from streams.transport.driver import block_app, block_consumer, use_blocks
from streams.transport.publisher import Publisher, PublishFailedError
from tests.streams.transport.conftest import PARTITIONS

pytestmark = pytest.mark.embedded
COUNT = 20_000


def publish(bootstrap: str, topic: str, count: int, first: int = 0) -> None:
    publisher = Publisher(bootstrap)
    for number in range(first, first + count):
        publisher.publish(topic, f"acc-{number % 997}", b"%d" % number, [])
    publisher.flush()
    assert publisher.published[topic] == count


def test_accounts_land_where_java_would_put_them(bootstrap: str) -> None:
    """Kafka's own test vectors for murmur2, and the place where our producer puts a key."""
    publisher = Publisher(bootstrap)
    names = [f"account-{number}" for number in range(200)]
    for name in names:
        publisher.publish("auction-bids", name, name.encode(), [])
    publisher.flush()
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "look"})
    consumer.assign([TopicPartition("auction-bids", number, 0) for number in range(PARTITIONS)])
    found = {}
    while len(found) < len(names):
        for message in consumer.consume(200, 0.1):
            assert message.error() is None
            found[message.value().decode()] = message.partition()
    consumer.close()
    assert found == {name: partition_of(name, PARTITIONS) for name in names}
    assert [partition_of(name, 2**31) for name in ("21", "foobar", "a-little-bit-long-string")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]


def test_an_output_that_the_broker_refuses_is_an_error(bootstrap: str) -> None:
    publisher = Publisher(bootstrap, {"message.timeout.ms": "1500", "log_level": "0"})
    with pytest.raises(PublishFailedError, match="fills"):
        publisher.publish("fills", "key", b"x" * 20_000_000, [])


def test_broadcast_reads_to_the_end_and_goes_on(bootstrap: str) -> None:
    publish(bootstrap, "prices", 1_000)
    reader = BroadcastReader(bootstrap, ["prices", "instruments"])

    def values(blocks: list[Block]) -> list[bytes | None]:
        assert {block.topic for block in blocks} <= {"prices"}
        return [value for block in blocks for value in block.values]

    assert values(reader.read_to_end()) == [b"%d" % number for number in range(1_000)]
    assert values(reader.read_to_end()) == []
    publish(bootstrap, "prices", 300, first=1_000)
    assert values(reader.read_to_end()) == [b"%d" % number for number in range(1_000, 1_300)]
    publish(bootstrap, "prices", 5, first=1_300)
    late: list[bytes | None] = []
    while len(late) < 5:
        late += values(reader.poll(0.1))
    reader.close()
    assert late == [b"%d" % number for number in range(1_300, 1_305)]


async def consume(
    bootstrap: str, count: int, read_from: dict[tuple[str, int], int]
) -> dict[int, list[Block]]:
    """Blocks of `fills` by partition until `count` records came; all are acknowledged."""
    app = block_app(
        "blocks", bootstrap, instance="test", session_timeout_s=4, fetch_records=5_000,
        web_port=16_166,
    )  # fmt: skip
    use_blocks(app, lambda topic, number: read_from.get((topic, number)))
    inbox = Inbox()
    hold_blocks(app, ["fills"], inbox)
    await app.start()
    blocks: dict[int, list[Block]] = defaultdict(list)
    while sum(len(block) for run in blocks.values() for block in run) < count:
        await asyncio.sleep(0.02)
        for block in inbox.take():
            blocks[block.partition].append(block)
            block_consumer(app).block_done(block)
    await asyncio.sleep(1.6)  # longer than Faust's commit interval
    await app.stop()
    return blocks


def committed(bootstrap: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "blocks"})
    places = [TopicPartition("fills", number) for number in range(PARTITIONS)]
    found = {one.partition: one.offset for one in consumer.committed(places, timeout=10)}
    consumer.close()
    return found


def test_faust_delivers_every_record_once_in_order_and_commits_blocks(bootstrap: str) -> None:
    publish(bootstrap, "fills", COUNT)
    blocks = asyncio.run(asyncio.wait_for(consume(bootstrap, COUNT, {}), 60))
    ends: dict[Any, int] = {}
    for number, run in blocks.items():
        offsets = [offset for block in run for offset in block.offsets.tolist()]
        assert offsets == list(range(len(offsets))), "each record once, in order"
        ends[number] = len(offsets)
    values = [value for run in blocks.values() for block in run for value in block.values]
    assert sorted(map(int, filter(None, values))) == list(range(COUNT))
    assert committed(bootstrap) == ends
    # a worker whose state ends elsewhere reads from there, whatever the group has committed
    state = {("fills", number): end - 10 for number, end in ends.items()}
    again = asyncio.run(asyncio.wait_for(consume(bootstrap, 10 * PARTITIONS, state), 60))
    assert {number: run[0].offsets[0] for number, run in again.items()} == {
        number: end - 10 for number, end in ends.items()
    }
