"""What belongs to whom: the rows of a table that a row of another owns, without a look at all."""

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Int64s
from streams.state.columns import ColumnTable, PairTable

Links = NDArray[np.int32]
NEXT, PREVIOUS = "next", "previous"
LINKS = {NEXT: np.int32, PREVIOUS: np.int32}
"""Columns of the rows, row + 1 of each neighbour; 0: none. Released rows hold zeros again."""
FEW = 16
"""Rows that are sorted in place faster than a call would begin to."""


class Chains:
    """Each owner's column `first` holds the row + 1 of the first of its chain."""

    def __init__(self, owners: ColumnTable, first: str, rows: PairTable) -> None:
        """The first half of a row's key says whose it is."""
        self._owners = owners
        self._first = first
        self._rows = rows
        self._owner, self._other = rows.key

    def rows(self, owners: Int64s, others: Int64s) -> Int64s:
        """The rows of these owners by the other half of their keys; opened where new."""
        before = len(self._rows)
        rows = self._rows.rows(owners, others)
        if len(self._rows) > before:
            self._link(rows, owners)
        return rows

    def row(self, owner: int, other: int) -> int:
        """The row of one owner by the other half of its key; opened where new."""
        at = int(self._owners[self._first][owner])
        while at and self._rows[self._other][at - 1] != other:
            at = int(self._rows[NEXT][at - 1])
        return at - 1 if at else int(self.rows(np.array([owner]), np.array([other]))[0])

    def release(self, rows: Int64s) -> None:
        """Free distinct rows."""
        self._unlink(rows, self._rows[self._owner][rows])
        self._rows.release(rows)

    def _link(self, rows: Int64s, owners: Int64s) -> None:
        """Put the rows that are in no chain yet into those of their owners; rows may repeat."""
        links = self._owners[self._first], self._rows[NEXT], self._rows[PREVIOUS]
        _put_first(rows, np.ascontiguousarray(owners, np.int64), links)

    def _unlink(self, rows: Int64s, owners: Int64s) -> None:
        """Take distinct rows out of the chains of their owners."""
        links = self._owners[self._first], self._rows[NEXT], self._rows[PREVIOUS]
        _take_out(rows, np.ascontiguousarray(owners, np.int64), links)

    def of(self, owners: Int64s) -> tuple[Int64s, Int64s]:
        """The rows of these distinct owners, and the place in `owners` of whose each is: by place,
        then by row."""
        owners = np.require(owners, np.int64, "C")
        return _followed(owners, self._owners[self._first], self._rows[NEXT])


@compiled
def _put_first(rows: Int64s, owners: Int64s, links: tuple[Links, Links, Links]) -> None:
    """Rows that are in no chain before all others of their owner's."""
    first, after, before = links
    for place in range(len(rows)):
        row, owner = rows[place], owners[place]
        behind = first[owner]
        if before[row] or behind == row + 1:
            continue
        if behind:  # else it stays unwritten
            after[row] = behind
            before[behind - 1] = row + 1
        first[owner] = row + 1


@compiled
def _take_out(rows: Int64s, owners: Int64s, links: tuple[Links, Links, Links]) -> None:
    """Close the chain of each row's owner where the row was."""
    first, after, before = links
    for place in range(len(rows)):
        row = rows[place]
        if before[row]:
            after[before[row] - 1] = after[row]
        else:
            first[owners[place]] = after[row]
        if after[row]:
            before[after[row] - 1] = before[row]
        after[row] = before[row] = 0


@compiled
def _followed(owners: Int64s, first: Links, after: Links) -> tuple[Int64s, Int64s]:
    """The rows of each owner's chain, ascending, and whose each is by place in `owners`."""
    count = 0
    for owner in owners:
        at = first[owner]
        while at:
            count += 1
            at = after[at - 1]
    rows, places, end = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for place in range(len(owners)):
        begin, at = end, first[owners[place]]
        while at:
            rows[end], places[end] = at - 1, place
            end += 1
            at = after[at - 1]
        if end - begin > FEW:
            rows[begin:end].sort()
            continue
        for here in range(begin + 1, end):
            row, there = rows[here], here
            while there > begin and rows[there - 1] > row:
                rows[there] = rows[there - 1]
                there -= 1
            rows[there] = row
    return rows, places
