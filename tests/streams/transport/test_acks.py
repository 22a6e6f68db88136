"""What may be committed follows the finished blocks, partition by partition."""

from streams.transport.acks import BlockAcks

FILLS = ("fills", 0)


def test_nothing_finished_nothing_to_commit() -> None:
    assert BlockAcks().committable(FILLS) is None
    assert BlockAcks().partitions() == []


def test_the_successor_of_the_last_finished_block_is_committed() -> None:
    acks = BlockAcks()
    acks.done(FILLS, 9)
    acks.done(FILLS, 41)
    acks.done(("fills", 1), 3)
    assert acks.committable(FILLS) == 42
    assert acks.committable(("fills", 1)) == 4
    assert acks.committable(FILLS) == 42, "asking does not consume"


def test_a_block_that_is_delivered_again_takes_nothing_back() -> None:
    acks = BlockAcks()
    acks.done(FILLS, 41)
    acks.done(FILLS, 9)
    assert acks.committable(FILLS) == 42


def test_a_revoked_partition_is_forgotten() -> None:
    acks = BlockAcks()
    acks.done(FILLS, 41)
    acks.forget([FILLS, ("fills", 7)])
    assert acks.committable(FILLS) is None
