"""Turns on a real Kafka: of two owners one publishes, and committed readers see it once."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.block import Block
from schemas.record_codec import encode
from streams.processors.shards import Shards
from streams.state.partition_log import OPENING, Image
from streams.transport.changelog_reader import ChangelogReader
from streams.transport.transaction import PartitionLostError, Record, TransactionJournal
from tests.kafka.broker import ApacheKafka
from tests.simulation.driver import block_of
from tests.streams.state.exchange import Bench, deposit
from tests.streams.state.exchange import Record as Values

pytestmark = pytest.mark.kafka


class Now:
    """A commit that is made at once."""

    def __init__(self, call: object) -> None:
        assert callable(call)
        self._failed: PartitionLostError | None = None
        try:
            call()
        except PartitionLostError as error:
            self._failed = error

    def result(self) -> None:
        if self._failed is not None:
            raise self._failed


@pytest.fixture
def changelog(kafka: ApacheKafka) -> Iterator[str]:
    """A topic of its own, of one partition."""
    name = f"book-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(timeout=30)
    yield name
    admin.delete_topics([name])[name].result(timeout=30)


def committed(kafka: ApacheKafka, topic: str) -> list[bytes]:
    """The keys that a reader of committed records meets."""
    consumer = Consumer({
        "bootstrap.servers": kafka.bootstrap, "group.id": "look", "enable.partition.eof": True,
        "isolation.level": "read_committed",
    })  # fmt: skip
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    keys = []
    while True:
        for message in consumer.consume(1_000, 0.5):
            error = message.error()
            if error is None:
                keys.append(message.key())
            elif error.code() == KafkaError._PARTITION_EOF:
                consumer.close()
                return keys


class Owner(Bench):
    """A worker's shards over the one partition of a changelog."""

    def __init__(self, kafka: ApacheKafka, changelog: str) -> None:
        super().__init__()
        self.cycle.drop_partition(0)
        self.shards = Shards(self.cycle, changelog, Now)
        journal = TransactionJournal(kafka.bootstrap, changelog)
        journal.open()
        reader, image = ChangelogReader(kafka.bootstrap, changelog), Image()
        reader.follow({0})
        for found in reader.read_to_end():
            for _, pairs in found:
                image.take(pairs)
        reader.close()
        self.shards.take_over(0, journal, image.records)


def collateral(first: int, *records: Values) -> list[Block]:
    run: list[tuple[bytes | None, bytes | None]] = [
        (one["account_id"].encode(), encode("collateral", one)) for one in records
    ]
    return [block_of("collateral", 0, run, first)]


@pytest.mark.parametrize("turns", [1, 2], ids=["its second producer", "its first producer"])
def test_what_a_replaced_owner_has_in_hand_is_never_seen(
    turns: int, kafka: ApacheKafka, changelog: str
) -> None:
    """As a worker that was paused in the middle of a turn and wakes up."""
    old = TransactionJournal(kafka.bootstrap, changelog)
    old.open()
    for _ in range(turns):
        old.commit([Record(changelog, b"before", b"1")])
    new = TransactionJournal(kafka.bootstrap, changelog)
    new.open()
    with pytest.raises(PartitionLostError):
        old.commit([Record(changelog, b"zombie", b"1")])
    new.commit([Record(changelog, b"after", b"1")])
    assert committed(kafka, changelog) == [b"before"] * turns + [b"after"]
    old.close()
    new.close()


def test_an_owner_paused_between_commit_and_acknowledgement(
    kafka: ApacheKafka, changelog: str
) -> None:
    """Its turn counts, once; what it does when it wakes up is lost."""
    first = collateral(0, deposit(1), deposit(2, "bob"))
    old = Owner(kafka, changelog)
    old.shards.turn(first, [], decide=True)  # committed, and not acknowledged
    new = Owner(kafka, changelog)
    assert new.balances() == old.balances() != {}
    assert old.shards.settle() == first
    new.shards.turn(first + collateral(2, deposit(3)), [], decide=True)
    assert new.cycle.skipped["collateral"] == 2
    old.shards.turn(collateral(2, deposit(3)), [], decide=True)
    assert old.shards.settle() == []
    assert old.shards.lost == {0}
    third = Owner(kafka, changelog)
    assert third.balances() == new.balances()
    keys = committed(kafka, changelog)
    assert keys.count(OPENING[0]) == 3
    assert keys.count(b"\0partition") == 2


def test_a_broker_that_dies_in_a_turn_costs_nothing(kafka: ApacheKafka, changelog: str) -> None:
    owner = Owner(kafka, changelog)
    for number in range(6):
        if number == 3:
            kafka.kill()
            kafka.start()
        owner.shards.turn(collateral(number, deposit(number)), [], decide=True)
        owner.shards.settle()
    after = Owner(kafka, changelog)
    assert after.balances() == owner.balances()
    assert after.cycle.ends(0)["collateral"] == 6
