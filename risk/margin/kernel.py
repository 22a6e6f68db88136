"""The tiered margin of many buckets, compiled: passes over one part of the buckets at a time.

A part is small enough for its columns to stay in the cache. Positions are (bucket, instrument,
quantity, cost) and balances (bucket, asset, amount), both ascending by bucket; a table is one int64
array whose columns `layout` names. A failure is bucket x FAILURES + what does not fit, in the
order of the calculation, or NONE; UNORDERED where rows do not ascend by bucket.
"""

import numba
import numpy as np

from risk.compiled import compiled, compiled_parallel
from risk.margin.collateral import lowest, named_assets, net_balances, weigh_assets
from risk.margin.layout import (
    CAP,
    DIVISOR,
    FACE,
    FAILURES,
    FITS,
    INITIAL,
    INVERSE,
    MARGIN,
    MARK,
    MULTIPLIER,
    NONE,
    NOTIONAL,
    PAID_AT,
    PROFIT,
    ROW,
    SETTLEMENT,
    UNORDERED,
    VALUE,
    WEIGHT,
    WORTH,
    Span,
)
from risk.margin.rows import (
    OVER,
    Columns,
    absolute,
    divide_rows,
    exact_sums,
    index,
    mark_beyond,
    multiply_by,
    pick,
    require,
    subtract,
)
from schemas.units import LIMIT_E8, PPM, Int64s

Flags = tuple[bool, bool]


@compiled
def rows_with(flags: Int64s, of: Int64s) -> Int64s:
    """The rows whose flag, 0 or 1, is 1."""
    rows, count = np.empty(len(of), np.int64), 0
    for row in range(len(of)):
        rows[count] = row
        count += flags[index(of[row])]
    return rows[:count]


@compiled
def value_inverse(
    market: Int64s, positions: Columns, units: Int64s, valued: Columns, what: Int64s
) -> None:
    """Values of inverse contracts, whose units of the base they are too, and notionals."""
    value, notional = valued
    rows = rows_with(market[INVERSE], positions[1])
    instrument, quantity = pick(positions[1], rows), pick(positions[2], rows)
    work = np.empty((4, len(rows)), np.int64)
    contracts, worth, price, failed = work[0], work[1], work[2], work[3]
    failed[:] = FITS
    multiply_by(quantity, market[FACE], instrument, contracts, (failed, VALUE))
    divide_rows(contracts, pick(market[DIVISOR], instrument), worth, failed, VALUE)
    absolute(worth, contracts)
    multiply_by(contracts, market[WORTH], instrument, price, (failed, NOTIONAL))
    for place in range(len(rows)):
        row = index(rows[place])
        units[row] = value[row] = -worth[place]
        notional[row], what[row] = price[place], failed[place]


@compiled
def value_positions(positions: Columns, rules: Columns, out: Columns) -> int:
    """Profit, notional and both margins of positions."""
    bucket, instrument, quantity, cost = positions
    profit, notional, initial, maintenance = out
    market, first, tiers, premiums = rules
    work = np.empty((4, len(bucket)), np.int64)  # unpacked its rows would count as not contiguous
    units, value, magnitude, what = work[0], work[1], work[2], work[3]
    what[:] = FITS
    multiply_by(quantity, market[MULTIPLIER], instrument, units, (what, VALUE))
    multiply_by(units, market[MARK], instrument, value, (what, VALUE))
    absolute(value, magnitude)
    multiply_by(magnitude, market[PAID_AT], instrument, notional, (what, NOTIONAL))
    if market[INVERSE].any():
        value_inverse(market, positions, units, (value, notional), what)
    subtract(value, cost, profit)
    mark_beyond(profit, what, PROFIT)
    require(notional, units, instrument, (first, tiers, premiums), (initial, maintenance))
    mark_beyond(initial, what, MARGIN)  # no maintenance rate is above its initial rate
    return lowest(what, bucket)


@compiled
def sum_margins(span: Span, bucket: Int64s, margins: Columns, totals: Columns) -> None:
    """Initial and maintenance margin of all rows of each bucket."""
    (initial, maintenance), (total, total_m) = margins, totals
    total[span[0] : span[1]] = 0
    total_m[span[0] : span[1]] = 0
    for row in range(len(bucket)):
        b = index(bucket[row])
        total[b] = min(total[b] + initial[row], OVER)
        total_m[b] = min(total_m[b] + maintenance[row], OVER)


@compiled
def charge_larger_legs(
    span: Span, positions: Columns, instruments: int, margin: Int64s, total: Int64s
) -> None:
    """Margin of the larger of the long and the short rows of each bucket and instrument."""
    bucket, instrument, quantity, _ = positions
    leg, seen = np.zeros((instruments, 2), np.int64), np.full(instruments, -1, np.int64)
    total[span[0] : span[1]] = 0
    for row in range(len(bucket)):
        i, b, side = instrument[row], bucket[row], np.int64(quantity[row] < 0)
        kept = np.int64(seen[i] == b)
        mine, other = leg[i, side] * kept, leg[i, 1 - side] * kept
        more = min(mine + margin[row], OVER)
        seen[i], leg[i, side], leg[i, 1 - side] = b, more, other
        total[b] = min(total[b] + max(more, other) - max(mine, other), OVER)


