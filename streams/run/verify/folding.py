"""An account's inputs booked one after the other, as far as one of its records shows them booked.

The topics have no order between them. But whatever was applied at a decision is a beginning of each
topic, and later decisions have applied no less. Where the history does not tell how far each was
applied, it is looked for, from the last record of the account on.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from streams.audit.account import Book
from streams.audit.rulebook import Rulebook
from streams.run.verify.holdings import Holdings, Input, book_of, copy_of, key_of

STREAMS = ("collateral", "transfers", "fills", "funding")
MOST_NODES = 4_000
"""So many possibilities are looked at for one record."""
AHEAD_US = 120_000_000
"""Inputs may be later than the clock of a decision; so much later are likely ones."""
FEW = 40
"""Of so many inputs all combinations are tried."""
FAR = 1 << 62
SEARCHED = STREAMS[:3]
FILLS, FUNDING = 2, 3
"""Places of streams. A payment falls before the first fill that is later than it, or at the first
decision at or after its time."""
MOST_ADDED = 5_000
"""So many records of a topic are added up for one record."""
Ends = dict[str, int]
"""Topic -> the offset behind what was applied."""


class Applied(NamedTuple):
    """Before which offsets everything of a topic was applied, and from which on nothing was."""

    least: Ends
    most: Ends
    told: bool = False
    """Whether the history tells it: then both are the same."""

    @classmethod
    def exactly(cls, ends: Ends) -> "Applied":
        return cls(ends, ends, told=True)


class Node(NamedTuple):
    """How many inputs of each stream are booked, and the account then."""

    counts: tuple[int, ...]
    book: Book


class Account:
    """The inputs of one account, and how far they were booked when its last record was made."""

    def __init__(self, name: str, streams: Sequence[Sequence[Input]], rules: Rulebook) -> None:
        """`streams` has the inputs of each of `STREAMS`, in their order."""
        self.name = name
        self.streams = streams
        self.rules = rules
        self.node = Node((0,) * len(STREAMS), Book(rules, 0))
        self.doubt: Node | None = None
        """The same where the last record did not follow: as if that one were right."""

    @property
    def holdings(self) -> Holdings:
        return self.holdings_of(self.node)

    def holdings_of(self, node: Node) -> Holdings:
        balances, positions = node.book.balances, node.book.positions
        return Holdings(
            {(bucket, asset): e8 for (owner, bucket, asset), e8 in balances.items()
             if e8 and owner == self.name},
            {(bucket, name): (held[0], held[1]) for name, holders in positions.items()
             for (owner, bucket), held in holders.items() if held[0] and owner == self.name},
        )  # fmt: skip

    def pending(self, until_us: int) -> int:
        """How many inputs of up to a time are not booked."""
        return sum(
            1
            for done, stream in zip(self.node.counts, self.streams, strict=True)
            for one in stream[done:]
            if one.time_us <= until_us
        )

    def span(self, node: Node) -> tuple[Ends, Ends]:
        """Between which offsets of each topic the end of what is booked lies."""
        least, most = {}, {}
        for topic, done, stream in zip(STREAMS, node.counts, self.streams, strict=True):
            if done:
                least[topic] = stream[done - 1].offset + 1
            if done < len(stream):
                most[topic] = stream[done].offset
        return least, most

    def nodes(self, applied: Applied, until_us: int) -> Iterator[Node]:
        """What may have been booked by a time, the likeliest first; each moves on from `node`.

        First what surely was, in the order of event time. Where it is told what was applied, that
        in any other order. Else on in the order of event time; then, where they are few, every
        other combination, of those that may have been applied and at last of all.
        """
        for node in self._unpaid_nodes(applied, until_us):
            yield self.paid(node, until_us)

    def _unpaid_nodes(self, applied: Applied, until_us: int) -> Iterator[Node]:
        least, most, told = applied
        for start in (self.node, self.doubt):
            if start is None:
                continue
            surely = self.surely(start, least)
            yield surely
            if told:
                for node in self._combinations(start, most, until_us):
                    if node.counts[:FUNDING] == surely.counts[:FUNDING]:
                        yield node
                continue
            yield from self._in_time(surely, most, until_us + AHEAD_US)
            if self.open(surely, most) <= FEW:
                yield from self._combinations(surely, most, until_us)
            yield from self._combinations(start, {}, until_us)

    def paid(self, node: Node, until_us: int) -> Node:
        """With the payments that a decision at a time has made: those due by then."""
        first, stream = node.counts[FUNDING], self.streams[FUNDING]
        end = bisect_right(stream, until_us, lo=first, key=lambda one: one.time_us)
        return self.up_to(node, (*node.counts[:FUNDING], end)) if end > first else node

    def open(self, node: Node, most: Ends) -> int:
        """How many inputs may have been booked or not."""
        return sum(len(stream) for stream in self.following(node, most))

    def following(self, node: Node, most: Ends) -> list[list[Input]]:
        """The inputs of each stream behind a node, before the offsets `most`."""
        found = []
        for topic, done, stream in zip(SEARCHED, node.counts, self.streams, strict=False):
            end = bisect_left(stream, most.get(topic, FAR), lo=done, key=lambda one: one.offset)
            found.append(list(stream[done : min(end, done + MOST_ADDED)]))
        return found

    def up_to(self, start: Node, counts: tuple[int, ...]) -> Node:
        """On from a node up to these counts, in the order of time."""
        node = Node(start.counts, copy_of(start.book, self.name, self.rules))
        waiting = sorted(
            (one.time_us, number)
            for number, (first, end, stream) in enumerate(
                zip(start.counts, counts, self.streams, strict=True)
            )
            for one in stream[first:end]
        )
        for _, number in waiting:
            node = self._booked(node, number, copy=False)
        return node

    def up_to_time(self, start: Node, until_us: int) -> Node:
        """On from a node by all inputs until a time, that moment included."""
        counts = (
            done + sum(1 for one in stream[done:] if one.time_us <= until_us)
            for done, stream in zip(start.counts, self.streams, strict=True)
        )
        return self.up_to(start, tuple(counts))

    def between(self, start: Node, end: Node) -> list[Input]:
        """The inputs that were booked from one node to another, by time."""
        booked = [
            one
            for first, last, stream in zip(start.counts, end.counts, self.streams, strict=True)
            for one in stream[first:last]
        ]
        return sorted(booked, key=lambda one: one.time_us)

    def mistrust(self, stored: Holdings, applied: Applied, until_us: int) -> None:
        """The record at a time did not follow from the inputs: go on from both."""
        last = self.likeliest(applied, until_us)
        self.doubt = Node(last.counts, book_of(self.name, stored, last.book, self.rules))

    def likeliest(self, applied: Applied, until_us: int) -> Node:
        """What was booked by a time, if all was booked in the order of time."""
        node = self.surely(self.node, applied.least)
        last = [node, *self._in_time(node, applied.most, until_us)][-1]
        return self.paid(last, until_us)

    def surely(self, start: Node, least: Ends) -> Node:
        """On from a node by all inputs before the offsets `least`."""
        counts = [
            max(done, bisect_left(stream, least.get(topic, 0), key=lambda one: one.offset))
            if topic in least else done
            for topic, done, stream in zip(STREAMS, start.counts, self.streams, strict=True)
        ]  # fmt: skip
        return self.up_to(start, tuple(counts))

    def _in_time(self, node: Node, most: Ends, until_us: int) -> Iterator[Node]:
        """On from a node, the earliest input first."""
        while True:
            times = [
                (stream[done].time_us, number)
                for number, (topic, done, stream) in enumerate(
                    zip(SEARCHED, node.counts, self.streams, strict=False)
                )
                if done < len(stream) and stream[done].offset < most.get(topic, FAR)
            ]
            if not times or min(times)[0] > until_us:
                return
            node = self._booked(node, min(times)[1])
            yield node

    def _combinations(self, start: Node, most: Ends, until_us: int) -> Iterator[Node]:
        """Breadth first from a node; inputs that can be booked in either order lead to one."""
        layer, looked = [start], 0
        seen: set[Any] = set()
        while layer:
            following = []
            for child in (one for node in layer for one in self._children(node, most, until_us)):
                key = (child.counts, key_of(child.book))
                if key not in seen:
                    seen.add(key)
                    following.append(child)
                    looked += 1
                    yield child
                    if looked >= MOST_NODES:
                        return
            layer = following

    def _children(self, node: Node, most: Ends, until_us: int) -> Iterator[Node]:
        """A node with one more input booked, or with what is due by a time paid first."""
        for number, (topic, done, stream) in enumerate(
            zip(SEARCHED, node.counts, self.streams, strict=False)
        ):
            if done == len(stream) or stream[done].offset >= most.get(topic, FAR):
                continue
            yield self._booked(node, number)
            if stream[done].penalty_e8:
                yield self._booked(node, number, free=True)
        paid = self.paid(node, until_us)
        if paid is not node:
            yield paid

    def _booked(self, node: Node, number: int, *, copy: bool = True, free: bool = False) -> Node:
        """One more input of a stream; `free`: a fill whose order was not open any more."""
        one = self.streams[number][node.counts[number]]
        if number == FILLS and copy:
            node = self.paid(node, one.time_us - 1)
        book = copy_of(node.book, self.name, self.rules) if copy else node.book
        record = one.record
        if one.penalty_e8 and not free:
            record = {**record, "penalty_e8": one.penalty_e8}
        book.book(one.topic, record)
        counts = list(node.counts)
        counts[number] += 1
        return Node(tuple(counts), book)
