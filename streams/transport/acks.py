"""Which blocks are done: per partition, the offset that may be committed."""

from collections.abc import Iterable

TopicPartition = tuple[str, int]


class BlockAcks:
    """The end of the last finished block per topic-partition.

    Blocks of a partition are finished in the order they were delivered, so one number says it all.
    """

    def __init__(self) -> None:
        self._next_offset: dict[TopicPartition, int] = {}

    def done(self, partition: TopicPartition, last_offset: int) -> None:
        """A block that ended at `last_offset` is finished; its successor may be committed.

        One that is delivered again after a rebalance ends no later than before: it changes nothing.
        """
        self._next_offset[partition] = max(last_offset + 1, self._next_offset.get(partition, 0))

    def committable(self, partition: TopicPartition) -> int | None:
        """The offset to commit, the next one to be read; None where nothing was finished."""
        return self._next_offset.get(partition)

    def partitions(self) -> list[TopicPartition]:
        return list(self._next_offset)

    def forget(self, revoked: Iterable[TopicPartition]) -> None:
        """These partitions are someone else's now."""
        for partition in revoked:
            self._next_offset.pop(partition, None)
