"""Collateral changes and funding into the book."""

import numpy as np

from risk.valuation import contract_value
from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.account_book import CROSS
from streams.state.admission import Admission, Bools, fits_running
from streams.state.entries import (
    COLLATERAL_KINDS,
    bucket_rows,
    fund_movements,
    note_applied,
    pools,
    refuse_overflow,
    require_fresh,
)
from streams.state.ledger import Applied, Ledger

DEPOSIT, WITHDRAWAL, TRANSFER = 0, 1, 2


def apply_collateral(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Deposits, withdrawals and adjustments into a bucket; TRANSFER between two of an account."""
    admission, data, partition = Admission(columns), columns.data, block.partition
    admission.require_text("account_id", "collateral_id", "asset")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    assets = admission.numbers("asset", ledger.rules.asset_number, Reason.UNKNOWN_ASSET)
    isolated = pools(ledger, admission, data["isolated_instrument_id"])
    kind, amount_e8 = data["kind"], data["amount_e8"]
    admission.require_range("amount_e8")
    admission.require(
        ~((kind == DEPOSIT) & (amount_e8 < 0) | (kind == WITHDRAWAL) & (amount_e8 > 0)),
        Reason.AMOUNT_OUT_OF_RANGE,
        lambda row: (
            f"a {COLLATERAL_KINDS[kind[row]]} of amount_e8 {amount_e8[row]} has the wrong sign"
        ),
    )
    admission.require(
        (kind != TRANSFER) | (isolated != CROSS),
        Reason.MISSING_FIELD,
        lambda row: "isolated_instrument_id is needed for a TRANSFER",
    )
    recent = ledger.recent_ids("collateral", partition)
    hashed = require_fresh(recent, admission, data["collateral_id"])
    rows = np.flatnonzero(admission.ok)
    buckets, cross = bucket_rows(
        ledger, partition, [data["account_id"][r] for r in rows.tolist()], isolated[rows]
    )
    moved = np.where(kind[rows] == TRANSFER, amount_e8[rows], 0)
    entries = [(buckets, assets[rows], amount_e8[rows]), (cross, assets[rows], -moved)]
    keep = _fits(ledger, entries)
    refuse_overflow(admission, rows[~keep])
    entries = [(bucket[keep], asset[keep], amount[keep]) for bucket, asset, amount in entries]
    rows = rows[keep]
    movements = fund_movements(ledger, columns, rows, "collateral_id")
    for bucket, asset, amount in entries:
        ledger.book.post(bucket, asset, amount)
    for row in rows[kind[rows] != TRANSFER].tolist():
        ledger.external_e8[partition, data["asset"][row]] += int(amount_e8[row])
    recent.remember(hashed[rows])
    note_applied(ledger, block, columns, rows, entries[0][0])
    touched = np.unique(np.concatenate([entries[0][0], entries[1][0]]))
    return Applied(len(rows), admission.refused, touched, movements)


def apply_funding(ledger: Ledger, partition: int, instrument: int, at: tuple[float, int]) -> Int64s:
    """Pay funding on every position of an instrument in a partition; returns the buckets touched.

    `at` is (rate, mark e8): longs pay notional x rate to shorts when the rate is positive, in the
    settlement asset, rounded to the nearest unit; the other side is the partition's `@funding:`
    slice.
    """
    book, rules = ledger.book, ledger.rules
    rate, mark_e8 = at
    positions = book.positions
    rows: Int64s = np.flatnonzero(
        positions.live & (positions["instrument"] == instrument) & (positions["quantity_e8"] != 0)
    )
    owner = book.buckets["account"][positions["bucket"][rows]]
    rows = rows[book.accounts["partition"][owner] == partition]
    if not len(rows):
        return rows
    numbers = np.full(len(rows), instrument)
    quantity_e8 = positions["quantity_e8"][rows]
    value_e8, _ = contract_value(
        rules.contracts.inverse[numbers],
        rules.contracts.multiplier_e8[numbers],
        quantity_e8,
        np.full(len(rows), mark_e8),
    )
    payment_e8 = np.rint(np.sign(quantity_e8) * np.abs(value_e8) * rate).astype(np.int64)
    buckets = positions["bucket"][rows]
    assets = rules.contracts.settlement[numbers]
    book.post(buckets, assets, -payment_e8)
    slice_ = book.system_bucket(f"@funding:{rules.instruments[instrument]}", partition)
    book.post(np.array([slice_]), assets[:1], np.array([payment_e8.sum()], np.int64))
    touched: Int64s = np.unique(buckets)
    return touched


def _fits(ledger: Ledger, entries: list[tuple[Int64s, Int64s, Int64s]]) -> Bools:
    fits = np.ones(len(entries[0][0]), np.bool_)
    for bucket, asset, amount_e8 in entries:
        rows = ledger.book.balance_rows(bucket, asset)
        fits &= fits_running(rows, amount_e8, ledger.book.balances["amount_e8"])
    return fits
