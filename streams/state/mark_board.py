"""The last mark of every instrument, the board's clock, and whether a mark may be relied on."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.block import Columns, Int64s
from schemas.units import US_PER_MS, Floats
from streams.state.columns import PairTable
from streams.state.guards import Guard, Limits, worse_bound_e8
from streams.state.name_table import NameTable
from streams.state.price_feed import (
    COUNTS,
    IGNORED,
    SECOND_US,
    Bounds,
    Feeds,
    Shown,
    Ticks,
    Told,
    take_ticks,
)

NOT_TRADED = frozenset({"HALTED", "SETTLED"})
NEVER_US = np.iinfo(np.int64).max
COLUMNS: dict[str, float] = {**dict.fromkeys(Shown._fields, 0), "halted_us": NEVER_US}
COLUMNS |= {"waiting": False, "changed": False, "option": False, "volatility": np.nan}
"""What an instrument begins with."""


class MarkBoard:
    """Marks by instrument number, conflated: the last tick wins, unless it has to be confirmed.

    The clock is the largest event time among the ticks taken, so a replay decides the same. What
    the guards go by follows from the ticks alone, and is read again with them after a restart.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.clock_us = 0
        self.ignored = 0
        self.mark_e8: Int64s = np.zeros(0, np.int64)
        self.index_e8: Int64s = np.zeros(0, np.int64)
        self.time_us: Int64s = np.zeros(0, np.int64)
        self.slow_e8: Int64s = np.zeros(0, np.int64)
        """Exponential average of the marks, its speed limited."""
        self.spread_e8: Int64s = np.zeros(0, np.int64)
        """Between bid and ask; 0 where a tick does not tell them."""
        self.bid_depth_e8: Int64s = np.zeros(0, np.int64)
        self.ask_depth_e8: Int64s = np.zeros(0, np.int64)
        """Contracts in the book near the mark, by side; 0 where a tick does not tell them."""
        self.halted_us: Int64s = np.zeros(0, np.int64)
        """From when on the instrument does not trade."""
        self.option: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.volatility: Floats = np.zeros(0, np.float64)
        """Of options, as their ticks tell it; nan where they do not."""
        self.waiting: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """Instruments with a newer mark that waits to be confirmed."""
        self.source: list[str] = []
        """Where an instrument's mark was read: topic-partition-offset."""
        self.last_source = ""
        """Where the tick was read that last moved the clock."""
        self.changed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._bounds = Bounds.of(self.limits)
        self._feeds = Feeds.new(0)
        self._sources = NameTable()
        self._told = PairTable(
            instrument=np.int32, source=np.int32, known=np.bool_, sequence=np.int64,
            time_us=np.int64, index_e8=np.int64, following=np.int64, live=np.bool_,
        )  # fmt: skip
        self.kept: dict[Hashable, Any] = {}
        """What others work out of what it shows; forgotten whenever it shows something else."""

    def resize(self, instruments: int) -> None:
        """Make room for instruments that are new."""
        self.kept.clear()
        more = instruments - len(self.mark_e8)
        if more > 0:
            for name, empty in COLUMNS.items():
                setattr(self, name, np.append(getattr(self, name), np.full(more, empty)))
            self.source.extend([""] * more)
            self._feeds = self._feeds.with_more(more)

    def list_instrument(self, instrument: int, record: Mapping[str, Any]) -> None:
        """Take what its listing says: whether it trades, and whether it is an option."""
        self.kept.clear()
        halted = record["status"] in NOT_TRADED
        self.halted_us[instrument] = record["event_time"] if halted else NEVER_US
        self.option[instrument] = record["kind"] == "OPTION"

    def take(self, instruments: Int64s, ticks: Columns, place: str, offsets: Int64s) -> int:
        """Take ticks in their order; `instruments` int64[n] are known and `ticks` are admitted.

        They were read at `offsets` int64[n] of `place`, a topic-partition. A tick whose sequence
        is not above its source's last is out of order or a duplicate: it is ignored and counted.
        Returns how many were taken.
        """
        self.kept.clear()
        data, fates = ticks.data, np.empty(len(ticks), np.int64)
        told = self._told.rows(instruments, self._sources.rows(data["source"]))
        given = Ticks(instruments, told, *(data[name] for name in Ticks._fields[2:]))
        state = (
            Told(*(self._told[name] for name in Told._fields)),
            Shown(*(getattr(self, name) for name in Shown._fields)),
            self._feeds,
        )
        self.clock_us, moved = take_ticks(given, state, self._bounds, self.clock_us, fates)
        if moved >= 0:
            self.last_source = f"{place}-{offsets[moved]}"
        counts = np.flatnonzero(fates == COUNTS)
        read_at = zip(instruments[counts].tolist(), offsets[counts].tolist(), strict=True)
        for instrument, offset in dict(read_at).items():
            self.source[instrument] = f"{place}-{offset}"
        ignored = int(np.count_nonzero(fates == IGNORED))
        self.ignored += ignored
        return len(ticks) - ignored

    def guards(self) -> NDArray[np.int8]:
        """int8[I]: the Guard of each instrument's mark; no mark at all is STALE.

        The price of an option may move by more than itself, and is quoted wide: it is compared
        with its index alone.
        """
        limits, mark = self.limits, self.mark_e8.astype(np.float64)
        deviant = self.waiting | self._beyond(self.index_e8, limits.deviation_ppm)
        if limits.slow_deviation_ppm:
            deviant |= ~self.option & self._beyond(self.slow_e8, limits.slow_deviation_ppm)
        guard = np.where(deviant, Guard.DEVIANT, Guard.LIVE)
        if limits.wide_ppm:
            wide = ~self.option & (self.spread_e8 * 1e6 > mark * limits.wide_ppm)
            guard = np.where(wide, Guard.WIDE, guard)
        old = self.clock_us - self.time_us > limits.stale_ms * US_PER_MS
        guard = np.where(old | (self.mark_e8 == 0), Guard.STALE, guard)
        return np.where(self.clock_us >= self.halted_us, Guard.HALTED, guard).astype(np.int8)

    def deviations(self) -> Floats:
        """float64[I]: standard deviation of returns per square root of a second; 0 without any."""
        squares, span_us = self._feeds.squares, self._feeds.span_us
        per_us = np.divide(squares, span_us, out=np.zeros(len(squares)), where=span_us > 0)
        deviations: Floats = np.sqrt(per_us * SECOND_US)
        return deviations

    def bounds_e8(self) -> tuple[Int64s, Int64s]:
        """Where each price may be, lowest and highest [I]: for what must not rest on the mark."""
        volatility = self.deviations()
        age_s = (self.clock_us - self.time_us).clip(min=0) / 1e6
        low, high = (
            worse_bound_e8(
                self.mark_e8,
                np.array([side]),
                confidence_e8=self.spread_e8 // 2,
                volatility=volatility,
                age_s=age_s,
            )
            for side in (1, -1)
        )
        return low, high

    def take_changes(self) -> NDArray[np.bool_]:
        """bool[I]: the instruments that ticked since the last call."""
        changed, self.changed = self.changed, np.zeros(len(self.changed), np.bool_)
        return changed

    def _beyond(self, from_e8: Int64s, limit_ppm: int) -> NDArray[np.bool_]:
        """bool[I]: further from this than the limit; from 0 nothing is compared."""
        gap = np.abs(self.mark_e8 - from_e8).astype(np.float64) * 1e6
        beyond: NDArray[np.bool_] = (from_e8 > 0) & (gap > from_e8 * float(limit_ppm))
        return beyond
