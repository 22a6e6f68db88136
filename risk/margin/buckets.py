"""Equity and margin of every bucket from its positions, balances, marks and rules.

Cross and isolated margin are this one function on different buckets: a cross bucket holds many
positions and all free collateral, an isolated one a single position and what was set aside for it.
"""

import numpy as np

from risk.compiled import compiled, worth_sharing
from risk.holdings import (
    Balances,
    MarginState,
    Positions,
    PositionState,
    Rules,
)
from risk.margin import columns
from risk.margin.columns import plain
from risk.margin.kernel import Flags, evaluate_part, evaluate_parts
from risk.margin.layout import FAILURES, NONE, ROW, UNORDERED
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

MISSING = "a position or balance names no instrument or asset of the rules"

PART = 8_192
"""Rows that are gone over at a time."""
EMPTY = 16
"""Places for a balance that cost as much as a row, as most of many are empty."""
WORTH_SHARING = 32 * PART
"""Rows from which on the cores share them: 10 ms for one. Beside a busy broker a second core comes
late, and who shares a moment's work waits for it."""


States = tuple[MarginState, PositionState]
Rule = tuple[Columns, Flags]


def evaluate(
    positions: Positions,
    balances: Balances,
    marks_e8: Int64s,
    rules: Rules,
    size: int,
    *,
    into: States | None = None,
) -> States:
    """Margin state of buckets 0..size-1 and of every position.

    Parameters: `marks_e8` [I], the mark of each instrument; a mark of an instrument without a
    position is not read; `into`, states of as many buckets and positions that are done with: their
    columns are written over, which spares a large book fresh memory. Fastest where the rows of
    positions and balances ascend by bucket.

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
    held, owned = (
        tuple(plain(getattr(rows, name)) for name in rows.__slots__)
        for rows in (positions, balances)
    )
    tables, flags = columns.rules(rules)
    rule = (columns.market(marks_e8, rules), *tables), flags
    out = _empty(len(held[0]), size) if into is None else _taken_over(into, len(held[0]), size)
    failure = _fill(held, owned, rule, out)
    if failure == UNORDERED:
        order, order_of_owned = (rows_by_bucket(rows[0], size)[1] for rows in (held, owned))
        held, owned = _taken(held, order), _taken(owned, order_of_owned)
        failure = _fill(held, owned, rule, out)
        out = *_given_back(out[:4], order), *out[4:]
    _refuse(failure)
    *valued, initial, maintenance, equity, initial_equity = out
    _, (_, strict) = rule
    if not strict:  # nothing is counted otherwise
        initial_equity = equity
    return MarginState(equity, initial, maintenance, initial_equity), PositionState(*valued)


def _fill(held: Columns, owned: Columns, rule: Rule, out: Columns) -> int:
    """Fill the columns of the states; the lowest failure, see the kernel."""
    tables, flags = rule
    edges = _edges(held[0], owned[0], len(out[4]), len(tables[5]))
    if (np.diff(edges)[:, ::2] < 0).any():
        return UNORDERED
    if worth_sharing(len(held[0]) + len(owned[0]), WORTH_SHARING):
        return evaluate_parts(edges, (held, owned), tables, flags, out)
    return min(evaluate_part(edge, (held, owned), tables, flags, out) for edge in edges)


def _refuse(failure: int) -> None:
    if failure == NONE:
        return
    bucket, what = divmod(failure, FAILURES)
    if what == ROW:
        raise IndexError(MISSING)
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
    if rows < PART:
        return np.array([[0, size, 0, len(bucket), 0, len(owner)]])
    cuts = np.linspace(0, size, rows // PART + 2).astype(np.int64)
    edges = cuts, np.searchsorted(bucket, cuts), np.searchsorted(owner, cuts)
    for edge, last in zip(edges[1:], (len(bucket), len(owner)), strict=True):
        edge[0], edge[-1] = 0, last
    return np.stack([side for edge in edges for side in (edge[:-1], edge[1:])], axis=1)


def _empty(rows: int, size: int) -> Columns:
    """The columns to fill: of `PositionState`, then both margins, equity and initial equity."""
    of_positions = [np.empty(rows, np.int64) for _ in range(4)]
    return *of_positions, *(np.empty(size, np.int64) for _ in range(4))


def _taken_over(states: States, rows: int, size: int) -> Columns:
    margin, position = states
    initial_equity = margin.initial_equity_e8
    if initial_equity is margin.equity_e8:
        initial_equity = np.empty(size, np.int64)
    out = (
        *(getattr(position, name) for name in position.__slots__),
        margin.initial_margin_e8,
        margin.maintenance_margin_e8,
        margin.equity_e8,
        initial_equity,
    )
    if (len(out[0]), len(out[4])) != (rows, size):
        raise ValueError(
            f"states of {len(out[0])} positions and {len(out[4])} buckets"
            f" cannot take those of {rows} and {size}"
        )
    return out


@compiled
def rows_by_bucket(bucket: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """Where the rows of each bucket begin in their order by bucket [size + 1], and that order, ties
    by row; IndexError for a bucket out of range."""
    start, order = np.zeros(size + 1, np.int64), np.empty(len(bucket), np.int64)
    for row in range(len(bucket)):
        if not 0 <= bucket[row] < size:
            raise IndexError("a position or balance is of no bucket 0..size-1")
        start[bucket[row] + 1] += 1
    for place in range(size):
        start[place + 1] += start[place]
    next_place = start.copy()
    for row in range(len(bucket)):
        order[next_place[bucket[row]]] = row
        next_place[bucket[row]] += 1
    return start, order
