"""A board tick by tick: jumps, slow average, volatility, median index, and what is shown."""

from collections.abc import Mapping
from math import inf, nan, sqrt
from typing import Any

from streams.state.guards import Limits

WARM_UP_TICKS = 30
"""Ticks that teach what is normal: until then none is a jump, the slow average is the mark."""
SECOND_US = 1_000_000
US_PER_MS = 1_000
MOST_E8 = 10**18 - 1
Record = Mapping[str, Any]


class Feed:
    """One instrument's ticks, in the order of their topic; nothing but them moves it."""

    __slots__ = (
        "_least_jump",
        "_limits",
        "_sources",
        "_span_us",
        "_speed_per_us",
        "_squares",
        "_tau_us",
        "_ticks",
        "_waiting_source",
        "_waiting_up",
        "depth_e8",
        "implied_volatility",
        "index_e8",
        "mark_e8",
        "read_at",
        "slow_e8",
        "spread_e8",
        "time_us",
        "waiting",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tau_us = limits.slow_ms * US_PER_MS
        self._speed_per_us = limits.slow_speed_ppm / 1e12
        self._least_jump = limits.jump_ppm / 1e6 if limits.jump_sigma else inf
        self.mark_e8 = 0
        self.time_us = 0
        self.read_at = ""
        """Where the mark was read: topic-partition-offset."""
        self.index_e8 = 0
        self.spread_e8 = 0
        """Between bid and ask when the mark was told; 0 where they were not."""
        self.depth_e8 = (0, 0)
        """Contracts on the bid and on the ask side then; 0 where they were not told."""
        self.implied_volatility = nan
        self.slow_e8 = 0.0
        """Exponential average of the marks, its speed limited."""
        self.waiting = 0
        """Ticks in a row that said a jump which is not confirmed; the mark is the one before."""
        self._waiting_source = ""
        self._waiting_up = False
        self._ticks = 0
        self._squares = 0.0
        self._span_us = 0.0
        """Squared returns and the time in which they fell, both fading."""
        self._sources: dict[str, tuple[int, int]] = {}
        """Source -> time and index of its last tick."""

    def index(self, source: str, mark_e8: int, index_e8: int, time_us: int) -> None:
        """Take the index of a tick; of several live sources the median (without one: the mark)."""
        sources = self._sources
        sources[source] = (time_us, index_e8 if index_e8 > 0 else mark_e8)
        self.index_e8 = index_e8
        if len(sources) > 1:
            since_us = time_us - self._limits.stale_ms * US_PER_MS
            for name in [name for name, (told_us, _) in sources.items() if told_us < since_us]:
                del sources[name]
            if len(sources) > 1:
                indices = sorted(one for _, one in sources.values())
                middle = len(indices) // 2
                self.index_e8 = (indices[middle] + indices[~middle]) // 2

    def take(self, source: str, mark_e8: int, time_us: int) -> bool:
        """Whether the tick's mark counts now; False: it is a jump that waits."""
        last_e8 = self.mark_e8
        if last_e8:
            span_us = time_us - self.time_us if time_us > self.time_us else 0
            change = 2 * (mark_e8 - last_e8) / (mark_e8 + last_e8)
            if abs(change) > self._least_jump and self._waits(source, change, span_us):
                return False
            self.waiting = 0
            keep = self._tau_us / (self._tau_us + span_us) if span_us else 1.0
            self._squares = keep * self._squares + change * change
            self._span_us = keep * self._span_us + span_us
        if self._ticks < WARM_UP_TICKS:
            self._ticks += 1
            self.slow_e8 = mark_e8
        else:
            step = (1 - keep) * (mark_e8 - self.slow_e8)
            most = self.slow_e8 * self._speed_per_us * span_us
            if step > most:
                step = most
            elif step < -most:
                step = -most
            self.slow_e8 += step
        self.mark_e8 = mark_e8
        self.time_us = time_us
        return True

    def volatility(self) -> float:
        """Standard deviation of returns per square root of a second; 0 where there are none."""
        return sqrt(self._squares / self._span_us * SECOND_US) if self._span_us else 0.0

    def _waits(self, source: str, change: float, span_us: int) -> bool:
        """Whether this change is a jump, and one that nobody has confirmed."""
        if self._ticks < WARM_UP_TICKS or not self._span_us:
            return False
        variance = self._squares / self._span_us * max(span_us, SECOND_US)
        if change * change <= self._limits.jump_sigma**2 * variance:
            return False
        up = change > 0
        if not self.waiting or up != self._waiting_up:
            self.waiting, self._waiting_source, self._waiting_up = 0, source, up
        self.waiting += 1
        return source == self._waiting_source and self.waiting < self._limits.jump_ticks


class Board:
    """The feeds of instruments by name, their clock, and the ticks that were told before."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.feeds: dict[str, Feed] = {}
        self.clock_us, self.last_source, self.ignored = 0, "", 0
        self.changed: set[str] = set()
        self._sequence: dict[tuple[str, str], int] = {}

    def take(self, tick: Record, read_at: str) -> None:
        """One tick, read at topic-partition-offset."""
        name, source = tick["instrument_id"], tick["source"]
        if tick["sequence"] <= self._sequence.get((name, source), -1):
            self.ignored += 1
            return
        self._sequence[name, source] = tick["sequence"]
        self.changed.add(name)
        mark, time_us, feed = (
            tick["mark_e8"], tick["event_time"], self.feeds.setdefault(name, Feed(self._limits))
        )  # fmt: skip
        feed.index(source, mark, tick["index_e8"], time_us)
        if feed.take(source, mark, time_us):
            bid, ask = tick["bid_e8"], tick["ask_e8"]
            feed.spread_e8 = abs(ask - bid) if bid and ask else 0
            feed.implied_volatility = tick["implied_volatility"]
            feed.depth_e8 = tick["bid_depth_e8"] or 0, tick["ask_depth_e8"] or 0
            feed.read_at = read_at
        if time_us > self.clock_us:
            self.clock_us, self.last_source = time_us, read_at

    def shown(self, name: str) -> dict[str, Any]:
        """What a board has of an instrument."""
        feed = self.feeds.get(name) or Feed(self._limits)
        bid, ask = (min(max(depth, 0), MOST_E8) for depth in feed.depth_e8)
        sigma = feed.implied_volatility
        return {
            "mark_e8": feed.mark_e8, "index_e8": feed.index_e8, "time_us": feed.time_us,
            "slow_e8": int(feed.slow_e8), "spread_e8": min(feed.spread_e8, MOST_E8),
            "bid_depth_e8": bid, "ask_depth_e8": ask, "volatility": nan if sigma is None else sigma,
            "waiting": feed.waiting > 0, "source": feed.read_at, "changed": name in self.changed,
        }  # fmt: skip
