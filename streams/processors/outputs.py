"""What a cycle publishes: a record for a topic, its key, its id, and the input that caused it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Output(NamedTuple):
    """One record to publish; `source` is topic-partition-offset of the input that caused it.

    `partition` is that of the state it follows from: both become durable together.
    """

    topic: str
    key: str | bytes | None
    values: Mapping[str, Any]
    output_id: str = ""
    source: str = ""
    partition: int = 0
