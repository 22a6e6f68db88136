"""A block of fills into the book: refuse what breaks a rule, add up the rest."""

from collections.abc import Iterator

import numpy as np

from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.account_book import CROSS
from streams.state.admission import Bools, fits_running
from streams.state.fill_rules import Fills, judge
from streams.state.ledger import Applied, Ledger
from streams.state.penalties import penalties_e8
from streams.state.postings import add_positions, post_slices

ISOLATED = 1


def apply_fills(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Apply the rows that keep every rule, in their order; texts are `Spans`.

    A fill adds signed quantity and cost to a position of its bucket (a SPOT fill moves two
    balances of the cross pool instead), pays its fee from the cross pool, and may bring collateral
    into its isolated bucket. One that answers the bucket's open liquidation order pays a penalty.
    """
    fills, admission = judge(ledger, block, columns)
    while True:  # again only where a sum would leave 18 digits, without the row that would do it
        rows = np.flatnonzero(admission.ok)
        booking = _Booking(ledger, block, fills.chosen(rows))
        overflow = booking.overflow()
        if not overflow.any():
            break
        holds = np.ones(len(columns), np.bool_)
        holds[rows[overflow]] = False
        admission.require(
            holds,
            Reason.AMOUNT_OUT_OF_RANGE,
            lambda row: "the account's position or balance would be beyond 18 digits",
        )
    booking.book()
    ledger.fill_ids(block.partition).remember(booking.fills.hashed)
    return Applied(len(rows), admission.refused, booking.touched())


class _Booking:
    """The admitted rows of one block, from rows of the book to ledger entries."""

    def __init__(self, ledger: Ledger, block: Block, fills: Fills) -> None:
        """Finds the rows of the book."""
        self._ledger, self._partition, self.fills = ledger, block.partition, fills
        book, rules, data = ledger.book, ledger.rules, fills.columns.data
        instruments = fills.instruments
        spot = rules.spot[instruments]
        self._isolated = (data["margin_mode"] == ISOLATED) & ~spot
        accounts = book.account_rows(data["account_id"], block.partition)
        self._applied = (accounts, block.offsets[fills.columns.rows])
        self._cross = book.bucket_rows(accounts, np.full(len(fills), CROSS))
        self._bucket = self._cross
        if self._isolated.any():
            pools = np.where(self._isolated, instruments, CROSS)
            self._bucket = book.bucket_rows(accounts, pools)
        self._held = np.flatnonzero(~spot)
        self._position = book.position_rows(self._bucket[self._held], instruments[self._held])
        self._deltas = (fills.signed_e8[self._held], fills.value_e8[self._held])
        trades, ids = (fills.signed_e8, fills.value_e8), data["liquidation_id"]
        self._penalty_e8 = penalties_e8(ledger, self._bucket, instruments, ids, trades)
        self._penalty_e8[spot] = 0
        self._entries = [
            (book.balance_rows(bucket, asset), amount_e8)
            for bucket, asset, amount_e8 in self._movements(spot)
            if amount_e8.any()
        ]

    def _movements(self, spot: Bools) -> Iterator[tuple[Int64s, Int64s, Int64s]]:
        """Buckets, assets, amounts."""
        fills, rules = self.fills, self._ledger.rules
        yield self._cross, fills.fee_assets, -fills.columns.data["fee_e8"]
        if self._isolated.any() or self._penalty_e8.any():
            settlement = rules.contracts.settlement[fills.instruments]
            margin_e8 = np.where(self._isolated, fills.columns.data["isolated_margin_e8"], 0)
            yield self._cross, settlement, -margin_e8
            yield self._bucket, settlement, margin_e8 - self._penalty_e8
        if spot.any():
            yield self._cross, rules.base[fills.instruments], np.where(spot, fills.base_e8, 0)
            yield self._cross, rules.quote[fills.instruments], np.where(spot, -fills.value_e8, 0)

    def overflow(self) -> Bools:
        """bool[n]: rows that would bring a position or a balance beyond 18 digits."""
        book, overflow = self._ledger.book, np.zeros(len(self.fills), np.bool_)
        for delta_e8, column in zip(self._deltas, ("quantity_e8", "cost_e8"), strict=True):
            fits = fits_running(self._position, delta_e8, book.positions[column])
            overflow[self._held] |= ~fits
        for balance, amount_e8 in self._entries:
            overflow |= ~fits_running(balance, amount_e8, book.balances["amount_e8"])
        return overflow

    def book(self) -> None:
        book, rules = self._ledger.book, self._ledger.rules
        book.applied("fills", *self._applied)
        for balance, amount_e8 in self._entries:
            np.add.at(book.balances["amount_e8"], balance, amount_e8)
        fees = (self.fills.fee_assets, self.fills.columns.data["fee_e8"])
        post_slices(book, rules, self._partition, "fees", fees)
        penalised = np.flatnonzero(self._penalty_e8)
        settlement = rules.contracts.settlement[self.fills.instruments[penalised]]
        penalties = (settlement, self._penalty_e8[penalised])
        post_slices(book, rules, self._partition, "penalties", penalties)
        if len(self._position):
            add_positions(book, rules, self._partition, self._position, self._deltas)

    def touched(self) -> Int64s:
        if self._bucket is self._cross:
            return np.unique(self._cross)
        return np.unique(np.concatenate([self._bucket, self._cross]))