@compiled
def limit_profits(positions: Columns, profit: Int64s, limits: Int64s, limited: Int64s) -> int:
    """Profits whose sums by bucket and instrument are, where positive, within the limits."""
    bucket, instrument, _, _ = positions
    cell, seen = np.empty(len(limits), np.int64), np.full(len(limits), -1, np.int64)
    place, first = np.empty(len(bucket), np.int64), np.empty(len(bucket), np.int64)
    failure, count = NONE, 0
    for row in range(len(bucket)):
        i, b = instrument[row], bucket[row]
        at = cell[i] * np.int64(seen[i] == b) + count * np.int64(seen[i] != b)
        count = max(count, at + 1)
        seen[i], cell[i], place[row], first[at] = b, at, at, row
    gains = exact_sums(place, profit, count)
    limited[:] = profit
    for at in range(count):
        row, gain = first[at], max(gains[at], 0)
        weight, cap = limits[instrument[row], WEIGHT], limits[instrument[row], CAP]
        failure = min(failure, NONE if gain <= LIMIT_E8 else bucket[row] * FAILURES + PROFIT)
        limited[row] -= gain - min(gain // PPM * weight + gain % PPM * weight // PPM, cap)
    return int(failure)


@compiled
def in_range(values: Int64s, size: int) -> bool:
    known = True
    for row in range(len(values)):
        known &= (values[row] >= 0) & (values[row] < size)
    return bool(known)


@compiled
def ascending(bucket: Int64s, span: Span) -> bool:
    """Whether rows ascend by bucket within the span."""
    if len(bucket) == 0:
        return True
    result = bucket[0] >= span[0] and bucket[-1] < span[1]
    for row in range(1, len(bucket)):
        result &= bucket[row - 1] <= bucket[row]
    return bool(result)


@compiled
def four(columns: Columns, first: int, last: int) -> Columns:
    a, b, c, d = columns
    return a[first:last], b[first:last], c[first:last], d[first:last]


@compiled
def evaluate_part(
    edge: Int64s, holdings: tuple[Columns, Columns], rules: Columns, flags: Flags, out: Columns
) -> int:
    """All passes over the buckets, positions and balances between six edges."""
    market, first, tiers, premiums, limits, assets, strict_assets, haircuts = rules
    larger_leg, strict = flags
    span, at, to = (edge[0], edge[1]), edge[4], edge[5]
    held, (owner, paid, amount) = four(holdings[0], edge[2], edge[3]), holdings[1]
    balances = owner[at:to], paid[at:to], amount[at:to]
    if not (ascending(held[0], span) and ascending(balances[0], span)):
        return UNORDERED
    if not (in_range(held[1], market.shape[1]) and in_range(balances[1], len(assets))):
        return int(span[0] * FAILURES + ROW)
    valued, totals = four(out[:4], edge[2], edge[3]), (out[4], out[5])
    failure = value_positions(held, (market, first, tiers, premiums), valued)
    if larger_leg:
        charge_larger_legs(span, held, market.shape[1], valued[2], totals[0])
        charge_larger_legs(span, held, market.shape[1], valued[3], totals[1])
    else:
        sum_margins(span, held[0], valued[2:], totals)
    for b in range(span[0], span[1]):
        failure = min(failure, b * FAILURES + INITIAL if totals[0][b] > LIMIT_E8 else NONE)
    gains = held[0], held[1], valued[0]
    settlement = market[SETTLEMENT]
    named = named_assets(held[1], balances[1], settlement, len(assets))
    net = net_balances(span, gains, balances, settlement, named)
    failure = min(failure, weigh_assets(span, net, named[0], (assets, haircuts), out[6]))
    if strict:
        counts = np.empty_like(valued[0])
        failure = min(failure, limit_profits(held, valued[0], limits, counts))
        net = net_balances(span, (held[0], held[1], counts), balances, settlement, named)
        of_assets = strict_assets, haircuts
        failure = min(failure, weigh_assets(span, net, named[0], of_assets, out[7]))
    return int(failure)


@compiled_parallel
def evaluate_parts(
    edges: Int64s, holdings: tuple[Columns, Columns], rules: Columns, flags: Flags, out: Columns
) -> int:
    """The lowest failure of all parts, which are shared among the cores."""
    positions, balances = holdings  # a tuple of tuples cannot go into the loop, its members can
    failures = np.empty(len(edges), np.int64)
    for part in numba.prange(len(edges)):
        failures[part] = evaluate_part(edges[part], (positions, balances), rules, flags, out)
    return int(failures.min())
