"""Kernels that sum the profits of positions by bucket and scenario, exactly."""

from typing import NamedTuple

import numba
import numpy as np

from risk.compiled import compiled, compiled_parallel, worth_sharing
from risk.holdings import Bools
from schemas.units import LIMIT_E8, Floats, Int64s

EXACT = 2.0**51
"""Floats add and round integers below it without error."""
MAGIC = 1.5 * 2.0**52
"""x + MAGIC - MAGIC is the integer nearest to x, half to even, for |x| < EXACT."""
MAGIC_WORD = int(np.float64(MAGIC).view(np.int64))
"""The bits of MAGIC; those of x + MAGIC are x more."""
WIDEST = 9.0e18
LANES = 16
"""Scenarios are filled up to a multiple of it, so that no remainder is left to single steps."""
BLOCKS = 64
WORTH_SHARING = 200_000
"""Positions from which on the cores share them: 10 ms for one, with two dozen scenarios."""
BATCH = 64
"""Buckets whose profits are held at a time, so that they stay near the processor."""


class Rows(NamedTuple):
    """Positions in runs of one bucket each, and what a contract earns in each scenario."""

    block: Int64s  # bounds of runs of buckets, one run at a time a core
    start: Int64s  # [N + 1] the first place of each bucket
    instrument: Int64s  # [P] bucket by bucket
    quantity_e8: Int64s  # [P] bucket by bucket
    unit: Floats  # [I, S and zeros up to a multiple of LANES]
    reach: Floats  # [I] the largest absolute value of each row of `unit`


