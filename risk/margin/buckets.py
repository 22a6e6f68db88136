"""Equity and margin of every bucket from its positions, balances, marks and rules.

Cross and isolated margin are this one function on different buckets: a cross bucket holds many
positions and all free collateral, an isolated one a single position and what was set aside for it.
"""

import numpy as np

from risk.compiled import compiled
from risk.holdings import Balances, MarginState, Positions, PositionState, Rules
from risk.margin import columns
from risk.margin.columns import plain
from risk.margin.kernel import (
    FAILURES,
    NONE,
    ROW,
    UNORDERED,
    Flags,
    evaluate_part,
    evaluate_parts,
)
from risk.margin.rows import Columns
from schemas.units import Int64s

WHAT = (
    "",  # ROW
    "value of a position",
    "profit of a position",
    "notional of a position",
    "margin of a position",
    "net balance of an asset",
    "value of an asset",
    "equity",
    "initial margin",
)
"""What does not fit, by its number in the kernel."""

PART = 8_192
"""Rows that are gone over at a time."""
EMPTY = 16
"""Places for a balance that cost as much as a row, as most of many are empty."""
WORTH_SHARING = 2 * PART
"""Rows from which on a second core saves more time than it costs to wake."""


def evaluate(
    positions: Positions, balances: Balances, marks_e8: Int64s, rules: Rules, size: int
) -> tuple[MarginState, PositionState]:
    """Margin state of buckets 0..size-1 and of every position.

    Parameters: `marks_e8` [I], the mark of each instrument; a mark of an instrument without a
    position is not read. Fastest where the rows of positions and balances ascend by bucket.

    Net balance of an asset in a bucket = balance + profits settled in it, so that a loss meets the
    balance of its own asset first; x asset price; less haircut, or times borrow weight; summed over
    assets: equity. Initial and maintenance margin are sums over positions; with `larger_leg` those
    of the larger of the long and of the short rows of each instrument. The initial equity counts
    assets at the lower and debts at the higher of price and slow price, and of the profit of all
    rows of an instrument, where positive, min(profit x weight, cap). All of it in integers: the
    result does not depend on the order of rows, nor on how balances are split into rows, nor on
    the number of cores.

    Raises OverflowError naming the lowest bucket row of an amount that does not fit, IndexError
    where a row names a bucket, instrument or asset that is not there.
    """
    rule = columns.rules(marks_e8, rules)
    held, owned = (
        tuple(plain(getattr(rows, name)) for name in rows.__slots__)
        for rows in (positions, balances)
    )
    failure, out = _filled(held, owned, rule, size)
    if failure == UNORDERED:
        order = order_of(held[0], size)
        held, owned = _taken(held, order), _taken(owned, order_of(owned[0], size))
        failure, out = _filled(held, owned, rule, size)
        out = *_given_back(out[:4], order), *out[4:]
    _refuse(failure)
    return MarginState(out[6], out[4], out[5], out[7]), PositionState(*out[:4])


def _filled(
    held: Columns, owned: Columns, rule: tuple[Columns, Flags], size: int
) -> tuple[int, Columns]:
    """The lowest failure, and the columns of the states; see the kernel."""
    tables, flags = rule
    out = _empty(len(held[0]), size, flags)
    edges = _edges(held[0], owned[0], size, len(tables[4]))
    if (np.diff(edges)[:, ::2] < 0).any():
        return UNORDERED, out
    if len(held[0]) + len(owned[0]) < WORTH_SHARING:
        parts = (evaluate_part(edge, (held, owned), tables, flags, out) for edge in edges)
        return min(parts), out
    return evaluate_parts(edges, (held, owned), tables, flags, out), out


def _refuse(failure: int) -> None:
    if failure == NONE:
        return
    bucket, what = divmod(failure, FAILURES)
    if what == ROW:
        raise IndexError("a position or balance names no instrument or asset of the rules")
    raise OverflowError(f"bucket row {bucket}: {WHAT[what]} is beyond 9,999,999,999.99999999")


def _taken(rows: Columns, order: Int64s) -> Columns:
    return tuple(column[order] for column in rows)


def _given_back(rows: Columns, order: Int64s) -> Columns:
    """The columns in the order they had before `_taken`."""
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return _taken(rows, back)


def _edges(bucket: Int64s, owner: Int64s, size: int, assets: int) -> Int64s:
    """First and last bucket, position and balance of each part [parts, 6].

    They cover every row, also where rows do not ascend; but a part may then end before it begins.
    """
    rows = len(bucket) + len(owner) + size * assets // EMPTY
    cuts = np.linspace(0, size, rows // PART + 2).astype(np.int64)
    edges = cuts, np.searchsorted(bucket, cuts), np.searchsorted(owner, cuts)
    for edge, last in zip(edges[1:], (len(bucket), len(owner)), strict=True):
        edge[0], edge[-1] = 0, last
    return np.stack([side for edge in edges for side in (edge[:-1], edge[1:])], axis=1)


def _empty(rows: int, size: int, flags: Flags) -> Columns:
    """The columns to fill; where nothing tells them apart both equities are one and the same."""
    valued = [np.empty(rows, np.int64) for _ in range(4)]
    initial, maintenance, equity = (np.empty(size, np.int64) for _ in range(3))
    _, strict = flags
    return *valued, initial, maintenance, equity, np.empty(size, np.int64) if strict else equity


@compiled
def order_of(bucket: Int64s, size: int) -> Int64s:
    """The rows in the order of their buckets, ties by row; IndexError for a bucket out of range."""
    start, order = np.zeros(size + 1, np.int64), np.empty(len(bucket), np.int64)
    for row in range(len(bucket)):
        if not 0 <= bucket[row] < size:
            raise IndexError("a position or balance is of no bucket 0..size-1")
        start[bucket[row] + 1] += 1
    for place in range(size):
        start[place + 1] += start[place]
    for row in range(len(bucket)):
        order[start[bucket[row]]] = row
        start[bucket[row]] += 1
    return order
