"""Which buckets a decision looks at: not those that no price has come near to."""

import numpy as np

from risk.liquidation.stages import Ladder, Stage
from risk.margin.reach import MOST, reach
from schemas.block import Int64s
from schemas.units import E8
from streams.processors.margin import LARGEST_VALUE, Bools, Evaluated
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

WORTH_ANEW = 0.1
"""So many of the buckets looked at in vain, and it is time to count moves from the marks of now."""


class Screen:
    """Remembers of each healthy bucket how far marks may move before it can be warned.

    `reach` in the book is that, as a fraction of the marks in `_from_e8`; 0: not known, look at it.
    A bucket that is left out would have been found healthy, and nothing would have been written.
    """

    def __init__(self, ledger: Ledger, board: MarkBoard, ladder: Ladder) -> None:
        self._ledger = ledger
        self._board = board
        self._health_ppm = ladder.warning_health_ppm
        self._from_e8: Int64s = np.zeros(0, np.int64)
        self._revision = -1
        self._moved = 0.0

    def buckets(self, changed: Bools, touched: Int64s) -> Int64s:
        """Rows of the buckets that were touched, or are not healthy, or are repriced by `changed`
        bool[I] and near enough for that to matter.

        System accounts are not margined.
        """
        book = self._ledger.book
        columns = book.buckets
        near = self._near()
        chosen = self._repriced(changed, near)
        if np.count_nonzero(columns["reach"][chosen]) > WORTH_ANEW * len(columns):
            self._begin_anew()
            chosen = self._repriced(changed, self._near())
        looked_at = np.zeros(columns.capacity, np.bool_)
        looked_at[chosen] = looked_at[touched] = True
        looked_at |= columns["stage"] != Stage.HEALTHY
        rows = np.flatnonzero(looked_at)
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

    def _near(self) -> Bools:
        """bool[B]: rows of the book that the moves until now may have brought to a warning."""
        mark_e8, from_e8 = self._board.mark_e8, self._from_e8
        if self._revision != self._ledger.rules.revision or len(mark_e8) != len(from_e8):
            self._begin_anew()
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                moves = np.nan_to_num(np.abs(mark_e8 / from_e8 - 1), nan=0.0)
            self._moved = float(moves.max(initial=0))
            if self._moved >= MOST:
                self._begin_anew()
        near: Bools = self._ledger.book.buckets["reach"] <= self._moved
        return near

    def _begin_anew(self) -> None:
        self._revision = self._ledger.rules.revision
        self._from_e8, self._moved = self._board.mark_e8.copy(), 0.0
        self._ledger.book.buckets["reach"][:] = 0

    def _repriced(self, changed: Bools, near: Bools) -> Int64s:
        """Rows of the near buckets whose positions or balances have another price now."""
        if not len(changed):
            return np.empty(0, np.int64)
        rules, book = self._ledger.rules, self._ledger.book
        changed = changed | changed[rules.terms.underlying[: len(changed)]]
        buckets = np.flatnonzero(near & book.buckets.live)
        repriced = np.zeros(len(buckets), np.bool_)
        rows, place = book.held.of(buckets)
        repriced[place[changed[book.positions["instrument"][rows]]]] = True
        pricer = rules.asset_price_instruments()
        asset_changed = (pricer >= 0) & changed[np.maximum(pricer, 0)]
        if asset_changed.any():
            rows, place = book.owned.of(buckets)
            repriced[place[asset_changed[book.balances["asset"][rows]]]] = True
        return buckets[repriced]
