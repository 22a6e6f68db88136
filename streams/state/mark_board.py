"""The last mark of every instrument, the board's clock, and whether a mark may be relied on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.block import Columns, Int64s
from schemas.units import LIMIT_E8, US_PER_MS, Floats
from streams.state.guards import Guard, Limits, worse_bound_e8
from streams.state.price_feed import Feed

NOT_TRADED = frozenset({"HALTED", "SETTLED"})
NEVER_US = np.iinfo(np.int64).max
COLUMNS = {"mark_e8": 0, "index_e8": 0, "time_us": 0, "slow_e8": 0, "spread_e8": 0}
COLUMNS |= {"halted_us": NEVER_US, "bid_depth_e8": 0, "ask_depth_e8": 0}


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
        self._feeds: list[Feed] = []
        self._sequence: dict[tuple[int, str], int] = {}

    def resize(self, instruments: int) -> None:
        """Make room for instruments that are new."""
        more = instruments - len(self.mark_e8)
        if more > 0:
            for name, empty in COLUMNS.items():
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.full(more, empty, np.int64)]))
            for name in ("changed", "option", "waiting"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros(more, np.bool_)]))
            self.volatility = np.concatenate([self.volatility, np.full(more, np.nan)])
            self.source.extend([""] * more)
            self._feeds.extend(Feed(self.limits) for _ in range(more))

    def list_instrument(self, instrument: int, record: Mapping[str, Any]) -> None:
        """Take what its listing says: whether it trades, and whether it is an option."""
        halted = record["status"] in NOT_TRADED
        self.halted_us[instrument] = record["event_time"] if halted else NEVER_US
        self.option[instrument] = record["kind"] == "OPTION"

    def take(self, instruments: Int64s, ticks: Columns, sources: list[str]) -> int:
        """Take ticks in their order; `instruments` int64[n] are known and `ticks` are admitted.

        A tick whose sequence is not above its source's last is out of order or a duplicate: it is
        ignored and counted. Returns how many were taken.
        """
        data = ticks.data
        taken = 0
        rows = zip(
            instruments.tolist(),
            data["source"],
            data["sequence"].tolist(),
            data["mark_e8"].tolist(),
            data["index_e8"].tolist(),
            data["bid_e8"].tolist(),
            data["ask_e8"].tolist(),
            data["implied_volatility"].tolist(),
            zip(data["bid_depth_e8"].tolist(), data["ask_depth_e8"].tolist(), strict=True),
            data["event_time"].tolist(),
            sources,
            strict=True,
        )
        ticked: dict[int, Feed] = {}
        for (
            instrument, source, sequence, mark, index, bid, ask, sigma, depth, time_us, read_at
        ) in rows:  # fmt: skip
            if sequence <= self._sequence.get((instrument, source), -1):
                self.ignored += 1
                continue
            self._sequence[instrument, source] = sequence
            taken += 1
            ticked[instrument] = feed = self._feeds[instrument]
            feed.index(source, mark, index, time_us)
            if feed.take(source, mark, time_us):
                feed.spread_e8 = abs(ask - bid) if bid and ask else 0
                feed.implied_volatility = sigma
                feed.depth_e8 = depth
                feed.read_at = read_at
            if time_us > self.clock_us:
                self.clock_us, self.last_source = time_us, read_at
        self._show(ticked)
        return taken

    def _show(self, ticked: Mapping[int, Feed]) -> None:
        """Write what these feeds have come to into the columns."""
        rows, feeds = list(ticked), ticked.values()
        self.mark_e8[rows] = [feed.mark_e8 for feed in feeds]
        self.index_e8[rows] = [feed.index_e8 for feed in feeds]
        self.time_us[rows] = [feed.time_us for feed in feeds]
        self.slow_e8[rows] = [int(feed.slow_e8) for feed in feeds]
        self.spread_e8[rows] = [min(feed.spread_e8, LIMIT_E8) for feed in feeds]
        depths = np.array([feed.depth_e8 for feed in feeds], np.int64).reshape(-1, 2)
        self.bid_depth_e8[rows], self.ask_depth_e8[rows] = depths.clip(0, LIMIT_E8).T
        self.volatility[rows] = [feed.implied_volatility for feed in feeds]
        self.waiting[rows] = [feed.waiting > 0 for feed in feeds]
        self.changed[rows] = True
        for row, feed in ticked.items():
            self.source[row] = feed.read_at

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

    def bounds_e8(self) -> tuple[Int64s, Int64s]:
        """Where each price may be, lowest and highest [I]: for what must not rest on the mark."""
        volatility = np.array([feed.volatility() for feed in self._feeds], np.float64)
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


def price_in_range(price_e8: Int64s) -> NDArray[np.bool_]:
    """bool[n]: positive and within Decimal64's 18 digits."""
    in_range: NDArray[np.bool_] = (price_e8 > 0) & (price_e8 <= LIMIT_E8)
    return in_range