def rows_by_bucket(
    positions: tuple[Int64s, Int64s, Int64s], unit_profit: Floats, size: int
) -> Rows:
    """Rows of (bucket, instrument, quantity_e8) in any order.

    Raises ValueError where a row is out of range or a unit profit is not finite.
    """
    bucket, instrument, quantity_e8 = (np.ascontiguousarray(c, np.int64) for c in positions)
    instruments, scenarios = unit_profit.shape
    unit = np.zeros((instruments, -(-scenarios // LANES) * LANES))
    unit[:, :scenarios] = unit_profit
    finite = np.isfinite(unit).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"instrument row {row}: its unit profit is not finite")
    start = np.zeros(size + 1, np.int64)
    wrong, ordered = _count(bucket, instrument, len(unit), start)
    if wrong >= 0:
        raise ValueError(
            f"position {wrong}: bucket {bucket[wrong]} of {size} or instrument {instrument[wrong]}"
            f" of {len(unit)} is out of range"
        )
    if not ordered:
        arranged = np.empty_like(instrument), np.empty_like(quantity_e8)
        _arrange(bucket, instrument, quantity_e8, start.copy(), arranged)
        instrument, quantity_e8 = arranged
    reach = np.abs(unit).max(axis=1, initial=0)
    return Rows(_blocks(start), start, instrument, quantity_e8, unit, reach)


def _blocks(start: Int64s) -> Int64s:
    """Bounds of runs of buckets with about as many positions each."""
    edges = np.searchsorted(start, np.linspace(0, start[-1], BLOCKS + 1)).astype(np.int64)
    edges[0], edges[-1] = 0, len(start) - 1
    return edges


@compiled
def _count(bucket: Int64s, instrument: Int64s, instruments: int, start: Int64s) -> tuple[int, bool]:
    """Fills `start`. Returns the first row out of range or -1, and whether buckets ascend."""
    size = len(start) - 1
    ordered, last = True, 0
    for row in range(len(bucket)):
        held = bucket[row]
        if held < 0 or held >= size or instrument[row] < 0 or instrument[row] >= instruments:
            return row, ordered
        if held < last:
            ordered = False
        last = held
        start[held + 1] += 1
    for held in range(size):
        start[held + 1] += start[held]
    return -1, ordered


@compiled
def _arrange(
    bucket: Int64s,
    instrument: Int64s,
    quantity_e8: Int64s,
    cursor: Int64s,
    arranged: tuple[Int64s, Int64s],
) -> None:
    """Instruments and quantities bucket by bucket; `cursor` is the first place of each."""
    instruments, quantities_e8 = arranged
    for row in range(len(bucket)):
        place = cursor[bucket[row]]
        instruments[place], quantities_e8[place] = instrument[row], quantity_e8[row]
        cursor[bucket[row]] = place + 1


@compiled
def _profits(rows: Rows, first: int, begin_e8: Int64s, profit_e8: Int64s, fits: Bools) -> None:
    """Profits of buckets first.. in every scenario, on top of `begin_e8`, and whether they fit.

    Sums are made in floats, which vectorise; where these may have lost something, in integers.
    """
    _, start, instrument, quantity_e8, unit, reach = rows
    scenarios = len(begin_e8)
    sums = np.zeros(scenarios)
    words = sums.view(np.int64)
    begin = begin_e8.astype(np.float64)
    largest = begin.max()
    for held in range(len(fits)):
        bound = largest
        for scenario in range(scenarios):
            sums[scenario] = begin[scenario]
        for place in range(start[first + held], start[first + held + 1]):
            kind, quantity = instrument[place], float(quantity_e8[place])
            bound += abs(quantity) * reach[kind] + 1.0
            for scenario in range(scenarios):
                sums[scenario] += (quantity * unit[kind, scenario] + MAGIC) - MAGIC
        fits[held] = bound < WIDEST
        if bound < EXACT:
            for scenario in range(scenarios):
                sums[scenario] += MAGIC
            for scenario in range(scenarios):
                profit_e8[held, scenario] = words[scenario] - MAGIC_WORD
            continue
        profit_e8[held] = begin_e8
        if not fits[held]:
            continue
        for place in range(start[first + held], start[first + held + 1]):
            kind, quantity = instrument[place], float(quantity_e8[place])
            for scenario in range(scenarios):
                profit_e8[held, scenario] += np.int64(np.rint(quantity * unit[kind, scenario]))


@compiled
def _worst(profit_e8: Int64s, fits: Bools, loss_e8: Int64s, worst: Int64s) -> None:
    for held in range(len(fits)):
        lowest, at = 0, -1
        for scenario in range(profit_e8.shape[1]):
            lowest = min(lowest, profit_e8[held, scenario])
        if lowest < 0:
            at = 0
            while profit_e8[held, at] != lowest:
                at += 1
        loss_e8[held] = -lowest if fits[held] and lowest >= -LIMIT_E8 else -1
        worst[held] = at


@compiled
def _worst_by_side(
    profit_e8: Int64s, side: Int64s, fits: Bools, down_e8: Int64s, up_e8: Int64s
) -> None:
    for held in range(len(fits)):
        down, up = 0, 0
        for scenario in range(len(side)):
            profit = profit_e8[held, scenario]
            down = min(down, profit) if side[scenario] <= 0 else down
            up = min(up, profit) if side[scenario] >= 0 else up
        fitting = fits[held] and min(down, up) >= -LIMIT_E8
        down_e8[held] = -down if fitting else -1
        up_e8[held] = -up if fitting else -1


@compiled_parallel
def all_profits(rows: Rows, begin_e8: Int64s, profit_e8: Int64s, fits: Bools) -> None:
    """The profit of every bucket in every scenario."""
    for block in numba.prange(len(rows.block) - 1):
        first, end = rows.block[block], rows.block[block + 1]
        _profits(rows, first, begin_e8, profit_e8[first:end], fits[first:end])


def worst_losses(rows: Rows, begin_e8: Int64s, loss_e8: Int64s, worst: Int64s) -> None:
    """The worst loss of every bucket, 0 where none loses, and the first scenario that brings it.

    A loss that does not fit is -1.
    """
    together = worth_sharing(len(rows.instrument), WORTH_SHARING)
    share = _worst_shared if together else _worst_range
    share((0, len(loss_e8)), rows, begin_e8, loss_e8, worst)


def worst_losses_by_side(
    rows: Rows, begin_e8: Int64s, side: Int64s, down_e8: Int64s, up_e8: Int64s
) -> None:
    """The worst loss of every bucket among scenarios of side <= 0, and among those of side >= 0.

    A loss that does not fit is -1.
    """
    together = worth_sharing(len(rows.instrument), WORTH_SHARING)
    share = _sides_shared if together else _sides_range
    share((0, len(down_e8)), rows, begin_e8, side, (down_e8, up_e8))


@compiled
def _worst_range(
    bounds: tuple[int, int], rows: Rows, begin_e8: Int64s, loss_e8: Int64s, worst: Int64s
) -> None:
    profit_e8 = np.zeros((BATCH, len(begin_e8)), np.int64)
    fits = np.ones(BATCH, np.bool_)
    for first in range(bounds[0], bounds[1], BATCH):
        count = min(BATCH, bounds[1] - first)
        _profits(rows, first, begin_e8, profit_e8, fits[:count])
        own = slice(first, first + count)
        _worst(profit_e8, fits[:count], loss_e8[own], worst[own])


@compiled_parallel
def _worst_shared(
    _: tuple[int, int], rows: Rows, begin_e8: Int64s, loss_e8: Int64s, worst: Int64s
) -> None:
    for block in numba.prange(len(rows.block) - 1):
        _worst_range((rows.block[block], rows.block[block + 1]), rows, begin_e8, loss_e8, worst)


@compiled
def _sides_range(
    bounds: tuple[int, int],
    rows: Rows,
    begin_e8: Int64s,
    side: Int64s,
    losses_e8: tuple[Int64s, Int64s],
) -> None:
    down_e8, up_e8 = losses_e8
    profit_e8 = np.zeros((BATCH, len(begin_e8)), np.int64)
    fits = np.ones(BATCH, np.bool_)
    for first in range(bounds[0], bounds[1], BATCH):
        count = min(BATCH, bounds[1] - first)
        _profits(rows, first, begin_e8, profit_e8, fits[:count])
        own = slice(first, first + count)
        _worst_by_side(profit_e8, side, fits[:count], down_e8[own], up_e8[own])


@compiled_parallel
def _sides_shared(
    _: tuple[int, int],
    rows: Rows,
    begin_e8: Int64s,
    side: Int64s,
    losses_e8: tuple[Int64s, Int64s],
) -> None:
    for block in numba.prange(len(rows.block) - 1):
        _sides_range((rows.block[block], rows.block[block + 1]), rows, begin_e8, side, losses_e8)


@compiled
def sorted_sums(rows: Rows, sums: Floats) -> None:
    """Sums [N, S] of quantity x unit of every bucket in floats, the smallest terms first.

    Sorted terms make the sum independent of the order of positions, at the full range of floats.
    """
    _, start, instrument, quantity_e8, unit, _ = rows
    for held in range(len(sums)):
        first = start[held]
        terms = np.empty(start[held + 1] - first)
        for scenario in range(sums.shape[1]):
            for place in range(len(terms)):
                row = first + place
                terms[place] = quantity_e8[row] / 1e8 * unit[instrument[row], scenario]
            terms.sort()
            sums[held, scenario] = terms.sum()
