"""The log as it is read from a broker: all of it, in order, with keys, times and headers."""

import pytest

from schemas.topics import TOPICS
from streams.audit.reading import UnreadableTopicsError, read_log
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from streams.state.ledger import partition_of
from streams.transport.publisher import Publisher

pytestmark = pytest.mark.embedded
PARTITIONS = 3


def test_all_of_the_topics_is_read() -> None:
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, PARTITIONS)
        publisher = Publisher(broker.bootstrap)
        for number in range(5_000):
            headers = [("plimsoll-id", b"%d" % number)] if number % 2 else []
            publisher.publish("fills", f"acc-{number % 50}", b"%d" % number, headers)
        publisher.publish("prices", None, b"price", [])
        publisher.flush()
        log = read_log(broker.bootstrap)
        assert {topic for topic, _ in log} == {topic.name for topic in TOPICS}
        assert [len(log["prices", 0]), log["prices", 0][0].key] == [1, None]
        read = []
        for number in range(PARTITIONS):
            entries = log["fills", number]
            assert [entry.offset for entry in entries] == list(range(len(entries)))
            values = [int(entry.value or b"") for entry in entries]
            assert values == sorted(values)
            for value, entry in zip(values, entries, strict=True):
                assert entry.key == f"acc-{value % 50}".encode()
                assert partition_of(f"acc-{value % 50}", PARTITIONS) == number
                assert entry.timestamp_ms > 0
                assert dict(entry.headers) == ({"plimsoll-id": b"%d" % value} if value % 2 else {})
            read.extend(values)
        assert sorted(read) == list(range(5_000))
        assert list(read_log(broker.bootstrap, ["accounts"])) == [("accounts", 0)]
        with pytest.raises(UnreadableTopicsError, match="topics are missing: no-such"):
            read_log(broker.bootstrap, ["fills", "no-such"])
