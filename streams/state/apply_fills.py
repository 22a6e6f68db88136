"""A block of fills into the book: refuse what breaks a rule, add up the rest."""

import numpy as np

from risk.valuation import contract_value
from schemas.block import Block, Columns, Int64s, picked
from schemas.dead_letter import DeadLetterReason as Reason
from schemas.units import multiply_e8
from streams.state.account_book import CROSS
from streams.state.admission import Admission, Bools, fits_running
from streams.state.ledger import Applied, Ledger
from streams.state.penalties import penalties_e8
from streams.state.postings import add_positions, post_slices
from streams.state.recent_ids import UInt64s, hashes

SELL = 1
ISOLATED = 1


def apply_fills(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Apply the rows that keep every rule, in their order.

    A fill adds signed quantity and cost to a position of its bucket (a SPOT fill moves two
    balances of the cross pool instead), pays its fee from the cross pool, and may bring collateral
    into its isolated bucket. One that answers the bucket's open liquidation order pays a penalty.
    """
    admission = Admission(columns)
    hashed = hashes(columns.data["fill_id"])
    instruments, fee_assets = _admit(ledger, block, admission, hashed)
    data = columns.data
    sign = np.where(data["side"] == SELL, -1, 1)
    signed_e8 = np.where(admission.ok, sign * data["quantity_e8"], 0)
    prices_e8 = np.where(admission.ok, data["price_e8"], 1)
    contracts = ledger.rules.contracts
    multiplier_e8 = contracts.multiplier_e8[instruments]
    value_e8, fits = contract_value(
        contracts.inverse[instruments], multiplier_e8, signed_e8, prices_e8
    )
    base_e8, base_fits = multiply_e8(signed_e8, multiplier_e8)
    admission.require(
        fits & base_fits,
        Reason.AMOUNT_OUT_OF_RANGE,
        lambda row: (
            f"quantity x price is beyond 18 digits "
            f"({data['quantity_e8'][row]} x {data['price_e8'][row]})"
        ),
    )
    booking = _Booking(ledger, block, columns, instruments, fee_assets)
    while True:  # again only where a sum would leave 18 digits, without the row that would do it
        rows = np.flatnonzero(admission.ok)
        overflow = booking.prepare(rows, signed_e8[rows], value_e8[rows], base_e8[rows])
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
    ledger.fill_ids(block.partition).remember(hashed[rows])
    return Applied(len(rows), admission.refused, booking.touched())


def _admit(
    ledger: Ledger, block: Block, admission: Admission, hashed: UInt64s
) -> tuple[Int64s, Int64s]:
    """Every rule that needs only the row itself; returns instrument and fee asset numbers."""
    rules, data = ledger.rules, admission.columns.data
    admission.require_text("account_id", "fill_id", "instrument_id", "fee_asset")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    instruments = admission.numbers("instrument_id", rules.number, Reason.UNKNOWN_INSTRUMENT)
    fee_assets = admission.numbers("fee_asset", rules.asset_number, Reason.UNKNOWN_ASSET)
    price, quantity = data["price_e8"], data["quantity_e8"]
    names = data["instrument_id"]
    if len(rules.instruments):
        settled = data["event_time"] > ledger.settled_us(block.partition)[instruments]
        tick = rules.contracts.tick_e8[instruments]
        lot = rules.contracts.lot_e8[instruments]
        admission.require(
            ~settled, Reason.SETTLED_INSTRUMENT, lambda row: f"{names[row]} is settled"
        )
        admission.require(
            price > 0,
            Reason.NON_POSITIVE_PRICE,
            lambda row: f"price_e8 {price[row]} is not positive",
        )
        admission.require(
            quantity > 0,
            Reason.NON_POSITIVE_QUANTITY,
            lambda row: f"quantity_e8 {quantity[row]} is not positive",
        )
        for field in ("price_e8", "quantity_e8", "fee_e8", "isolated_margin_e8"):
            admission.require_range(field)
        admission.require(
            price % np.maximum(tick, 1) == 0,
            Reason.OFF_TICK_PRICE,
            lambda row: f"price_e8 {price[row]} is no multiple of {tick[row]}",
        )
        admission.require(
            quantity % np.maximum(lot, 1) == 0,
            Reason.OFF_LOT_QUANTITY,
            lambda row: f"quantity_e8 {quantity[row]} is no multiple of {lot[row]}",
        )
    admission.require(
        ledger.fill_ids(block.partition).first_seen(hashed, admission.ok),
        Reason.DUPLICATE_ID,
        lambda row: f"fill_id {data['fill_id'][row]!r} was seen before",
    )
    return instruments, fee_assets


class _Booking:
    """The admitted rows of one block, from rows of the book to ledger entries."""

    def __init__(
        self,
        ledger: Ledger,
        block: Block,
        columns: Columns,
        instruments: Int64s,
        fee_assets: Int64s,
    ) -> None:
        self._ledger = ledger
        self._partition = block.partition
        self._offsets = block.offsets[columns.rows]
        self._data = columns.data
        self._instruments = instruments
        self._fee_assets = fee_assets

    def prepare(self, rows: Int64s, signed_e8: Int64s, value_e8: Int64s, base_e8: Int64s) -> Bools:
        """Find the rows of the book; bool[rows]: entries that would leave 18 digits."""
        book, rules, data = self._ledger.book, self._ledger.rules, self._data
        instruments = self._instruments[rows]
        spot = rules.spot[instruments]
        isolated = (data["margin_mode"][rows] == ISOLATED) & ~spot
        accounts = book.account_rows(picked(data["account_id"], rows), self._partition)
        self._applied = (accounts, self._offsets[rows])
        self._cross = book.bucket_rows(accounts, np.full(len(rows), CROSS, np.int64))
        self._bucket = self._cross
        if isolated.any():
            self._bucket = book.bucket_rows(accounts, np.where(isolated, instruments, CROSS))
        self._held = ~spot
        self._position = book.position_rows(self._bucket[~spot], instruments[~spot])
        self._deltas = (signed_e8[~spot], value_e8[~spot])
        margin_e8 = np.where(isolated, data["isolated_margin_e8"][rows], 0)
        settlement = rules.contracts.settlement[instruments]
        self._fees = (self._fee_assets[rows], data["fee_e8"][rows])
        ids = picked(data["liquidation_id"], rows)
        penalty_e8 = penalties_e8(
            self._ledger, self._bucket, instruments, ids, (signed_e8, value_e8)
        )
        penalty_e8[spot] = 0
        self._penalties = (settlement[penalty_e8 > 0], penalty_e8[penalty_e8 > 0])
        entries = [
            (self._cross, self._fees[0], -self._fees[1]),
            (self._cross, settlement, -margin_e8),
            (self._bucket, settlement, margin_e8 - penalty_e8),
            (self._cross, rules.base[instruments], np.where(spot, base_e8, 0)),
            (self._cross, rules.quote[instruments], np.where(spot, -value_e8, 0)),
        ]
        self._entries = [
            (book.balance_rows(bucket, asset), amount_e8)
            for bucket, asset, amount_e8 in entries
            if amount_e8.any()
        ]
        overflow = np.zeros(len(rows), np.bool_)
        for delta_e8, column in zip(self._deltas, ("quantity_e8", "cost_e8"), strict=True):
            overflow[~spot] |= ~fits_running(self._position, delta_e8, book.positions[column])
        for balance, amount_e8 in self._entries:
            overflow |= ~fits_running(balance, amount_e8, book.balances["amount_e8"])
        return overflow

    def book(self) -> None:
        ledger = self._ledger
        ledger.book.applied("fills", *self._applied)
        for balance, amount_e8 in self._entries:
            np.add.at(ledger.book.balances["amount_e8"], balance, amount_e8)
        for name, by_asset in (("fees", self._fees), ("penalties", self._penalties)):
            post_slices(ledger.book, ledger.rules, self._partition, name, by_asset)
        if len(self._position):
            add_positions(ledger.book, ledger.rules, self._partition, self._position, self._deltas)

    def touched(self) -> Int64s:
        return np.unique(np.concatenate([self._bucket, self._cross]))
