"""The liquidation maps of a worker's partitions, published every few seconds of the board's clock.

A record is the part of one partition; the newest parts of all partitions add up to the exchange.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from risk.liquidation.liquidation_map import SHOCKS_PPM, Triggers, add_triggers, outward, triggers
from risk.margin.exposures import Book
from risk.valuation import contract_value, exact_sums
from schemas.block import Columns, Int64s, Items
from schemas.units import LIMIT_E8, US_PER_MS, multiply_e8
from streams.processors.margin import Bools, evaluate
from streams.processors.outputs import Table
from streams.state.account_book import CROSS
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

REPEAT_US = 60_000_000
"""A part that stays as it is comes again after a minute, so that readers may forget older ones."""
AT_ONCE, BUCKETS_AT_ONCE, ROWS_AT_ONCE = 16, 4_000, 32_768
"""Parts that a decision tells at most, buckets that it counts for them, and rows among which it
looks for these: its calls and orders wait. In a larger book each bucket is counted at the marks of
its own decision."""
PAUSE_US = 100_000
"""Between two looks, by the board's clock: each costs the same before it counts anything."""
BUCKETS_PER_S = 20_000
"""By the board's clock: a book that is too large for that in its time is given longer."""
NOTHING = (0,) * len(SHOCKS_PPM)


class Part(NamedTuple):
    """What is told of one instrument in one partition; longs and shorts by step."""

    mark_e8: int
    unmapped_long_e8: int
    unmapped_short_e8: int
    long_e8: tuple[int, ...]
    short_e8: tuple[int, ...]


@dataclass(slots=True)
class Told:
    """What was published last of one instrument in one partition."""

    part: Part
    time_us: int


class News(NamedTuple):
    """A part to publish."""

    instrument: str
    partition: int
    part: Part
    time_us: int
    source: str


