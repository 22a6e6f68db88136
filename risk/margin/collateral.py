"""Net balances of buckets and what they count for as equity, compiled."""

import numpy as np

from risk.compiled import compiled
from risk.margin.layout import (
    ASSET_VALUE,
    BORROW,
    DEBT_PRICE,
    EQUITY,
    FAILURES,
    FITS,
    NET,
    NONE,
    PRICE,
    Span,
)
from risk.margin.rows import (
    EXACT,
    SAFE_SUM,
    Columns,
    copy,
    count_collateral,
    index,
    largest,
    mark_beyond,
    multiply_rows,
    refuse_wrapped,
)
from schemas.units import E8, LIMIT_E8, Floats, Int64s

FEW = 8
"""Assets of which one that nobody has costs less than a look at every row."""
DENSE = 2
"""Where one bucket in so many has an asset, all of them are weighed with it."""


@compiled
def lowest(what: Int64s, bucket: Int64s) -> int:
    """The lowest failure among rows and their buckets."""
    failure = NONE
    for row in range(len(what)):
        worst = bucket[row] * FAILURES + what[row]
        failure = min(failure, worst if what[row] < FITS else NONE)
    return int(failure)


@compiled
def named_assets(
    instrument: Int64s, paid: Int64s, settlement: Int64s, assets: int
) -> tuple[Int64s, Int64s]:
    """The assets that a row is paid or settled in, and the place of each among these [A]."""
    if assets <= FEW:
        return np.arange(assets), np.arange(assets)
    named = np.zeros(assets, np.bool_)
    for row in range(len(paid)):
        named[index(paid[row])] = True
    for row in range(len(instrument)):
        named[index(settlement[index(instrument[row])])] = True
    return np.flatnonzero(named), np.cumsum(named) - 1


@compiled
def add_holdings(
    start: Int64s, gains: Columns, balances: Columns, settlement: Int64s, net: Int64s | Floats
) -> None:
    owner, paid, amount = balances
    bucket, instrument, profit = gains
    for row in range(len(owner)):
        net[index(start[index(paid[row])] + owner[row])] += amount[row]
    for row in range(len(bucket)):
        asset = settlement[index(instrument[row])]
        net[index(start[index(asset)] + bucket[row])] += profit[row]


@compiled
def net_balances(
    span: Span, gains: Columns, balances: Columns, settlement: Int64s, named: tuple[Int64s, Int64s]
) -> Int64s:
    """Balances and `gains` (bucket, instrument, profit) net [S, buckets]; OVER where not exact."""
    count, size = len(named[0]), span[1] - span[0]
    start = named[1] * size - span[0]
    net = np.zeros(count * size, np.int64)
    add_holdings(start, gains, balances, settlement, net)
    most = float(max(largest(balances[2]), largest(gains[2])))
    if most * (len(balances[2]) + len(gains[2])) >= SAFE_SUM:
        rough = np.zeros(len(net))
        add_holdings(start, gains, balances, settlement, rough)
        refuse_wrapped(net, rough)
    return net.reshape(count, size)


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
    if asset_price == debt_price == E8 and largest(net) <= EXACT:
        copy(net, value)
    else:
        multiply_rows(net, price, value, what, ASSET_VALUE)
    count_collateral(value, asset[BORROW], haircut, counts)


@compiled
def add_rows(of: Int64s, sums: Int64s | Floats) -> None:
    """Sums of the columns of a table."""
    sums[:] = 0
    for row in range(len(of)):
        for column in range(len(sums)):
            sums[column] += of[row, column]


@compiled
def weigh_assets(span: Span, net: Int64s, named: Int64s, rules: Columns, equity: Int64s) -> int:
    """Equity of buckets from their `net_balances`, asset by asset."""
    assets, haircuts = rules
    size, failure = span[1] - span[0], NONE
    counts = np.zeros(net.shape, np.int64)
    what, bucket = np.empty(size, np.int64), np.arange(span[0], span[1])
    for at in range(len(named)):
        asset, of = named[at], net[at]
        many = np.count_nonzero(of)
        if many == 0:
            continue
        if many * DENSE >= size:
            weigh_asset(of, assets[asset], haircuts[asset], what, counts[at])
            failure = min(failure, lowest(what, bucket))
        else:
            rows = np.flatnonzero(of)
            held = np.empty(many, np.int64)
            weigh_asset(of[rows], assets[asset], haircuts[asset], what[:many], held)
            counts[at][rows] = held
            failure = min(failure, lowest(what[:many], bucket[rows]))
    sums = equity[span[0] : span[1]]
    add_rows(counts, sums)
    if float(largest(counts.ravel())) * len(counts) >= SAFE_SUM:
        rough = np.zeros(size)
        add_rows(counts, rough)
        refuse_wrapped(sums, rough)
    for b in range(size):
        worst = (span[0] + b) * FAILURES + EQUITY
        failure = min(failure, NONE if abs(sums[b]) <= LIMIT_E8 else worst)
    return int(failure)
