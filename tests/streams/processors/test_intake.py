"""Blocks between the agents and the cycle: none is lost, none of an earlier assignment is kept."""

from streams.processors.intake import Inbox
from tests.simulation.driver import block_of

RUN = [(b"a", b"x")] * 4


def test_small_blocks_of_a_partition_come_joined() -> None:
    inbox = Inbox()
    for first in (0, 4, 8):
        inbox.put(block_of("fills", 0, list(RUN), first), 0)
    inbox.put(block_of("fills", 1, list(RUN), 0), 0)
    assert [(b.partition, b.offsets.tolist()) for b in inbox.take()] == [
        (0, list(range(12))), (1, list(range(4))),
    ]  # fmt: skip


def test_blocks_that_overlap_are_not_joined() -> None:
    """A partition that is kept at a rebalance is read again from where its state ends."""
    inbox = Inbox()
    inbox.put(block_of("fills", 0, list(RUN), 10), 0)
    inbox.put(block_of("fills", 0, list(RUN), 12), 0)
    assert [b.offsets.tolist() for b in inbox.take()] == [[10, 11, 12, 13], [12, 13, 14, 15]]


def test_a_block_in_hand_across_an_assignment_is_dropped() -> None:
    inbox = Inbox()
    inbox.put(block_of("fills", 0, list(RUN), 0), inbox.generation)
    inbox.put(block_of("fills", 1, list(RUN), 0), inbox.generation)
    before = inbox.generation
    inbox.discard(lambda block: block.partition == 0)
    inbox.put(block_of("fills", 0, list(RUN), 4), before)
    assert [(b.partition, b.offsets.tolist()) for b in inbox.take()] == [(0, [0, 1, 2, 3])]
