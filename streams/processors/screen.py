"""Which buckets a decision looks at: not those that no price can have brought to a new stage."""

import numpy as np

from risk.liquidation.stages import Ladder, Stage
from risk.margin.reach import MOST, NO_LEVEL, reach
from schemas.block import Int64s
from schemas.units import E8, PPM
from streams.processors.margin import LARGEST_VALUE, Bools, Evaluated
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

AHEAD = 0.003
"""How far marks may move until all rows are gone over, so that moves count from there."""
ROUNDED = 1 - 1e-6
"""Less than what rounding to 32 bits leaves of a reach."""


class Screen:
    """Remembers of each bucket how far marks may move before its stage can change.

    `reach` in the book is that, as a fraction of the marks in `_from_e8`; 0: not known, look at it.
    A bucket that is left out would have stayed where it is, and nothing would have been written.

    A decision looks at no row but those of three lists: of buckets on the ladder of which nothing
    is known, of calls whose deadline has come, and of those that a small move may bring to another
    stage. All rows are gone over for them only where marks have moved by that, or the book is
    rebuilt.
    """

    def __init__(self, ledger: Ledger, board: MarkBoard, ladder: Ladder) -> None:
        self._ledger = ledger
        self._board = board
        warning, call = ladder.warning_health_ppm, ladder.call_health_ppm
        cure, later = ladder.cure_margin_ppm, [0] * (len(Stage) - Stage.REDUCING)
        self._above_ppm = np.array([warning, call, PPM, *later])
        self._below_ppm = np.array([NO_LEVEL, warning + cure, call + cure, *later])
        """By stage: the healths between which a bucket stays in it, unless its time is over."""
        self._from_e8: Int64s = np.zeros(0, np.int64)
        self._revision = self._rebuilt = -1
        self._moved = 0.0
        self._rows: Int64s = np.empty(0, np.int64)
        """Distinct rows, among them all whose reach is not beyond AHEAD; `_listed` bool[B]."""
        self._listed: Bools = np.zeros(0, np.bool_)
        self._ladder: Int64s = np.empty(0, np.int64)
        self._calls: Int64s = np.empty(0, np.int64)
        """Rows that are on the ladder and not known, and among others those with an open call."""

    def buckets(self, changed: Bools, touched: Int64s) -> Int64s:
        """Rows of the buckets that were touched, or are being liquidated, or whose call is over, or
        that are repriced by `changed` bool[I] and near enough to another stage for that to matter.

        System accounts are not margined.
        """
        book = self._ledger.book
        columns = book.buckets
        chosen = self._repriced(changed, self._near())
        rows = np.concatenate((chosen, touched, self._ladder, self._overdue()))
        rows.sort()
        rows = rows[np.flatnonzero(np.diff(rows, prepend=-1))]
        rows = rows[columns.live[rows]]
        people: Int64s = rows[~book.accounts["system"][columns["account"][rows]]]
        return people

    def learn(self, evaluated: Evaluated) -> None:
        """Remember how far these may go, once their stages are those of the decision."""
        columns, rows = self._ledger.book.buckets, evaluated.buckets
        stage = columns["stage"][rows]
        found = reach(
            evaluated.book,
            self._ledger.rules.asset_price_instruments(),
            evaluated.rules,
            self._ledger.rules.terms,
            evaluated.evaluation,
            above_ppm=self._above_ppm[stage],
            below_ppm=self._below_ppm[stage],
        )
        large = evaluated.position_state.notional_e8 > LARGEST_VALUE / 2 * E8
        found[evaluated.positions.bucket[large]] = 0
        found[evaluated.incomplete] = 0
        found[(columns["breaches"][rows] > 0) | (stage == Stage.REDUCING)] = 0
        found[stage >= Stage.TAKEN_OVER] = MOST  # nothing is decided until its last leg touches it
        columns["reach"][rows] = (found - self._moved - found * self._moved).clip(0)
        self._ladder = rows[(stage != Stage.HEALTHY) & (columns["reach"][rows] <= 0)]
        calls = rows[(stage == Stage.CALLED) & ~columns["escalated"][rows]]
        self._calls = np.concatenate((self._calls[~_among(self._calls, rows)], calls))
        self._list(rows)

    def _overdue(self) -> Int64s:
        """Rows of calls that were not answered in time."""
        columns, rows = self._ledger.book.buckets, self._calls
        waits = (columns["stage"][rows] == Stage.CALLED) & ~columns["escalated"][rows]
        self._calls = rows = rows[waits]
        over: Int64s = rows[columns["deadline_us"][rows] <= self._board.clock_us]
        return over

    def _near(self) -> Int64s:
        """Rows of the book, ascending, that the moves until now may have brought to a new stage."""
        mark_e8, from_e8, book = self._board.mark_e8, self._from_e8, self._ledger.book
        if self._revision != self._ledger.rules.revision or len(mark_e8) != len(from_e8):
            self._begin_anew()
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                moves = np.nan_to_num(np.abs(mark_e8 / from_e8 - 1), nan=0.0)
            self._moved = float(moves.max(initial=0))
            if self._moved >= MOST:
                self._begin_anew()
            elif self._moved > AHEAD:
                self._move_on()
        if self._rebuilt != book.rebuilt:
            self._list_anew()
        within = book.buckets["reach"][self._rows] <= self._moved
        rows = self._rows[within & book.buckets.live[self._rows]]
        rows.sort()
        return rows

    def _begin_anew(self) -> None:
        self._revision = self._ledger.rules.revision
        self._from_e8, self._moved = self._board.mark_e8.copy(), 0.0
        self._ledger.book.buckets["reach"][:] = 0
        self._list_anew()

    def _move_on(self) -> None:
        """Count moves from the marks of now: r from those before is (r - m) / (1 + m) from here."""
        left = self._ledger.book.buckets["reach"]
        left -= self._moved
        left *= ROUNDED / (1 + self._moved)
        np.maximum(left, 0, out=left)
        self._from_e8, self._moved = self._board.mark_e8.copy(), 0.0
        self._list_anew()

    def _list_anew(self) -> None:
        """All lists, by a look at all rows."""
        book = self._ledger.book
        columns, self._rebuilt = book.buckets, book.rebuilt
        stage = columns["stage"]
        self._ladder = np.flatnonzero((stage != Stage.HEALTHY) & (columns["reach"] <= 0))
        self._calls = np.flatnonzero((stage == Stage.CALLED) & ~columns["escalated"])
        self._listed = columns.live & (columns["reach"] <= AHEAD)
        self._rows = np.flatnonzero(self._listed)

    def _list(self, rows: Int64s) -> None:
        """Take these into the list as far as they belong there; who has gone far leaves it."""
        columns = self._ledger.book.buckets
        if more := columns.capacity - len(self._listed):
            self._listed = np.concatenate((self._listed, np.zeros(more, np.bool_)))
        near = columns["reach"][self._rows] <= AHEAD
        self._listed[self._rows[~near]] = False
        new = rows[(columns["reach"][rows] <= AHEAD) & ~self._listed[rows]]
        self._listed[new] = True
        self._rows = np.concatenate((self._rows[near], new))

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


def _among(wanted: Int64s, rows: Int64s) -> Bools:
    """bool[n]: which of them are among ascending rows."""
    if not len(rows):
        return np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    among: Bools = rows[place] == wanted
    return among
