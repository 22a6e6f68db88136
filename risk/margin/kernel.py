"""The tiered margin of many buckets, compiled: passes over one part of the buckets at a time.

A part is small enough for its columns to stay in the cache. Positions are (bucket, instrument,
quantity, cost) and balances (bucket, asset, amount), both ascending by bucket; a table is one int64
array whose last axis is named below. A failure is bucket x FAILURES + what does not fit, in the
order of the calculation, or NONE; UNORDERED where rows do not ascend by bucket.

The cache on disk notices a change of this file, not of `rows`, whose code is part of it.
"""

import numba
import numpy as np

from risk.compiled import compiled, compiled_parallel
from risk.margin.rows import (
    OVER,
    SAFE_SUM,
    Columns,
    absolute,
    count_collateral,
    divide,
    exact_sums,
    index,
    largest,
    mark_beyond,
    multiply_rows,
    refuse_wrapped,
    require,
    subtract,
)
from schemas.units import E8, LIMIT_E8, PPM, Floats, Int64s

# market [I]: MARK is 0 of an inverse contract, DIVISOR its mark; UNIT the settlement's price
MARK, DIVISOR, INVERSE, MULTIPLIER, SETTLEMENT, UNIT = range(6)
PRICE, DEBT_PRICE, BORROW = range(3)  # assets [A]
WEIGHT, CAP = range(2)  # limits [I] on profits
ROW, VALUE, PROFIT, NOTIONAL, MARGIN, NET, ASSET_VALUE, EQUITY, INITIAL, FITS = range(10)
FAILURES = 16
UNORDERED, NONE = -1, np.iinfo(np.int64).max

Flags = tuple[bool, bool]
Span = tuple[int, int]


@compiled
def lowest(what: Int64s, bucket: Int64s, first: int) -> int:
    """The lowest failure among rows and their buckets, counted from `first`."""
    failure = NONE
    for row in range(len(what)):
        worst = (first + bucket[row]) * FAILURES + what[row]
        failure = min(failure, worst if what[row] < FITS else NONE)
    return int(failure)


@compiled
def look_up(
    market: Int64s, instrument: Int64s, multiplier: Int64s, mark: Int64s, price: Int64s
) -> None:
    for row in range(len(instrument)):
        i = index(instrument[row])
        multiplier[row], mark[row] = market[i, MULTIPLIER], market[i, MARK]
        price[row] = market[i, UNIT]


@compiled
def value_inverse(
    market: Int64s, instrument: Int64s, units: Int64s, value: Int64s, what: Int64s
) -> None:
    """Values of inverse contracts, whose units of the base they are too."""
    rows, count = np.empty(len(instrument), np.int64), 0
    for row in range(len(instrument)):
        rows[count] = row
        count += int(market[index(instrument[row]), INVERSE])
    for place in range(count):
        row = rows[place]
        worth, fits = divide(-units[row], market[instrument[row], DIVISOR])
        units[row] = value[row] = worth
        what[row] = what[row] if fits else VALUE


@compiled
def value_positions(positions: Columns, rules: Columns, out: Columns) -> int:
    """Profit, notional and both margins of positions."""
    bucket, instrument, quantity, cost = positions
    profit, notional, initial, maintenance = out
    market, tiers, premiums = rules
    work = np.empty((7, len(bucket)), np.int64)  # unpacked its rows would count as not contiguous
    multiplier, mark, price = work[0], work[1], work[2]
    units, value, magnitude, what = work[3], work[4], work[5], work[6]
    what[:] = FITS
    look_up(market, instrument, multiplier, mark, price)
    multiply_rows(quantity, multiplier, units, what, VALUE)
    multiply_rows(units, mark, value, what, VALUE)
    value_inverse(market, instrument, units, value, what)
    subtract(value, cost, profit)
    mark_beyond(profit, what, PROFIT)
    absolute(value, magnitude)
    multiply_rows(magnitude, price, notional, what, NOTIONAL)
    require(notional, units, instrument, (tiers, premiums), (initial, maintenance))
    mark_beyond(initial, what, MARGIN)  # no maintenance rate is above its initial rate
    return lowest(what, bucket, 0)


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
def add_holdings(
    first: int, gains: Columns, balances: Columns, market: Int64s, net: Int64s | Floats
) -> None:
    owner, paid, amount = balances
    bucket, instrument, profit = gains
    for row in range(len(owner)):
        net[index(paid[row]), index(owner[row] - first)] += amount[row]
    for row in range(len(bucket)):
        asset = market[index(instrument[row]), SETTLEMENT]
        net[index(asset), index(bucket[row] - first)] += profit[row]


