"""Collateral changes, transfer legs and funding into the book."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from risk.liquidation.stages import Stage
from risk.valuation import contract_value
from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.account_book import CROSS
from streams.state.admission import Admission, Bools, fits_running
from streams.state.ledger import INSURANCE, Applied, FundMovement, Ledger
from streams.state.postings import add_positions
from streams.state.recent_ids import RecentIds, UInt64s, hashes

DEPOSIT, WITHDRAWAL, TRANSFER = 0, 1, 2
TAKEOVER = 1
COLLATERAL_KINDS = ("DEPOSIT", "WITHDRAWAL", "TRANSFER", "ADJUSTMENT")


def apply_collateral(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Deposits, withdrawals and adjustments into a bucket; TRANSFER between two of an account."""
    admission, data, partition = Admission(columns), columns.data, block.partition
    admission.require_text("account_id", "collateral_id", "asset")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    assets = admission.numbers("asset", ledger.rules.asset_number, Reason.UNKNOWN_ASSET)
    pools = _pools(ledger, admission, data["isolated_instrument_id"])
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
        (kind != TRANSFER) | (pools != CROSS),
        Reason.MISSING_FIELD,
        lambda row: "isolated_instrument_id is needed for a TRANSFER",
    )
    recent = ledger.recent_ids("collateral", partition)
    hashed = _require_fresh(recent, admission, data["collateral_id"])
    rows = np.flatnonzero(admission.ok)
    buckets, cross = _buckets(
        ledger, partition, [data["account_id"][r] for r in rows.tolist()], pools[rows]
    )
    moved = np.where(kind[rows] == TRANSFER, amount_e8[rows], 0)
    entries = [(buckets, assets[rows], amount_e8[rows]), (cross, assets[rows], -moved)]
    keep = _fits(ledger, entries)
    _refuse_overflow(admission, rows[~keep])
    entries = [(bucket[keep], asset[keep], amount[keep]) for bucket, asset, amount in entries]
    rows = rows[keep]
    movements = _fund_movements(ledger, columns, rows, "collateral_id")
    for bucket, asset, amount in entries:
        ledger.book.post(bucket, asset, amount)
    for row in rows[kind[rows] != TRANSFER].tolist():
        ledger.external_e8[partition, data["asset"][row]] += int(amount_e8[row])
    recent.remember(hashed[rows])
    _applied(ledger, block, columns, rows, entries[0][0])
    touched = np.unique(np.concatenate([entries[0][0], entries[1][0]]))
    return Applied(len(rows), admission.refused, touched, movements)


