"""Where partitions go on, what must be repeated, and what the verifier notices."""

import pytest

from schemas.block import Block
from sinks.buffers import Buffers
from sinks.clickhouse import Delivery, Outcome
from sinks.store import Store
from sinks.watermarks import Intent, IntentMismatchError, Resume, Watermarks
from tests.sinks.samples import fills

IDS = {"fills": "id", "margin-state": "id"}


class Message:
    """As much of a Kafka message as a buffer reads."""

    def __init__(
        self, partition: int, offset: int, value: bytes = b"v", *, topic: str = "fills",
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:  # fmt: skip
        self._partition, self._offset, self._value = partition, offset, value
        self._topic, self._headers = topic, headers

    def topic(self) -> str:
        return self._topic

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000


def intent_of(delivery: Delivery) -> Intent:
    return Intent(delivery.first, delivery.last, len(delivery.block), delivery.crc)


@pytest.mark.embedded
def test_a_partition_goes_on_behind_what_is_stored(store: Store) -> None:
    marks = Watermarks(store)
    assert marks.resume("fills", "id") == {}
    for block in (fills(0, 10), fills(10, 5), fills(0, 4, partition=1)):
        marks.intend([Delivery(block, "id")])
        marks.stored([Delivery(block, "id")], [Outcome(0)])
    assert marks.resume("fills", "id") == {3: Resume(15), 1: Resume(4)}
    assert marks.resume("fills", "id of the topic after it was made again") == {}


@pytest.mark.embedded
def test_a_block_on_its_way_is_repeated_first(store: Store) -> None:
    marks = Watermarks(store)
    done, open_, fresh = (Delivery(fills(0, 10), "id"), Delivery(fills(12, 5), "id"),
                          Delivery(fills(0, 4, partition=1), "id"))  # fmt: skip
    marks.intend([done])
    marks.stored([done], [Outcome(0)])
    marks.intend([open_, fresh])
    expected = {3: Resume(12, intent_of(open_)), 1: Resume(0, intent_of(fresh))}
    assert marks.resume("fills", "id") == expected
    marks.intend([open_])
    assert marks.resume("fills", "id") == expected
    marks.stored([open_, fresh], [Outcome(0), Outcome(0)])
    assert marks.resume("fills", "id") == {3: Resume(17), 1: Resume(4)}


@pytest.mark.embedded
def test_a_block_that_was_cut_shorter_is_repeated_as_it_was_cut(store: Store) -> None:
    marks = Watermarks(store)
    whole = Delivery(fills(0, 10), "id")
    first, second = whole.halves()
    for delivery in (whole, first):
        marks.intend([delivery])
    assert marks.resume("fills", "id") == {3: Resume(0, intent_of(first))}
    marks.stored([first], [Outcome(0)])
    assert marks.resume("fills", "id") == {3: Resume(5)}
    marks.intend([second])
    assert marks.resume("fills", "id") == {3: Resume(5, intent_of(second))}


def test_buffers_cut_a_block_a_partition() -> None:
    buffers = Buffers()
    assert buffers.cut(IDS) == []
    buffers.add([Message(0, 5), Message(1, 0), Message(0, 7)])
    assert (buffers.rows, buffers.longest) == (3, 2)
    cut = [(one.block.partition, one.block.offsets.tolist()) for one in buffers.cut(IDS)]
    assert cut == [(0, [5, 7]), (1, [0])]
    assert (buffers.rows, buffers.age_s, buffers.cut(IDS)) == (0, 0.0, [])


def test_what_a_decision_had_applied_is_kept_with_its_records() -> None:
    buffers = Buffers()
    headers = [("plimsoll-source", b"prices/0 7"), ("plimsoll-applied", b"fills=9")]
    buffers.add([
        Message(0, 5, topic="margin-state", headers=headers),
        Message(0, 6, topic="margin-state"), Message(1, 0, headers=headers),
    ])  # fmt: skip
    state, fill = buffers.cut(IDS)
    assert (list(state.applied), list(fill.applied)) == ([b"fills=9", b""], [])
    assert [list(half.applied) for half in state.halves()] == [[b"fills=9"], [b""]]


def test_buffers_cut_where_the_intent_says_and_wait_for_all_of_it() -> None:
    buffers = Buffers()
    buffers.expect(("fills", 0), Intent(5, 8, 3, 0))
    buffers.add([Message(0, 5), Message(0, 6), Message(1, 1)])
    assert [one.block.partition for one in buffers.cut(IDS)] == [1]
    buffers.add([Message(0, 8), Message(0, 9)])
    assert [one.block.offsets.tolist() for one in buffers.cut(IDS)] == [[5, 6, 8]]
    buffers.settled(Delivery(fills(5, 3, partition=0), "id"))
    assert buffers.intent(("fills", 0)) is not None, "only a part of it is stored"
    buffers.settled(Delivery(fills(5, 4, partition=0), "id"))
    assert [one.block.offsets.tolist() for one in buffers.cut(IDS)] == [[9]]


def test_buffers_leave_alone_what_is_on_its_way() -> None:
    buffers = Buffers()
    buffers.add([Message(0, 5, b"12345"), Message(1, 1, b"")])
    assert buffers.largest == 5
    assert [one.block.partition for one in buffers.cut(IDS, [("fills", 0)])] == [1]
    assert (buffers.rows, buffers.topics, buffers.largest) == (1, {"fills"}, 5)
    assert [one.block.partition for one in buffers.cut(IDS)] == [0]
    assert (buffers.topics, buffers.largest) == (frozenset(), 0)


def test_an_intent_whose_records_are_gone_stops_the_sink() -> None:
    buffers = Buffers()
    buffers.expect(("fills", 0), Intent(5, 8, 3, 0))
    buffers.add([Message(0, 9)])
    with pytest.raises(IntentMismatchError, match="fills/0"):
        buffers.cut(IDS)


def test_an_intent_whose_records_changed_stops_the_sink() -> None:
    delivery = Delivery(fills(0, 4), "id")
    intent_of(delivery).check(delivery)
    with pytest.raises(IntentMismatchError, match="the topic now holds"):
        intent_of(Delivery(fills(0, 5), "id")).check(delivery)
    other = Block("fills", 3, delivery.block.offsets, delivery.block.keys,
                  [b"x"] * 4, delivery.block.timestamps_ms)  # fmt: skip
    with pytest.raises(IntentMismatchError):
        intent_of(Delivery(other, "id")).check(delivery)
