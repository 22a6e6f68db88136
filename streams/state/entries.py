"""What collateral and transfers share: whose bucket a row means, and what it may not do."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.account_book import CROSS
from streams.state.admission import Admission
from streams.state.ledger import INSURANCE, FundMovement, Ledger
from streams.state.recent_ids import RecentIds, UInt64s, hashes

COLLATERAL_KINDS = ("DEPOSIT", "WITHDRAWAL", "TRANSFER", "ADJUSTMENT")


def pools(ledger: Ledger, admission: Admission, names: Sequence[str | None]) -> Int64s:
    """int64[n]: the isolated instrument of each row's bucket, or CROSS."""
    return numbers(admission, names, ledger.rules.number, Reason.UNKNOWN_INSTRUMENT)


def numbers(
    admission: Admission, names: Sequence[str | None], number: dict[str, int], reason: Reason
) -> Int64s:
    """int64[n]: numbers of names, -1 where there is no name; unknown names are refused."""
    found = np.fromiter(
        (-1 if name is None else number.get(name, -2) for name in names), np.int64, len(names)
    )
    admission.require(found > -2, reason, lambda row: f"{names[row]!r} is not known")
    return np.maximum(found, -1)


def require_fresh(recent: RecentIds, admission: Admission, ids: Sequence[str]) -> UInt64s:
    """Refuse ids that were seen; returns the hashes of all."""
    hashed = hashes(ids)
    admission.require(
        recent.first_seen(hashed, admission.ok),
        Reason.DUPLICATE_ID,
        lambda row: f"id {ids[row]!r} was seen before",
    )
    return hashed


def bucket_rows(
    ledger: Ledger, partition: int, names: Sequence[str], pools: Int64s
) -> tuple[Int64s, Int64s]:
    accounts = ledger.book.account_rows(names, partition)
    cross = ledger.book.bucket_rows(accounts, np.full(len(accounts), CROSS))
    return ledger.book.bucket_rows(accounts, pools), cross


def note_applied(
    ledger: Ledger, block: Block, columns: Columns, rows: Int64s, buckets: Int64s
) -> None:
    accounts = ledger.book.buckets["account"][buckets]
    ledger.book.applied(block.topic, accounts, block.offsets[columns.rows[rows]])


def refuse_overflow(admission: Admission, rows: Int64s) -> None:
    holds = np.ones(len(admission.columns), np.bool_)
    holds[rows] = False
    admission.require(
        holds,
        Reason.AMOUNT_OUT_OF_RANGE,
        lambda row: "the account's balance would be beyond 18 digits",
    )


def fund_movements(
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
