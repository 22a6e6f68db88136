"""Legs of transfers into the book, each once; what an account cannot take goes back."""

from typing import Any

import numpy as np

from risk.liquidation.stages import Stage
from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from streams.state.admission import Admission, Bools, fits_running
from streams.state.entries import (
    bucket_rows,
    fund_movements,
    note_applied,
    numbers,
    pools,
    refuse_overflow,
    require_fresh,
)
from streams.state.ledger import INSURANCE, Applied, Ledger, Returned
from streams.state.postings import add_positions

TAKEOVER, AUCTION, DELEVERAGE = 1, 2, 3
ASKING = (AUCTION, DELEVERAGE)
"""Kinds whose legs an account of people may have to turn away."""
RETURNS, SOCIALISED = "returns", "socialised"
"""Slices of the partition: of legs that were turned away, of losses that its winners share."""


def apply_transfers(ledger: Ledger, block: Block, columns: Columns) -> Applied:
    """Legs of transfers, each once: an amount of an asset, or a position with its cost.

    A leg of an auction or of deleveraging that its account cannot take now is posted to the
    partition's `@returns:` slice instead, and told in `returned`: what was taken from the fund
    goes back there, and at no time is it nowhere.
    """
    if len(columns) > 1 and np.isin(columns.data["kind"], ASKING).any():
        # one by one: whether a leg can be taken depends on those before it
        singles = (columns.chosen(np.array([row])) for row in range(len(columns)))
        return Applied.joined([apply_transfers(ledger, block, one) for one in singles])
    admission, data, rules = Admission(columns), columns.data, ledger.rules
    partition = block.partition
    admission.require_text("account_id", "transfer_id", "bucket")
    admission.require_key(block.keys, data["account_id"])
    ledger.require_partition(admission, block.partition)
    admission.require_time()
    for field in ("amount_e8", "quantity_e8", "cost_e8"):
        admission.require_range(field)
    names = [None if bucket == "cross" else bucket for bucket in data["bucket"]]
    isolated = pools(ledger, admission, names)
    assets = numbers(admission, data["asset"], rules.asset_number, Reason.UNKNOWN_ASSET)
    instruments = numbers(admission, data["instrument_id"], rules.number, Reason.UNKNOWN_INSTRUMENT)
    ids = [f"{name}#{leg}" for name, leg in zip(data["transfer_id"], data["leg"], strict=True)]
    recent = ledger.recent_ids("transfers", partition)
    hashed = require_fresh(recent, admission, ids)
    for row, (name, one) in enumerate(zip(data["account_id"], ids, strict=True)):
        ledger.read_back(partition, name, one)
        if name.startswith(INSURANCE):
            ledger.arrives(name, data["transfer_id"][row], int(data["more"][row]))
    rows = np.flatnonzero(admission.ok)
    buckets, _ = bucket_rows(
        ledger, partition, [data["account_id"][r] for r in rows.tolist()], isolated[rows]
    )
    keep = _legs_fit(ledger, (buckets, assets[rows], instruments[rows]), data, rows)
    refuse_overflow(admission, rows[~keep])
    rows, buckets = rows[keep], buckets[keep]
    asked = buckets.copy()
    returned = _turned_away(ledger, partition, buckets, data, rows)
    money, held = assets[rows] >= 0, instruments[rows] >= 0
    movements = fund_movements(ledger, columns, rows[money], "transfer_id")
    ledger.book.post(buckets[money], assets[rows][money], data["amount_e8"][rows][money])
    if held.any():
        position = ledger.book.position_rows(buckets[held], instruments[rows][held])
        deltas = (data["quantity_e8"][rows][held], data["cost_e8"][rows][held])
        add_positions(ledger.book, rules, partition, position, deltas)
    _end_takeovers(ledger, buckets, data, rows)
    recent.remember(hashed[rows])
    note_applied(ledger, block, columns, rows, asked)
    return Applied(len(rows), admission.refused, np.unique(buckets), movements, returned)


def _turned_away(
    ledger: Ledger, partition: int, buckets: Int64s, data: dict[str, Any], rows: Int64s
) -> list[Returned]:
    """Legs that cannot be taken; their places in `buckets` are given to the slice of returns."""
    returned = []
    for place, row in enumerate(rows.tolist()):
        name, instrument = data["account_id"][row], data["instrument_id"][row]
        if data["kind"][row] not in ASKING or name[:1] == "@" or instrument is None:
            continue
        number = ledger.rules.number[instrument]
        amounts = int(data["quantity_e8"][row]), int(data["cost_e8"][row])
        bucket, position = int(buckets[place]), (number, *amounts)
        asset = ledger.rules.assets[int(ledger.rules.contracts.settlement[number])]
        if data["kind"][row] == AUCTION:
            takes = ledger.affords(bucket, position)
        else:  # not while it may be giving of the same gain to a loss that is shared
            shares = ledger.awaited.get((partition, f"@{SOCIALISED}:{asset}#{partition}"))
            takes = not shares and _closes(ledger, bucket, position)
        if takes:
            continue
        buckets[place] = ledger.book.system_bucket(f"@{RETURNS}:{asset}", partition)
        returned.append(Returned(data["transfer_id"][row], asset, instrument, *amounts))
    return returned


def _closes(ledger: Ledger, bucket: int, position: tuple[int, int, int]) -> bool:
    """Whether a position of the bucket is closed by that quantity without a loss at that cost.

    Not where the bucket is being liquidated itself: an order of its own may be filled meanwhile.
    """
    book, (instrument, quantity_e8, cost_e8) = ledger.book, position
    if book.buckets["stage"][bucket] >= Stage.REDUCING:
        return False
    row = book.position_rows(np.array([bucket]), np.array([instrument]))[0]
    held_e8 = int(book.positions["quantity_e8"][row])
    paid_e8 = int(book.positions["cost_e8"][row])
    opposite = held_e8 * quantity_e8 < 0 and abs(quantity_e8) <= abs(held_e8)
    return opposite and cost_e8 * abs(held_e8) + paid_e8 * abs(quantity_e8) <= 0


def _end_takeovers(ledger: Ledger, buckets: Int64s, data: dict[str, Any], rows: Int64s) -> None:
    """The last leg of a takeover frees the bucket: what it holds from now on is its own again.

    Legs alternate between the bucket and the funds, so its last one is the last but one of all.
    """
    last = (data["kind"][rows] == TAKEOVER) & (data["leg"][rows] == data["legs"][rows] - 2)
    stage = ledger.book.buckets["stage"]
    ended = buckets[last]
    stage[ended[stage[ended] == Stage.TAKEN_OVER]] = Stage.HEALTHY


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
