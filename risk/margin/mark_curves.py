"""The curves of buckets as the mark of an instrument moves, compiled, and where they end.

It says what `exposures.by_mark` says, with the same sums in the same order, so that both agree to
the last bit. What has no closed form, or a rate that depends on its size, is left to `exposures`.
"""

from typing import NamedTuple

import numpy as np

from risk.compiled import compiled, inlined
from risk.holdings import Bools
from risk.margin.boundary import Boundaries, Curves, Lines, boundaries
from risk.margin.buckets import rows_by_bucket
from risk.margin.columns import plain
from risk.margin.exposures import Book, by_mark, charged_positions
from risk.margin.rule_lines import rule_lines
from schemas.units import E8, Floats, Int64s


class Held(NamedTuple):
    """Positions by row [P], and which rows are those of each bucket."""

    start: Int64s  # [N + 1] the first place of each bucket in `row`
    row: Int64s  # [P] bucket by bucket
    instrument: Int64s
    quantity_e8: Int64s
    notional_e8: Int64s
    charged: Bools  # its margin counts
    profit_e8: Int64s


class Owned(NamedTuple):
    """Balances by row [B], and which rows are those of each bucket."""

    start: Int64s
    row: Int64s
    asset: Int64s
    amount_e8: Int64s


class Listed(NamedTuple):
    """What of the rules is needed, of instruments [I] and of assets [A]."""

    settlement: Int64s
    inverse: Bools
    sized: Bools  # the rate depends on the size
    pricer: Int64s
    price: Floats


class Case(NamedTuple):
    held: Held
    owned: Owned
    listed: Listed
    lines: Lines


class Into(NamedTuple):
    """The columns of `Curves`, and what those of each query come to at present."""

    first: Int64s
    line: Int64s
    constant: Floats
    slope: Floats
    pole: Floats
    now: Floats


def mark_boundaries(book: Book, bucket: Int64s, instrument: Int64s) -> Boundaries:
    """Factors on the marks of instruments [Q] at which the buckets [Q] come to their margin.

    Pairs may come again; fastest where those of a bucket are together. Of each the same as of
    `exposures.by_mark(...).boundaries()`.
    """
    case = Case(_held(book), _owned(book), _listed(book), rule_lines(book.rules))
    rows = 2 * np.diff(case.held.start) + np.diff(case.owned.start) + 1
    most = int(rows[bucket].sum())
    into = Into(
        np.zeros(len(bucket) + 1, np.int64),
        np.empty(most, np.int64),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(len(bucket)),
    )
    _fill((plain(bucket), plain(instrument)), case, into)
    surplus = (book.margin.equity_e8 - book.margin.maintenance_margin_e8)[bucket] / E8
    found = boundaries(np.ones(len(bucket)), surplus - into.now, Curves(*into[:-1]), case.lines)
    left_out = np.isnan(into.now)
    if left_out.any():
        count = len(book.marks_e8)
        pair, row = np.unique((bucket * count + instrument)[left_out], return_inverse=True)
        rest = by_mark(book, *np.divmod(pair, count)).boundaries()
        found.below[left_out], found.above[left_out] = rest.below[row], rest.above[row]
    return found


def _held(book: Book) -> Held:
    positions = book.positions
    return Held(
        *rows_by_bucket(plain(positions.bucket), len(book.margin.equity_e8)),
        plain(positions.instrument),
        plain(positions.quantity_e8),
        plain(book.state.notional_e8),
        charged_positions(book),
        plain(book.state.profit_e8),
    )


def _owned(book: Book) -> Owned:
    balances = book.balances
    start, row = rows_by_bucket(plain(balances.bucket), len(book.margin.equity_e8))
    return Owned(start, row, plain(balances.asset), plain(balances.amount_e8))


def _listed(book: Book) -> Listed:
    rules = book.rules
    return Listed(
        plain(rules.contracts.settlement),
        np.ascontiguousarray(rules.contracts.inverse),
        rules.tiers.maintenance_factor_ppb > 0,
        plain(book.pricer),
        rules.assets.price_e8 / E8,
    )


@compiled
def _fill(queries: tuple[Int64s, Int64s], case: Case, into: Into) -> None:
    """The curves of every query; of one that is left out none, and nan."""
    (bucket, instrument), used, at, count = queries, 0, -1, 0
    net, cells = np.zeros(len(case.listed.pricer), np.int64), np.empty_like(case.listed.pricer)
    for query in range(len(bucket)):
        here = bucket[query], instrument[query]
        if here[0] != at:
            net[cells[:count]] = 0
            at, count = here[0], _net(here[0], case, (net, cells))
        end, now = _margins(here, case, into, used)
        end, now = _balances(here, case, (net, cells[:count]), into, (end, now))
        into.now[query] = now
        used = used if np.isnan(now) else end
        into.first[query + 1] = used


