"""A contender: reads a changelog plainly, then brings the book back from it as a worker does."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.contender import resident, settings_of_this_process
from benchmarks.full_book import PARTITIONS, fingerprint, journals, listed_cycle
from streams.processors.shards import Shards
from streams.run.recovery import Inputs, Recovery
from streams.run.topics import changelog_topic
from streams.transport.changelog_reader import ChangelogReader

READ_AT_ONCE = 10_000


def main() -> None:
    """Cold: read plainly, then recover. Warm: read plainly, follow to the end, then recover."""
    given = settings_of_this_process()
    bootstrap, app = given["bootstrap"], given["app"]
    topic = changelog_topic(app)
    plain_s, records, size = _read_plainly(bootstrap, topic)
    cycle = listed_cycle(bootstrap, app)
    with ThreadPoolExecutor(1) as commits:
        recovery = Recovery(
            Shards(cycle, topic, commits.submit),
            journals(bootstrap, app),
            ChangelogReader(bootstrap, topic),
            Inputs(bootstrap, app, rebuild=False),
        )
        if given["warm"]:
            recovery.follow(range(PARTITIONS))
            while recovery.records < records:
                recovery.poll()
        began = time.monotonic()
        recovery.take_over(range(PARTITIONS))
        recovery_s = time.monotonic() - began
        recovery.close()
    result = {
        "records": records,
        "bytes": size,
        "plain_s": plain_s,
        "recovery_s": recovery_s,
        "peak_bytes": resident(os.getpid())[0],
        "fingerprint": fingerprint(cycle.ledger.book),
    }
    print(json.dumps(result), flush=True)


def _read_plainly(bootstrap: str, topic: str) -> tuple[float, int, int]:
    """Seconds, records and bytes of reading a topic to its end and doing nothing with it."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "plain",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    began, at_end, records, size = time.monotonic(), 0, 0, 0
    consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in range(PARTITIONS)])
    while at_end < PARTITIONS:
        for message in consumer.consume(READ_AT_ONCE, 0.1):
            error = message.error()
            if error is None:
                records += 1
                size += len(message.key()) + len(message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end += 1
            else:
                raise KafkaException(error)
    taken_s = time.monotonic() - began
    consumer.close()
    return taken_s, records, size


if __name__ == "__main__":
    main()
