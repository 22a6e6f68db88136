"""The last mark of every instrument, the board's clock, and whether a mark may liquidate."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from schemas.block import Columns, Int64s
from schemas.units import LIMIT_E8, US_PER_MS


class Guard(IntEnum):
    """What is wrong with a mark, the worst last; the symbols of the records' guard fields."""

    LIVE = 0
    STALE = 1
    DEVIANT = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """When a mark may not liquidate."""

    stale_ms: int = 15_000
    """A mark older than this on the board's clock is STALE."""
    deviation_ppm: int = 100_000
    """A mark further than this from its index is DEVIANT."""


class MarkBoard:
    """Marks by instrument number, conflated: the last tick wins.

    The clock is the largest event time among the ticks taken, so a replay decides the same.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.clock_us = 0
        self.ignored = 0
        self.mark_e8: Int64s = np.zeros(0, np.int64)
        self.index_e8: Int64s = np.zeros(0, np.int64)
        self.time_us: Int64s = np.zeros(0, np.int64)
        self.source: list[str] = []
        """Where an instrument's mark was read: topic-partition-offset."""
        self.last_source = ""
        """Where the tick was read that last moved the clock."""
        self.changed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._sequence: dict[tuple[int, str], int] = {}

    def resize(self, instruments: int) -> None:
        """Make room for instruments that are new."""
        more = instruments - len(self.mark_e8)
        if more > 0:
            for name in ("mark_e8", "index_e8", "time_us"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros(more, np.int64)]))
            self.changed = np.concatenate([self.changed, np.zeros(more, np.bool_)])
            self.source.extend([""] * more)

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
            data["event_time"].tolist(),
            sources,
            strict=True,
        )
        for instrument, source, sequence, mark, index, time_us, read_at in rows:
            if sequence <= self._sequence.get((instrument, source), -1):
                self.ignored += 1
                continue
            self._sequence[instrument, source] = sequence
            taken += 1
            self.mark_e8[instrument] = mark
            self.index_e8[instrument] = index
            self.time_us[instrument] = time_us
            self.source[instrument] = read_at
            self.changed[instrument] = True
            if time_us > self.clock_us:
                self.clock_us, self.last_source = time_us, read_at
        return taken

    def guards(self) -> NDArray[np.int8]:
        """int8[I]: the Guard of each instrument's mark; no mark at all is STALE."""
        limits = self.limits
        gap = np.abs(self.mark_e8 - self.index_e8).astype(np.float64) * 1e6
        deviant = (self.index_e8 > 0) & (gap > self.index_e8 * float(limits.deviation_ppm))
        old = self.clock_us - self.time_us > limits.stale_ms * US_PER_MS
        guard = np.where(deviant, Guard.DEVIANT, Guard.LIVE)
        return np.where(old | (self.mark_e8 == 0), Guard.STALE, guard).astype(np.int8)

    def take_changes(self) -> NDArray[np.bool_]:
        """bool[I]: the instruments that ticked since the last call."""
        changed, self.changed = self.changed, np.zeros(len(self.changed), np.bool_)
        return changed


def price_in_range(price_e8: Int64s) -> NDArray[np.bool_]:
    """bool[n]: positive and within Decimal64's 18 digits."""
    in_range: NDArray[np.bool_] = (price_e8 > 0) & (price_e8 <= LIMIT_E8)
    return in_range
