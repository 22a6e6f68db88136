"""Ledger entries into the book: positions that close settle their cost, whatever the block size."""

import numpy as np

from risk.compiled import compiled
from schemas.block import Int64s
from streams.state.account_book import AccountBook
from streams.state.rules import Rules


def post_slices(
    book: AccountBook, rules: Rules, partition: int, name: str, by_asset: tuple[Int64s, Int64s]
) -> None:
    """Post amounts (assets int64[n], amounts int64[n]) to `@name:ASSET`, one slice an asset."""
    assets, amounts_e8 = by_asset
    if not amounts_e8.any():
        return
    named, totals_e8 = _totals(assets, amounts_e8)
    names = [f"@{name}:{rules.assets[asset]}" for asset in named.tolist()]
    book.post(book.system_buckets(names, partition), named, totals_e8)


def add_positions(
    book: AccountBook, rules: Rules, partition: int, rows: Int64s, deltas: tuple[Int64s, Int64s]
) -> None:
    """Add (quantity, cost) int64[n] to position rows int64[n], in the order given.

    Whenever a position comes to zero its cost is realised: it moves to the partition's settlement
    account of the instrument, and so does the same amount of the settlement asset. Both sides
    of every movement stay in the book, so sums of cost and of balances are kept.
    """
    quantity_e8, cost_e8 = (book.positions[name] for name in ("quantity_e8", "cost_e8"))
    closed, swept_e8 = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = _add(rows, deltas, (quantity_e8, cost_e8), (closed, swept_e8))
    if count:
        _settle(book, rules, partition, (closed[:count], swept_e8[:count]))
    present = book.positions  # settling may put longer columns in place
    flat = (present["quantity_e8"][rows] == 0) & (present["cost_e8"][rows] == 0)
    book.held.release(np.unique(rows[flat]))


@compiled
def _add(
    rows: Int64s,
    deltas: tuple[Int64s, Int64s],
    present: tuple[Int64s, Int64s],
    swept: tuple[Int64s, Int64s],
) -> int:
    """Quantities and costs into `present`; row and cost of each that comes to zero into `swept`,
    in the order in which they do. How many these are."""
    quantity_e8, cost_e8 = present
    count = 0
    for place in range(len(rows)):
        row = rows[place]
        quantity_e8[row] += deltas[0][place]
        cost_e8[row] += deltas[1][place]
        if quantity_e8[row] == 0:
            swept[0][count], swept[1][count] = row, cost_e8[row]
            cost_e8[row] = 0
            count += 1
    return count


def _settle(book: AccountBook, rules: Rules, partition: int, swept: tuple[Int64s, Int64s]) -> None:
    rows, cost_e8 = swept
    instruments = book.positions["instrument"][rows]
    settlement = rules.contracts.settlement
    distinct, totals_e8 = _totals(instruments, cost_e8)
    names = [f"@settlement:{rules.instruments[number]}" for number in distinct.tolist()]
    slices = book.system_buckets(names, partition)
    book.post(
        np.concatenate([book.positions["bucket"][rows], slices]),
        settlement[np.concatenate([instruments, distinct])],
        np.concatenate([-cost_e8, totals_e8]),
    )
    held = book.position_rows(slices, distinct)  # may put longer columns in place
    book.positions["cost_e8"][held] += totals_e8


def _totals(numbers: Int64s, amounts_e8: Int64s) -> tuple[Int64s, Int64s]:
    """The distinct numbers, ascending, and the sum of the amounts of each."""
    totals_e8 = np.zeros(numbers.max(initial=-1) + 1, np.int64)
    np.add.at(totals_e8, numbers, amounts_e8)
    distinct = np.flatnonzero(np.bincount(numbers))
    return distinct, totals_e8[distinct]
