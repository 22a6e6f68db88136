"""Which buckets a decision looks at: not those that no price has come near to."""

import numpy as np

from risk.liquidation.stages import Ladder, Stage
from risk.margin.reach import MOST, reach
from schemas.block import Int64s
from schemas.units import E8
from streams.processors.margin import LARGEST_VALUE, Bools, Evaluated
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

AHEAD = 0.002
"""Moves further than those of now for which buckets are listed as maybe near."""
WORTH_ANEW = 0.1
"""So many of the buckets looked at in vain, and it is time to count moves from the marks of now."""


class Screen:
    """Remembers of each healthy bucket how far marks may move before it can be warned.

    `reach` in the book is that, as a fraction of the marks in `_from_e8`; 0: not known, look at it.
    A bucket that is left out would have been found healthy, and nothing would have been written.

    A decision looks at no row but those of two lists: of buckets that are on the ladder, and of
    those that a little more than the present moves may bring near. All rows are gone over for them
    only where moves grow beyond that, or the book is rebuilt.
    """

    def __init__(self, ledger: Ledger, board: MarkBoard, ladder: Ladder) -> None:
        self._ledger = ledger
        self._board = board
        self._health_ppm = ladder.warning_health_ppm
        self._from_e8: Int64s = np.zeros(0, np.int64)
        self._revision = self._rebuilt = -1
        self._moved = self._within = 0.0
        self._rows: Int64s = np.empty(0, np.int64)
        """Distinct rows, among them all whose reach is not beyond `_within`; `_listed` bool[B]."""
        self._listed: Bools = np.zeros(0, np.bool_)
        self._ladder: Int64s = np.empty(0, np.int64)

    def buckets(self, changed: Bools, touched: Int64s) -> Int64s:
        """Rows of the buckets that were touched, or are not healthy, or are repriced by `changed`
        bool[I] and near enough for that to matter.

        System accounts are not margined.
        """
        book = self._ledger.book
        columns = book.buckets
        chosen = self._repriced(changed, self._near())
        if np.count_nonzero(columns["reach"][chosen]) > WORTH_ANEW * len(columns):
            self._begin_anew()
            chosen = self._repriced(changed, self._near())
        rows = np.concatenate((chosen, touched, self._ladder))
        rows.sort()
        rows = rows[np.flatnonzero(np.diff(rows, prepend=-1))]
        rows = rows[columns.live[rows]]
        people: Int64s = rows[~book.accounts["system"][columns["account"][rows]]]
        return people

    def learn(self, evaluated: Evaluated) -> None:
        """Remember how far these may go, once their stages are those of the decision."""
        columns, rows = self._ledger.book.buckets, evaluated.buckets
        found = reach(
            evaluated.book,
            self._ledger.rules.asset_price_instruments(),
            evaluated.rules,
            self._ledger.rules.terms,
            evaluated.evaluation,
            health_ppm=self._health_ppm,
        )
        large = evaluated.position_state.notional_e8 > LARGEST_VALUE / 2 * E8
        found[evaluated.positions.bucket[large]] = 0
        found[evaluated.incomplete] = 0
        found[columns["breaches"][rows] > 0] = 0
        columns["reach"][rows] = (found - self._moved - found * self._moved).clip(0)
        self._ladder = rows[columns["stage"][rows] != Stage.HEALTHY]
        self._list(rows)

    def _near(self) -> Int64s:
        """Rows of the book, ascending, that the moves until now may have brought to a warning."""
        mark_e8, from_e8, book = self._board.mark_e8, self._from_e8, self._ledger.book
        if self._revision != self._ledger.rules.revision or len(mark_e8) != len(from_e8):
            self._begin_anew()
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                moves = np.nan_to_num(np.abs(mark_e8 / from_e8 - 1), nan=0.0)
            self._moved = float(moves.max(initial=0))
            if self._moved >= MOST:
                self._begin_anew()
        if self._moved > self._within or self._rebuilt != book.rebuilt:
            self._list_anew()
        rows = self._rows[book.buckets["reach"][self._rows] <= self._moved]
        rows = rows[book.buckets.live[rows]]
        rows.sort()
        return rows

    def _begin_anew(self) -> None:
        self._revision = self._ledger.rules.revision
        self._from_e8, self._moved = self._board.mark_e8.copy(), 0.0
        self._ledger.book.buckets["reach"][:] = 0
        self._list_anew()

    def _list_anew(self) -> None:
        """Both lists, by a look at all rows."""
        book = self._ledger.book
        columns, self._rebuilt = book.buckets, book.rebuilt
        self._ladder = np.flatnonzero(columns["stage"] != Stage.HEALTHY)
        self._within = self._moved + AHEAD
        self._listed = columns.live & (columns["reach"] <= self._within)
        self._rows = np.flatnonzero(self._listed)

    def _list(self, rows: Int64s) -> None:
        """Take these into the list as far as they belong there; who has gone far leaves it."""
        columns = self._ledger.book.buckets
        if len(self._listed) < columns.capacity:
            self._listed = np.r_[self._listed, np.zeros(columns.capacity - len(self._listed), np.bool_)]
        near = columns["reach"][self._rows] <= self._within
        self._listed[self._rows[~near]] = False
        more = rows[(columns["reach"][rows] <= self._within) & ~self._listed[rows]]
        self._listed[more] = True
        self._rows = np.concatenate((self._rows[near], more))

    def _repriced(self, changed: Bools, buckets: Int64s) -> Int64s:
        """Which of these buckets have positions or balances with another price now."""
        if not len(changed):
            return np.empty(0, np.int64)
        rules, book = self._ledger.rules, self._ledger.book
        changed = changed | changed[rules.terms.underlying[: len(changed)]]
        repriced = np.zeros(len(buckets), np.bool_)
        rows, place = book.held.of(buckets)
        repriced[place[changed[book.positions["instrument"][rows]]]] = True
        pricer = rules.asset_price_instruments()
        asset_changed = (pricer >= 0) & changed[np.maximum(pricer, 0)]
        if asset_changed.any():
            rows, place = book.owned.of(buckets)
            repriced[place[asset_changed[book.balances["asset"][rows]]]] = True
        return buckets[repriced]
