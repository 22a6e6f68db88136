"""Open orders of a partition, and how many records of `orders` a decision had applied.

They move nothing, so holdings do not tell. But initial margin follows from them: what was applied
is a beginning of the topic, one for all accounts of a decision, at which their margin comes out.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import accumulate

from sinks.reading import Row
from streams.audit.rulebook import Record
from streams.run.verify.folding import AHEAD_US

MOST_ENDS = 60
"""So many beginnings of the topic are tried for an account, the likeliest first."""
Fits = Callable[[Mapping[str, int]], set[str]]
"""Which of these accounts come out as they are told, each with its orders before an offset."""


class Resting:
    """The orders of the accounts of one partition."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """`rows` are of `orders`, without those that were refused, by offset."""
        self._low = 0
        """At the last decision all before this offset was applied."""
        self._offsets: list[int] = []
        self._of: dict[str, list[Row]] = defaultdict(list)
        self._surely: dict[str, tuple[int, dict[str, Record]]] = {}
        """Of how many orders of an account it is known that they were applied, what they leave."""
        times = []
        for row in rows:
            self._offsets.append(row.offset)
            self._of[row.record["account_id"]].append(row)
            times.append(row.record["event_time"])
        self._clock_us = [*accumulate(times, max)]

    def latest(self, clock_us: int) -> int:
        """The offset behind what had been applied by then, if all was in the order of time."""
        return max(self._low, self._end(clock_us))

    def open(self, account: str, end: int, settled: Collection[str]) -> list[Record]:
        """What an account has open where all before an offset was applied.

        The end of an instrument, `settled`, is the end of the orders in it.
        """
        mine = self._of.get(account, [])
        count, surely = self._surely.get(account, (0, {}))
        low = bisect_left(mine, self._low, key=_offset)
        if low > count:
            surely = _told(surely, mine[count:low])
            self._surely[account] = low, surely
        last = _told(surely, mine[low : bisect_left(mine, end, key=_offset)])
        return [one for one in last.values() if one["instrument_id"] not in settled]

    def told(self, end: int) -> int:
        """Heed that a decision had applied all before an offset, and nothing from there on."""
        self._low = max(self._low, end)
        return end

    def ends(self, account: str, near: int, clock_us: int) -> list[int]:
        """The offsets behind what may have been applied of an account's orders, nearest first."""
        mine = self._of.get(account, ())
        first = bisect_left(mine, self._low, key=_offset)
        beyond = bisect_left(mine, self._end(clock_us + AHEAD_US), key=_offset)
        ends = [self._low, *(row.offset + 1 for row in mine[first:beyond])]
        at = bisect_right(ends, near) - 1
        return sorted(ends, key=lambda end: abs(bisect_right(ends, end) - 1 - at))[:MOST_ENDS]

    def applied(self, accounts: Collection[str], clock_us: int, fits: Fits) -> int:
        """The offset behind what a decision had applied, by the accounts that it told of.

        Where no beginning of the topic is right for all, the one that is right for most.
        """
        if not self._offsets:
            return 0
        likely = self.latest(clock_us)
        movable = {
            one: ends for one in accounts if len(ends := self.ends(one, likely, clock_us)) > 1
        }
        if not movable:
            return likely
        wrong = set(accounts) - fits(dict.fromkeys(accounts, likely))
        if not wrong & movable.keys():
            self._rise(movable.keys() - wrong, likely, fits)
            return likely
        right: dict[str, list[int]] = {one: [] for one in movable}
        for place in range(max(map(len, movable.values()))):
            tried = {one: ends[place] for one, ends in movable.items() if place < len(ends)}
            for one in fits(tried):
                right[one].append(tried[one])
        return self._common(movable, right, likely)

    def _common(
        self, movable: dict[str, list[int]], right: dict[str, list[int]], likely: int
    ) -> int:
        """The end at which most accounts are right, of several the nearest."""
        sorted_ends = {one: sorted(ends) for one, ends in movable.items()}

        def count(end: int) -> int:
            return sum(
                ends[max(bisect_right(ends, end) - 1, 0)] in right[one]
                for one, ends in sorted_ends.items()
            )

        counts = {end: count(end) for end in {end for ends in right.values() for end in ends}}
        most = max(counts.values(), default=0)
        if not most:
            return likely
        best = sorted(end for end, found in counts.items() if found == most)
        if most == len(movable):
            self._low = best[0]
        return min(best, key=lambda end: abs(end - likely))

    def _rise(self, names: Collection[str], likely: int, fits: Fits) -> None:
        """Accounts that come out otherwise without their last order show that it was applied."""
        before = {}
        for one in names:
            mine = self._of[one]
            at = bisect_left(mine, likely, key=_offset) - 1
            if at >= 0 and mine[at].offset >= self._low:
                before[one] = mine[at].offset
        needed = before.keys() - fits(before) if before else ()
        self._low = max([self._low, *(before[one] + 1 for one in needed)])

    def _end(self, clock_us: int) -> int:
        count = bisect_right(self._clock_us, clock_us)
        return self._offsets[count - 1] + 1 if count else 0


def _told(before: dict[str, Record], orders: Iterable[Row]) -> dict[str, Record]:
    """What is open by id when these orders have taken the place of those before."""
    last = dict(before)
    for row in orders:
        if row.record["remaining_e8"]:
            last[row.record["order_id"]] = row.record
        else:
            last.pop(row.record["order_id"], None)
    return last


def _offset(row: Row) -> int:
    return row.offset
