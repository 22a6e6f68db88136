"""Accounts that are taken up in the middle of a history, each as its first margin state tells it.

Where it is not told how far each topic was applied then: near its time, and where the account's
next records do not follow from there, a little before or behind.
"""

from bisect import bisect_left
from itertools import islice, product
from typing import NamedTuple

from streams.audit.account import Book
from streams.run.verify.finding import Fits, find
from streams.run.verify.folding import AHEAD_US, SEARCHED, Account, Applied, Ends, Node
from streams.run.verify.holdings import Holdings, book_of

NEAR = 3
"""So many inputs of a topic may have been applied early, or late."""
MOST_STARTS = 64


class _Opened(NamedTuple):
    time_us: int
    starts: list[Node]


class Openings:
    """Where accounts begin."""

    def __init__(self, *, midway: bool) -> None:
        """`midway`: records from before may be gone; else every account begins with nothing."""
        self._midway = midway
        self._of: dict[str, _Opened] = {}

    def known(self, account: str) -> bool:
        """Whether it is known what an account held at some time before."""
        return not self._midway or account in self._of

    def take_up(self, account: Account, stored: Holdings, time_us: int, ends: Ends | None) -> None:
        """Let an account begin with what its margin state tells; `ends`: what was applied."""
        starts = _starts(account, stored, time_us, ends)
        self._of[account.name] = _Opened(time_us, starts)
        account.node = starts[0]

    def certain(self, account: str, time_us: int) -> bool:
        """Whether what was booked of an account tells how far the topics were applied."""
        opened = self._of.get(account)
        return opened is None or time_us > opened.time_us + AHEAD_US

    def find(
        self, account: Account, fits: Fits, stored: Holdings, applied: Applied, time_us: int
    ) -> Node | None:
        """What was booked by a decision, as `find`; from another beginning if need be."""
        node = find(account, fits, stored, applied, time_us)
        if node is not None or account.name not in self._of:
            return node
        present = account.node
        for start in self._of[account.name].starts[1:]:
            account.node = start
            node = find(account, fits, stored, applied, time_us)
            if node is not None:
                return node
        account.node = present
        return None


def _starts(account: Account, stored: Holdings, time_us: int, ends: Ends | None) -> list[Node]:
    """What may have been booked by then, all of it by time first."""
    streams, rules = account.streams, account.rules
    book = Book(rules, 0)
    *_, payments = streams
    due = [one for one in payments if one.time_us <= time_us]
    for one in due:
        if one.record["kind"] == "SETTLEMENT":
            book.settled[one.record["instrument_id"]] = one.record
    ranges = []
    for topic, stream in zip(SEARCHED, streams, strict=False):
        if ends is not None:
            end = bisect_left(stream, ends.get(topic, 0), key=lambda one: one.offset)
            ranges.append([(0, end)])
            continue
        likely = sum(1 for one in stream if one.time_us <= time_us)
        counts = {
            count
            for count in range(max(likely - NEAR, 0), min(likely + NEAR, len(stream)) + 1)
            if all(
                abs(one.time_us - time_us) <= AHEAD_US
                for one in stream[min(count, likely) : max(count, likely)]
            )
        }
        ranges.append(sorted((abs(count - likely), count) for count in counts))
    every = sorted(product(*ranges), key=lambda chosen: sum(far for far, _ in chosen))
    return [
        Node(
            (*(count for _, count in chosen), len(due)),
            book_of(account.name, stored, book, rules),
        )
        for chosen in islice(every, MOST_STARTS)
    ]
