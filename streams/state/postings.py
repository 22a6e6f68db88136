"""Ledger entries into the book: positions that close settle their cost, whatever the block size."""

import numpy as np

from schemas.block import Int64s
from streams.state.account_book import AccountBook
from streams.state.rules import Rules


def post_slices(
    book: AccountBook, rules: Rules, partition: int, name: str, by_asset: tuple[Int64s, Int64s]
) -> None:
    """Post amounts (assets int64[n], amounts int64[n]) to `@name:ASSET`, one slice an asset."""
    assets, amounts_e8 = by_asset
    for asset in np.unique(assets).tolist():
        bucket = book.system_bucket(f"@{name}:{rules.assets[asset]}", partition)
        total = int(amounts_e8[assets == asset].sum())
        book.post(np.array([bucket]), np.array([asset]), np.array([total], np.int64))


def add_positions(
    book: AccountBook, rules: Rules, partition: int, rows: Int64s, deltas: tuple[Int64s, Int64s]
) -> None:
    """Add (quantity, cost) int64[n] to position rows int64[n], in the order given.

    Whenever a position comes to zero its cost is realised: it moves to the partition's settlement
    account of the instrument, and so does the same amount of the settlement asset. Both sides
    of every movement stay in the book, so sums of cost and of balances are kept. Only the last
    zero in a block needs looking for: what was swept before it adds up to the same.
    """
    quantity_e8, cost_e8 = deltas
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    starts = np.flatnonzero(np.r_[True, sorted_rows[1:] != sorted_rows[:-1]])
    ends = np.r_[starts[1:], len(rows)] - 1
    group = np.cumsum(np.r_[0, sorted_rows[1:] != sorted_rows[:-1]])
    distinct = sorted_rows[starts]
    present = book.positions
    quantity = _running(quantity_e8[order], starts, present["quantity_e8"][distinct])
    cost = _running(cost_e8[order], starts, present["cost_e8"][distinct])
    last_zero = np.full(len(starts), -1, np.int64)
    at_zero = np.flatnonzero(quantity == 0)
    np.maximum.at(last_zero, group[at_zero], at_zero)
    closes = last_zero >= 0
    swept = np.where(closes, cost[last_zero], 0)
    present["quantity_e8"][distinct] = quantity[ends]
    present["cost_e8"][distinct] = cost[ends] - swept
    if closes.any():
        _settle(book, rules, partition, (distinct[closes], swept[closes]))
    flat = (present["quantity_e8"][distinct] == 0) & (present["cost_e8"][distinct] == 0)
    book.held.release(distinct[flat])


def _running(deltas: Int64s, starts: Int64s, opening: Int64s) -> Int64s:
    """Running totals of each group, which begins at `starts` with `opening`."""
    totals = np.cumsum(deltas)
    lengths = np.diff(np.r_[starts, len(deltas)])
    before = totals[starts] - deltas[starts]
    running: Int64s = totals + np.repeat(opening - before, lengths)
    return running


def _settle(book: AccountBook, rules: Rules, partition: int, swept: tuple[Int64s, Int64s]) -> None:
    rows, cost_e8 = swept
    instruments = book.positions["instrument"][rows]
    assets = rules.contracts.settlement[instruments]
    book.post(book.positions["bucket"][rows], assets, -cost_e8)
    distinct, place = np.unique(instruments, return_inverse=True)
    totals = np.zeros(len(distinct), np.int64)
    np.add.at(totals, place, cost_e8)
    names = [rules.instruments[instrument] for instrument in distinct.tolist()]
    buckets = np.array([book.system_bucket(f"@settlement:{name}", partition) for name in names])
    book.post(buckets, rules.contracts.settlement[distinct], totals)
    rows = book.position_rows(buckets, distinct)  # may put longer columns in place
    book.positions["cost_e8"][rows] += totals