@compiled
def net_balances(
    span: Span, gains: Columns, balances: Columns, market: Int64s, assets: int
) -> Int64s:
    """Balances and `gains` (bucket, instrument, profit) net [A, buckets]; OVER where not exact."""
    net = np.zeros((assets, span[1] - span[0]), np.int64)
    add_holdings(span[0], gains, balances, market, net)
    most = float(max(largest(balances[2]), largest(gains[2])))
    if most * (len(balances[2]) + len(gains[2])) >= SAFE_SUM:
        rough = np.zeros(net.shape)
        add_holdings(span[0], gains, balances, market, rough)
        refuse_wrapped(net.ravel(), rough.ravel())
    return net


@compiled
def weigh_asset(net: Int64s, asset: Int64s, haircut: Int64s, what: Int64s, counts: Int64s) -> None:
    """What net balances of one asset add to equity."""
    work = np.empty((2, len(net)), np.int64)
    price, value = work[0], work[1]
    asset_price, debt_price = asset[PRICE], asset[DEBT_PRICE]
    for row in range(len(net)):
        price[row] = asset_price if net[row] > 0 else debt_price
        what[row] = FITS
    mark_beyond(net, what, NET)
    if asset_price == debt_price == E8:  # the valuation currency and its like
        value[:] = net
    else:
        multiply_rows(net, price, value, what, ASSET_VALUE)
    count_collateral(value, asset[BORROW], haircut, counts)


@compiled
def weigh_assets(span: Span, net: Int64s, assets: Int64s, haircuts: Int64s, equity: Int64s) -> int:
    """Equity of buckets from their `net_balances`, asset by asset."""
    size, used, failure = span[1] - span[0], 0, NONE
    held, what = np.empty(size, np.int64), np.empty(size, np.int64)
    place, counts = np.empty(net.size, np.int64), np.empty(net.size, np.int64)
    for asset in range(len(assets)):
        row = used
        of_asset = net[asset]
        for b in range(size):  # most places may be empty, and an empty one counts 0
            held[row - used], place[row] = of_asset[b], b
            row += int(of_asset[b] != 0)
        if row == used:
            continue
        many, at, of = row - used, place[used:row], assets[asset]
        weigh_asset(held[:many], of, haircuts[asset], what[:many], counts[used:row])
        failure = min(failure, lowest(what[:many], at, span[0]))
        used = row
    sums = exact_sums(place[:used], counts[:used], size)
    for b in range(size):
        equity[span[0] + b] = sums[b]
        worst = (span[0] + b) * FAILURES + EQUITY
        failure = min(failure, NONE if abs(sums[b]) <= LIMIT_E8 else worst)
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
    market, tiers, premiums, limits, assets, strict_assets, haircuts = rules
    larger_leg, strict = flags
    span, at, to = (edge[0], edge[1]), edge[4], edge[5]
    held, (owner, paid, amount) = four(holdings[0], edge[2], edge[3]), holdings[1]
    balances = owner[at:to], paid[at:to], amount[at:to]
    if not (ascending(held[0], span) and ascending(balances[0], span)):
        return UNORDERED
    if not (in_range(held[1], len(market)) and in_range(balances[1], len(assets))):
        return int(span[0] * FAILURES + ROW)
    valued, totals = four(out[:4], edge[2], edge[3]), (out[4], out[5])
    failure = value_positions(held, (market, tiers, premiums), valued)
    if larger_leg:
        charge_larger_legs(span, held, len(market), valued[2], totals[0])
        charge_larger_legs(span, held, len(market), valued[3], totals[1])
    else:
        sum_margins(span, held[0], valued[2:], totals)
    for b in range(span[0], span[1]):
        failure = min(failure, b * FAILURES + INITIAL if totals[0][b] > LIMIT_E8 else NONE)
    gains = held[0], held[1], valued[0]
    net = net_balances(span, gains, balances, market, len(assets))
    failure = min(failure, weigh_assets(span, net, assets, haircuts, out[6]))
    if strict:
        counts = np.empty_like(valued[0])
        failure = min(failure, limit_profits(held, valued[0], limits, counts))
        net = net_balances(span, (held[0], held[1], counts), balances, market, len(assets))
        failure = min(failure, weigh_assets(span, net, strict_assets, haircuts, out[7]))
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
