"""What a cycle publishes: records for topics, their keys, their ids, and what caused them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from schemas.block import Columns, Int64s
from schemas.block_columns import records_of


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


@dataclass(frozen=True, slots=True)
class Table:
    """Many records of a topic to publish, their values as columns; the rest as of `Output`, [n]."""

    topic: str
    keys: Sequence[str]
    columns: Columns
    output_ids: Sequence[str]
    sources: Sequence[str]
    partitions: Int64s

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Output]:
        """One by one."""
        rows = (self.keys, records_of(self.columns), self.output_ids, self.sources)
        for key, values, output_id, source, partition in zip(
            *rows, self.partitions.tolist(), strict=True
        ):
            yield Output(self.topic, key, values, output_id, source, partition)

    def without(self, partition: int) -> "Table":
        """Those that do not follow from the state of this partition."""
        places = np.flatnonzero(self.partitions != partition)
        keys, output_ids, sources = (
            [column[place] for place in places.tolist()]
            for column in (self.keys, self.output_ids, self.sources)
        )
        columns, partitions = self.columns.chosen(places), self.partitions[places]
        return Table(self.topic, keys, columns, output_ids, sources, partitions)


class Outputs:
    """What is to be published, in its order; each by itself where it is iterated."""

    def __init__(self, parts: Sequence[Output | Table]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[Output]:
        for part in self.parts:
            if isinstance(part, Table):
                yield from part
            else:
                yield part

    def partitions(self) -> set[int]:
        """Those from whose state something follows."""
        found = {part.partition for part in self.parts if isinstance(part, Output)}
        tables = (part.partitions.tolist() for part in self.parts if isinstance(part, Table))
        return found.union(*tables)

    def without(self, partition: int) -> list[Output | Table]:
        """Those that do not follow from the state of this partition."""
        kept: list[Output | Table] = []
        for part in self.parts:
            if isinstance(part, Table):
                kept.append(part.without(partition))
            elif part.partition != partition:
                kept.append(part)
        return kept