def apply_transfers(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Legs of transfers, each once: an amount of an asset, or a position with its cost."""
    admission, data, rules = Admission(columns), columns.data, ledger.rules
    partition = block.partition
    admission.require_text("account_id", "transfer_id", "bucket")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    for field in ("amount_e8", "quantity_e8", "cost_e8"):
        admission.require_range(field)
    names = [None if bucket == "cross" else bucket for bucket in data["bucket"]]
    pools = _pools(ledger, admission, names)
    assets = _numbers(admission, data["asset"], rules.asset_number, Reason.UNKNOWN_ASSET)
    instruments = _numbers(
        admission, data["instrument_id"], rules.number, Reason.UNKNOWN_INSTRUMENT
    )
    ids = [f"{name}#{leg}" for name, leg in zip(data["transfer_id"], data["leg"], strict=True)]
    recent = ledger.recent_ids("transfers", partition)
    hashed = _require_fresh(recent, admission, ids)
    rows = np.flatnonzero(admission.ok)
    buckets, _ = _buckets(
        ledger, partition, [data["account_id"][r] for r in rows.tolist()], pools[rows]
    )
    keep = _legs_fit(ledger, (buckets, assets[rows], instruments[rows]), data, rows)
    _refuse_overflow(admission, rows[~keep])
    rows, buckets = rows[keep], buckets[keep]
    money, held = assets[rows] >= 0, instruments[rows] >= 0
    movements = _fund_movements(ledger, columns, rows[money], "transfer_id")
    ledger.book.post(buckets[money], assets[rows][money], data["amount_e8"][rows][money])
    if held.any():
        position = ledger.book.position_rows(buckets[held], instruments[rows][held])
        deltas = (data["quantity_e8"][rows][held], data["cost_e8"][rows][held])
        add_positions(ledger.book, rules, partition, position, deltas)
    _end_takeovers(ledger, buckets, data, rows)
    recent.remember(hashed[rows])
    _applied(ledger, block, columns, rows, buckets)
    return Applied(len(rows), admission.refused, np.unique(buckets), movements)


def _applied(ledger: Ledger, block: Block, columns: Columns, rows: Int64s, buckets: Int64s) -> None:
    accounts = ledger.book.buckets["account"][buckets]
    ledger.book.applied(block.topic, accounts, block.offsets[columns.rows[rows]])


def _end_takeovers(ledger: Ledger, buckets: Int64s, data: dict[str, Any], rows: Int64s) -> None:
    """The last leg of a takeover frees the bucket: what it holds from now on is its own again.

    Legs alternate between the bucket and the funds, so its last one is the last but one of all.
    """
    last = (data["kind"][rows] == TAKEOVER) & (data["leg"][rows] == data["legs"][rows] - 2)
    stage = ledger.book.buckets["stage"]
    ended = buckets[last]
    stage[ended[stage[ended] == Stage.TAKEN_OVER]] = Stage.HEALTHY


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


def _pools(ledger: Ledger, admission: Admission, names: Sequence[str | None]) -> Int64s:
    """int64[n]: the isolated instrument of each row's bucket, or CROSS."""
    return _numbers(admission, names, ledger.rules.number, Reason.UNKNOWN_INSTRUMENT)


def _numbers(
    admission: Admission, names: Sequence[str | None], number: dict[str, int], reason: Reason
) -> Int64s:
    """int64[n]: numbers of names, -1 where there is no name; unknown names are refused."""
    found = np.fromiter(
        (-1 if name is None else number.get(name, -2) for name in names), np.int64, len(names)
    )
    admission.require(found > -2, reason, lambda row: f"{names[row]!r} is not known")
    return np.maximum(found, -1)


def _require_fresh(recent: RecentIds, admission: Admission, ids: Sequence[str]) -> UInt64s:
    """Refuse ids that were seen; returns the hashes of all."""
    hashed = hashes(ids)
    admission.require(
        recent.first_seen(hashed, admission.ok),
        Reason.DUPLICATE_ID,
        lambda row: f"id {ids[row]!r} was seen before",
    )
    return hashed


def _buckets(
    ledger: Ledger, partition: int, names: Sequence[str], pools: Int64s
) -> tuple[Int64s, Int64s]:
    accounts = ledger.book.account_rows(names, partition)
    cross = ledger.book.bucket_rows(accounts, np.full(len(accounts), CROSS))
    return ledger.book.bucket_rows(accounts, pools), cross


def _fits(ledger: Ledger, entries: list[tuple[Int64s, Int64s, Int64s]]) -> Bools:
    fits = np.ones(len(entries[0][0]), np.bool_)
    for bucket, asset, amount_e8 in entries:
        rows = ledger.book.balance_rows(bucket, asset)
        fits &= fits_running(rows, amount_e8, ledger.book.balances["amount_e8"])
    return fits


def _legs_fit(
    ledger: Ledger, place: tuple[Int64s, Int64s, Int64s], data: dict[str, Any], rows: Int64s
) -> Bools:
    """bool[n]: legs after which balance and position still have 18 digits."""
    buckets, assets, instruments = place
    fits = np.ones(len(rows), np.bool_)
    money, held = assets >= 0, instruments >= 0
    if money.any():
        balance = ledger.book.balance_rows(buckets[money], assets[money])
        present = ledger.book.balances["amount_e8"]
        fits[money] &= fits_running(balance, data["amount_e8"][rows][money], present)
    if held.any():
        position = ledger.book.position_rows(buckets[held], instruments[held])
        for field in ("quantity_e8", "cost_e8"):
            present = ledger.book.positions[field]
            fits[held] &= fits_running(position, data[field][rows][held], present)
    return fits


def _refuse_overflow(admission: Admission, rows: Int64s) -> None:
    holds = np.ones(len(admission.columns), np.bool_)
    holds[rows] = False
    admission.require(
        holds,
        Reason.AMOUNT_OUT_OF_RANGE,
        lambda row: "the account's balance would be beyond 18 digits",
    )


def _fund_movements(
    ledger: Ledger, columns: Columns, rows: Int64s, id_field: str
) -> list[FundMovement]:
    """What these rows are about to do to insurance funds; balances run on from the book's."""
    data: dict[str, Any] = columns.data
    balance_e8: dict[tuple[str, str], int] = {}
    movements = []
    for row in rows.tolist():
        name, asset = data["account_id"][row], data["asset"][row]
        if not name.startswith(INSURANCE):
            continue
        if (name, asset) not in balance_e8:
            number = ledger.rules.asset_number[asset]
            balance_e8[name, asset] = ledger.fund_balance_e8(name, number)
        change = int(data["amount_e8"][row])
        balance_e8[name, asset] += change
        reason = COLLATERAL_KINDS[data["kind"][row]] if id_field == "collateral_id" else "TRANSFER"
        movements.append(
            FundMovement(
                name,
                asset,
                change,
                balance_e8[name, asset],
                reason,
                data[id_field][row],
                int(data["event_time"][row]),
            )
        )
    return movements