@inlined
def _net(bucket: int, case: Case, into: tuple[Int64s, Int64s]) -> int:
    """The net balances of a bucket by asset, and its assets, ascending; how many these are."""
    (net, cells), held, owned, count = into, case.held, case.owned, 0
    for place in range(held.start[bucket], held.start[bucket + 1]):
        row = held.row[place]
        asset = case.listed.settlement[held.instrument[row]]
        net[asset] += held.profit_e8[row]
        count = _enter(cells, count, asset)
    for place in range(owned.start[bucket], owned.start[bucket + 1]):
        row = owned.row[place]
        net[owned.asset[row]] += owned.amount_e8[row]
        count = _enter(cells, count, owned.asset[row])
    return count


@inlined
def _enter(cells: Int64s, count: int, asset: int) -> int:
    """Put an asset among those before it, unless it is there; how many there are then."""
    place = count
    while place > 0 and cells[place - 1] >= asset:
        place -= 1
    if place < count and cells[place] == asset:
        return count
    for behind in range(count, place, -1):
        cells[behind] = cells[behind - 1]
    cells[place] = asset
    return count + 1


@inlined
def _margins(query: tuple[int, int], case: Case, into: Into, at: int) -> tuple[int, float]:
    """What a query's positions require, from place `at` on: the end, and what it is at present.

    First of those in the instrument, then of those settled in a coin that it prices.
    """
    (bucket, instrument), (held, _, listed, _), now = query, case, 0.0
    assets, places = len(listed.pricer), range(held.start[bucket], held.start[bucket + 1])
    inverse = listed.inverse[instrument]
    priced = listed.pricer[listed.settlement[instrument]] == instrument
    for place in places:
        row = held.row[place]
        if held.instrument[row] == instrument and held.charged[row]:
            amount = held.notional_e8[row] / E8
            now += _put((assets + instrument, at), (amount, amount, inverse, priced), case, into)
            at += 1
            if listed.sized[instrument]:
                now = np.nan
    for place in places:
        row = held.row[place]
        other = held.instrument[row]
        coin = listed.pricer[listed.settlement[other]]
        if other != instrument and coin == instrument and held.charged[row]:
            amount = held.notional_e8[row] / E8
            now += _put((assets + other, at), (amount, 0.0, False, True), case, into)
            at += 1
            if listed.sized[other]:
                now = np.nan
    return at, now


@inlined
def _balances(
    query: tuple[int, int],
    case: Case,
    own: tuple[Int64s, Int64s],
    into: Into,
    so_far: tuple[int, float],
) -> tuple[int, float]:
    """What a query's settlement asset counts for, then the others that its instrument prices."""
    (bucket, instrument), (held, _, listed, _), (net, cells) = query, case, own
    at, now = so_far
    settlement, inverse = listed.settlement[instrument], listed.inverse[instrument]
    priced = listed.pricer[settlement] == instrument
    if priced and not inverse:
        now = np.nan
    moved = 0.0
    for place in range(held.start[bucket], held.start[bucket + 1]):
        row = held.row[place]
        if held.instrument[row] == instrument:
            sign = (held.quantity_e8[row] > 0) - (held.quantity_e8[row] < 0)
            moved += (-sign if inverse else sign) * (held.notional_e8[row] / E8)
    for asset in cells:
        if asset == settlement:
            total = net[asset] / E8 * listed.price[asset]
            now += _put((asset, at), (total, moved, inverse, priced), case, into)
            at += 1
    for asset in cells:
        if asset != settlement and listed.pricer[asset] == instrument:
            total = net[asset] / E8 * listed.price[asset]
            now += _put((asset, at), (total, 0.0, False, True), case, into)
            at += 1
    return at, now


@inlined
def _put(
    place: tuple[int, int], amount: tuple[float, float, bool, bool], case: Case, into: Into
) -> float:
    """Write one curve, of which `moved` moves with the mark or against it, and maybe its price;
    what it comes to at present."""
    (line, at), (total, moved, inverse, priced), lines = place, amount, case.lines
    linear, pole = (0.0, moved) if inverse else (moved, 0.0)
    rest = total - linear - pole
    into.line[at] = line
    into.constant[at] = pole if priced else rest
    into.slope[at] = rest if priced else linear
    into.pole[at] = 0.0 if priced else pole
    now, step = rest + linear + pole, 0
    while step + 1 < lines.floor.shape[1] and now >= lines.floor[line, step + 1]:
        step += 1
    value: float = lines.rate[line, step] * now + lines.constant[line, step]
    return value
