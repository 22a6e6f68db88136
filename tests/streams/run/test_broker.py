"""The embedded broker answers, and ends with whoever started it, however that ends."""

import socket
import subprocess
import sys
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import TOPICS
from streams.run.broker import EmbeddedBroker
from streams.run.topics import TopicsDifferError, check_topics, ensure_topics

pytestmark = pytest.mark.embedded
STARTED = """
import time
from streams.run.broker import EmbeddedBroker
print(EmbeddedBroker().start().bootstrap, flush=True)
time.sleep(100)
"""


def listening(bootstrap: str) -> bool:
    host, port = bootstrap.split(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


def gone_within(bootstrap: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while listening(bootstrap):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_it_answers_until_it_is_stopped() -> None:
    with EmbeddedBroker() as broker:
        assert listening(broker.bootstrap)
        broker.stop()
        assert gone_within(broker.bootstrap, 10)
        broker.stop()


def test_it_ends_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTED], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    bootstrap = parent.stdout.readline().strip()
    assert listening(bootstrap)
    parent.kill()
    parent.communicate()
    assert gone_within(bootstrap, 10)


def test_topics_are_created_once_and_differences_refused() -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(TopicsDifferError, match="topics are missing: instruments"):
            check_topics(broker.bootstrap, 4)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic("fills", 3, 1)])["fills"].result(10)
        with pytest.raises(TopicsDifferError, match=r"4 partitions each, but have .'fills': 3."):
            ensure_topics(broker.bootstrap, 4)
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, 4)
        ensure_topics(broker.bootstrap, 4)
        check_topics(broker.bootstrap, 4)
        listed = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5).topics
        assert {topic.name for topic in TOPICS} <= set(listed)
