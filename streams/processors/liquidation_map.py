"""The liquidation maps of a worker's partitions, published every few seconds of the board's clock.

A record is the part of one partition; the newest parts of all partitions add up to the exchange.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.liquidation.liquidation_map import SHOCKS_PPM, liquidation_map, triggers
from risk.margin.exposures import Book
from risk.valuation import contract_value, exact_sums
from schemas.block import Int64s
from schemas.units import LIMIT_E8, US_PER_MS, multiply_e8
from streams.processors.margin import Bools, evaluate
from streams.processors.outputs import Output
from streams.state.account_book import CROSS
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

REPEAT_US = 60_000_000
"""A part that stays as it is comes again after a minute, so that readers may forget older ones."""

Part = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What was published last of one instrument in one partition."""

    part: Part
    time_us: int


class LiquidationMaps:
    """Parts that differ from what was told, once in `every_ms`; 0: none.

    Partition k of n speaks k / n of the time after partition 0, so that no turn pays for all.
    """

    def __init__(self, ledger: Ledger, board: MarkBoard, every_ms: int) -> None:
        self._ledger = ledger
        self._board = board
        self._every_us = every_ms * US_PER_MS
        self._slot: dict[int, int] = {}
        self._told: dict[int, dict[int, Told]] = {}
        """By partition and instrument; an instrument that nobody holds is told once as empty."""

    def due(self, held: Collection[int]) -> list[Output]:
        """The parts to publish now of the partitions that are held."""
        if not self._every_us:
            return []
        for partition in self._told.keys() - set(held):
            del self._told[partition], self._slot[partition]
        outputs: list[Output] = []
        for partition in sorted(held):
            phase_us = partition * self._every_us // self._ledger.partitions
            slot = (self._board.clock_us - phase_us) // self._every_us
            if self._slot.get(partition, -1) < slot:
                self._slot[partition] = slot
                outputs.extend(self._changed(partition))
        return outputs

    def _changed(self, partition: int) -> Iterator[Output]:
        now_us, told = self._board.clock_us, self._told.setdefault(partition, {})
        parts = self._parts(partition)
        empty = {row: self._part(row) for row in told.keys() - parts.keys()}
        for row, part in sorted((parts | empty).items()):
            last = told.get(row)
            if last is None or last.part != part or now_us - last.time_us >= REPEAT_US:
                yield self._output(row, partition, part)
                told[row] = Told(part, now_us)
        for row in empty:
            del told[row]

    def _parts(self, partition: int) -> dict[int, Part]:
        """By instrument that a margined bucket of the partition holds and that has a mark."""
        mapped, apart = self._buckets(partition)
        longs, shorts = self._held(apart)
        parts = {
            row: self._part(row, unmapped=(int(longs[row]), int(shorts[row])))
            for row in np.flatnonzero(longs + shorts).tolist()
        }
        if not len(mapped):
            return parts
        found = evaluate(self._ledger, self._board, mapped)
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
        made = liquidation_map(
            found.positions.instrument,
            found.positions.quantity_e8 > 0,
            found.position_state.notional_e8,
            reached,
        )
        for place, row in enumerate(made.instrument.tolist()):
            unmapped = (int(longs[row]), int(shorts[row]))
            steps = made.long_e8[place].tolist(), made.short_e8[place].tolist()
            parts[row] = self._part(row, steps, unmapped)
        return parts

    def _buckets(self, partition: int) -> tuple[Int64s, Int64s]:
        """Rows of the partition's buckets that may be liquidated: by tiers, and otherwise."""
        book, rules = self._ledger.book, self._ledger.rules
        owner = book.buckets["account"]
        mine = book.buckets.live & (book.accounts["partition"][owner] == partition)
        rows = np.flatnonzero(mine & ~book.accounts["system"][owner])
        rows = rows[~self._ledger.exempt(owner[rows])]
        other = book.accounts["portfolio"][owner] & (book.buckets["instrument"] == CROSS)
        positions = book.positions
        options = positions.live & (rules.terms.side[positions["instrument"]] != 0)
        options &= positions["quantity_e8"] != 0
        other[positions["bucket"][options]] = True
        return rows[~other[rows]], rows[other[rows]]

    def _held(self, buckets: Int64s) -> tuple[Int64s, Int64s]:
        """Notional that these buckets hold long and short of each instrument [I], options not."""
        rules, board, positions = self._ledger.rules, self._board, self._ledger.book.positions
        chosen = np.zeros(self._ledger.book.buckets.capacity, np.bool_)
        chosen[buckets] = True
        rows = np.flatnonzero(positions.live & chosen[positions["bucket"]])
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
        plain = rules.terms.side[instrument] == 0
        return (
            _sums(plain & (quantity_e8 > 0), instrument, notional_e8, len(board.mark_e8)),
            _sums(plain & (quantity_e8 < 0), instrument, notional_e8, len(board.mark_e8)),
        )

    def _part(
        self,
        instrument: int,
        steps: tuple[list[int], list[int]] | None = None,
        unmapped: tuple[int, int] = (0, 0),
    ) -> Part:
        longs, shorts = steps or ([0] * len(SHOCKS_PPM),) * 2
        return {
            "mark_e8": int(self._board.mark_e8[instrument]),
            "unmapped_long_e8": unmapped[0],
            "unmapped_short_e8": unmapped[1],
            "steps": [
                {"shock_ppm": shock, "long_e8": long, "short_e8": short}
                for shock, long, short in zip(SHOCKS_PPM.tolist(), longs, shorts, strict=True)
            ],
        }

    def _output(self, instrument: int, partition: int, part: Part) -> Output:
        name, now_us = self._ledger.rules.instruments[instrument], self._board.clock_us
        about = {"event_time": now_us, "instrument_id": name, "partition": partition}
        return Output(
            "liquidation-map",
            name,
            about | part,
            f"{name}/{partition}/{now_us}",
            self._board.source[instrument],
            partition,
        )


def _sums(chosen: Bools, instrument: Int64s, notional_e8: Int64s, size: int) -> Int64s:
    sums_e8, fits = exact_sums(instrument[chosen], notional_e8[chosen], size)
    return np.where(fits, sums_e8, LIMIT_E8)
