"""A block of orders into the book: refuse what breaks a rule, keep the last of each order."""

import numpy as np

from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.account_book import CROSS
from streams.state.admission import Admission
from streams.state.apply_fills import ISOLATED
from streams.state.fill_rules import SELL
from streams.state.ledger import Applied, Ledger
from streams.state.open_orders import Orders
from streams.state.recent_ids import hashes


def apply_orders(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Apply the rows that keep every rule, in their order.

    A row takes the place of what was said before of the order of its id; one that leaves nothing
    removes it. So a record that comes again does no harm.
    """
    admission = Admission(columns)
    instruments = _admit(ledger, block, admission)
    data, book = columns.data, ledger.book
    rows = np.flatnonzero(admission.ok)
    names, ids = data["account_id"], data["order_id"]
    accounts = book.account_rows([names[row] for row in rows.tolist()], block.partition)
    book.applied("orders", accounts, block.offsets[columns.rows[rows]])
    traded = instruments[rows]
    isolated = (data["margin_mode"][rows] == ISOLATED) & ~ledger.rules.spot[traded]
    sign = np.where(data["side"][rows] == SELL, -1, 1)
    orders = Orders(
        account=accounts,
        id_hash=hashes([ids[row] for row in rows.tolist()]),
        bucket=book.bucket_rows(accounts, np.where(isolated, traded, CROSS)),
        instrument=traded,
        signed_e8=sign * data["remaining_e8"][rows],
        reduce_only=data["reduce_only"][rows],
    )
    if book.orders.surely_fit(orders):
        touched = book.orders.put(orders)
        return Applied(len(rows), admission.refused, touched)
    return _one_by_one(ledger, orders, admission, rows)


def _one_by_one(ledger: Ledger, orders: Orders, admission: Admission, rows: Int64s) -> Applied:
    """Near a limit: each order is looked at when those before it are in."""
    touched, faults = [], {}
    for nth, row in enumerate(rows.tolist()):
        one = orders.chosen(np.array([nth]))
        fault = ledger.book.orders.fault(one)
        if fault is None:
            touched.append(ledger.book.orders.put(one))
        else:
            faults[row] = fault
    holds = np.ones(len(admission.ok), np.bool_)
    holds[list(faults)] = False
    admission.require(holds, Reason.AMOUNT_OUT_OF_RANGE, lambda row: faults[row])
    buckets = np.unique(np.concatenate([np.empty(0, np.int64), *touched]))
    return Applied(len(rows) - len(faults), admission.refused, buckets)


def _admit(ledger: Ledger, block: Block, admission: Admission) -> Int64s:
    """Every rule that needs only the row itself; returns instrument numbers.

    What removes an order is not held to tick, lot or settlement: they may have changed since.
    """
    rules, data = ledger.rules, admission.columns.data
    admission.require_text("account_id", "order_id", "instrument_id")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    instruments = admission.numbers("instrument_id", rules.number, Reason.UNKNOWN_INSTRUMENT)
    if not len(rules.instruments):
        return instruments
    price_e8, remaining_e8, names = data["price_e8"], data["remaining_e8"], data["instrument_id"]
    gone = remaining_e8 == 0
    settled = data["event_time"] > ledger.settled_us(block.partition)[instruments]
    tick_e8 = np.maximum(rules.contracts.tick_e8[instruments], 1)
    lot_e8 = np.maximum(rules.contracts.lot_e8[instruments], 1)
    admission.require(
        gone | ~settled, Reason.SETTLED_INSTRUMENT, lambda row: f"{names[row]} is settled"
    )
    admission.require_positive("price_e8", Reason.NON_POSITIVE_PRICE)
    admission.require(
        remaining_e8 >= 0,
        Reason.NON_POSITIVE_QUANTITY,
        lambda row: f"remaining_e8 {remaining_e8[row]} is negative",
    )
    admission.require_range("price_e8")
    admission.require_range("remaining_e8")
    admission.require(
        gone | (price_e8 % tick_e8 == 0),
        Reason.OFF_TICK_PRICE,
        lambda row: f"price_e8 {price_e8[row]} is no multiple of {tick_e8[row]}",
    )
    admission.require(
        remaining_e8 % lot_e8 == 0,
        Reason.OFF_LOT_QUANTITY,
        lambda row: f"remaining_e8 {remaining_e8[row]} is no multiple of {lot_e8[row]}",
    )
    return instruments