class LiquidationMaps:
    """Parts that differ from what was told, once in `every_ms`; 0: none.

    Partition k of n speaks k / n of the time after partition 0, and only a few instruments at a
    time, so that no turn pays for all.
    """

    def __init__(self, ledger: Ledger, board: MarkBoard, every_ms: int) -> None:
        self._ledger = ledger
        self._board = board
        self._every_us = every_ms * US_PER_MS
        self._last_us = 0
        """When it was last asked what is due."""
        self._buckets_at_once = 0
        self._slot: dict[int, int] = {}
        self._telling: dict[int, Iterator[News | None]] = {}
        """By partition: what is still to be told of it, as of when it began to be."""
        self._told: dict[int, dict[int, Told]] = {}
        """By partition and instrument; an instrument that nobody holds is told once as empty."""

    def due(self, held: Collection[int]) -> list[Table]:
        """The parts to publish now of the partitions that are held."""
        if not self._every_us:
            return []
        elapsed_us = self._board.clock_us - self._last_us
        if elapsed_us < PAUSE_US:
            return []
        self._last_us = self._board.clock_us
        self._buckets_at_once = min(elapsed_us * BUCKETS_PER_S // 1_000_000, BUCKETS_AT_ONCE)
        for partition in self._slot.keys() - set(held):
            for of in (self._slot, self._told, self._telling):
                of.pop(partition, None)
        for partition in sorted(held):
            phase_us = partition * self._every_us // self._ledger.partitions
            slot = (self._board.clock_us - phase_us) // self._every_us
            if self._slot.get(partition, -1) < slot and partition not in self._telling:
                self._slot[partition] = slot
                self._telling[partition] = self._changed(partition)
        news: list[News] = []
        for partition, telling in list(self._telling.items()):
            for one in telling:
                if one is not None:
                    news.append(one)
                if one is None or len(news) == AT_ONCE:
                    return _tables(news)
            del self._telling[partition]
        return _tables(news)

    def _changed(self, partition: int) -> Iterator[News | None]:
        """None: that is enough for a decision. What is told of is as of when it begins."""
        now_us, marks_e8 = self._board.clock_us, self._board.mark_e8.tolist()
        names, sources = list(self._ledger.rules.instruments), list(self._board.source)
        cells_e8 = np.zeros((len(names), 2, len(SHOCKS_PPM)), np.int64)
        mapped_of = np.zeros(len(names), np.bool_)
        unmapped = np.zeros((len(names), 2), np.int64)
        row, end = 0, self._ledger.book.buckets.capacity
        while row < end:
            if row:
                yield None
            mapped, apart, row = self._buckets(partition, row)
            if len(mapped):
                self._add(mapped, cells_e8, mapped_of)
            if len(apart):
                unmapped = np.minimum(unmapped + self._held(apart, len(names)), LIMIT_E8)
        told = self._told.setdefault(partition, {})
        of_cells = np.flatnonzero(mapped_of)
        steps = dict(zip(of_cells.tolist(), outward(cells_e8[of_cells]).tolist(), strict=True))
        held = steps.keys() | set(np.flatnonzero(unmapped.any(axis=1)).tolist())
        for row in sorted(held | told.keys()):
            sides = steps.get(row, (NOTHING, NOTHING))
            part = Part(marks_e8[row], *unmapped[row].tolist(), *map(tuple, sides))
            last = told.get(row)
            if last is None or last.part != part or now_us - last.time_us >= REPEAT_US:
                told[row] = Told(part, now_us)
                yield News(names[row], partition, part, now_us, sources[row])
        for row in told.keys() - held:
            del told[row]

    def _add(self, buckets: Int64s, cells_e8: Int64s, mapped_of: Bools) -> None:
        """Add what these buckets come to to the cells, long and short [I, 2, S], and tell of which
        instruments. One that was listed meanwhile waits for the next map."""
        found = evaluate(self._ledger, self._board, buckets)
        assert found.market.pricer is not None
        reached = triggers(
            Book(
                found.positions,
                found.book.balances,
                found.market.mark_e8,
                found.rules,
                found.state,
                found.position_state,
                found.market.pricer,
            )
        )
        known = np.flatnonzero(found.positions.instrument < len(cells_e8))
        instrument = found.positions.instrument[known]
        mapped_of[instrument] = True
        add_triggers(
            cells_e8,
            instrument,
            found.positions.quantity_e8[known] > 0,
            found.position_state.notional_e8[known],
            Triggers(reached.below[known], reached.above[known]),
        )

    def _buckets(self, partition: int, first: int) -> tuple[Int64s, Int64s, int]:
        """The next rows, from this one on, of the partition's buckets that may be liquidated: by
        tiers, and otherwise; and where to look on."""
        book, end = self._ledger.book, first + ROWS_AT_ONCE
        columns, accounts = book.buckets, book.accounts
        live = columns.live[first:end]
        owner = columns["account"][first:end]
        mine = live & (accounts["partition"][owner] == partition) & ~accounts["system"][owner]
        rows = first + np.flatnonzero(mine)
        if len(rows) > self._buckets_at_once:
            rows = rows[: self._buckets_at_once]
            end = int(rows[-1]) + 1
        owner = columns["account"][rows]
        other = accounts["portfolio"][owner] & (columns["instrument"][rows] == CROSS)
        options = self._ledger.rules.terms.side != 0
        if options.any():
            held, place = book.held.of(rows)
            of_options = options[book.positions["instrument"][held]]
            other[place[of_options & (book.positions["quantity_e8"][held] != 0)]] = True
        may = ~self._ledger.exempt(owner)
        return rows[may & ~other], rows[may & other], end

    def _held(self, buckets: Int64s, size: int) -> Int64s:
        """Notional that these buckets hold long and short of the first instruments [size, 2],
        options not."""
        rules, board, positions = self._ledger.rules, self._board, self._ledger.book.positions
        rows, _ = self._ledger.book.held.of(buckets)
        instrument, quantity_e8 = positions["instrument"][rows], positions["quantity_e8"][rows]
        contracts, marks_e8 = rules.contracts, board.mark_e8[instrument]
        value_e8, _ = contract_value(
            contracts.inverse[instrument],
            contracts.multiplier_e8[instrument],
            np.abs(quantity_e8),
            marks_e8,
        )
        price_e8 = rules.asset_prices(board.mark_e8)[contracts.settlement[instrument]]
        notional_e8, _ = multiply_e8(np.abs(value_e8), price_e8)
        plain = (rules.terms.side[instrument] == 0) & (instrument < size)
        sides = [
            _sums(plain & side, instrument, notional_e8, size)
            for side in (quantity_e8 > 0, quantity_e8 < 0)
        ]
        return np.stack(sides, axis=1)


def _tables(news: list[News]) -> list[Table]:
    """These as records of `liquidation-map`; none where there is nothing new."""
    if not news:
        return []
    n, shocks, parts = len(news), len(SHOCKS_PPM), [one.part for one in news]
    names, partitions = [one.instrument for one in news], _ints(one.partition for one in news)
    steps = {
        "shock_ppm": np.tile(SHOCKS_PPM, n),
        "long_e8": np.array([part.long_e8 for part in parts]).ravel(),
        "short_e8": np.array([part.short_e8 for part in parts]).ravel(),
    }
    data = {
        "event_time": _ints(one.time_us for one in news),
        "instrument_id": names,
        "partition": partitions,
        "mark_e8": _ints(part.mark_e8 for part in parts),
        "unmapped_long_e8": _ints(part.unmapped_long_e8 for part in parts),
        "unmapped_short_e8": _ints(part.unmapped_short_e8 for part in parts),
        "steps": Items(np.full(n, shocks), steps, {}),
    }
    columns = Columns("liquidation_map", np.arange(n), data)
    ids = [f"{one.instrument}/{one.partition}/{one.time_us}" for one in news]
    sources = [one.source for one in news]
    return [Table("liquidation-map", names, columns, ids, sources, partitions)]


def _ints(values: Iterable[int]) -> Int64s:
    return np.fromiter(values, np.int64)


def _sums(chosen: Bools, instrument: Int64s, notional_e8: Int64s, size: int) -> Int64s:
    sums_e8, fits = exact_sums(instrument[chosen], notional_e8[chosen], size)
    return np.where(fits, sums_e8, LIMIT_E8)
