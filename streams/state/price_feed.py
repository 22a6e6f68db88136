"""What the ticks of one instrument say together: jumps, slow average, volatility, median index.

One compiled loop over the ticks, in the order of their topic; nothing but them moves a feed.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Int64s
from schemas.units import LIMIT_E8, US_PER_MS, Floats
from streams.state.guards import Limits

WARM_UP_TICKS = 30
"""Ticks that teach what is normal: until then none is a jump, the slow average is the mark."""
SECOND_US = 1_000_000
IGNORED, WAITS, COUNTS = 0, 1, 2
"""What became of a tick: told before or out of order; a jump that waits; its mark counts now."""
NONE = 0
"""Behind the last of a chain; its rows are told as their number + 1."""
EXACT = 2**53
"""Integers up to here are floats."""
Bools = NDArray[np.bool_]


class Ticks(NamedTuple):
    """Ticks in their order, [n]: instrument, row of instrument and source in `Told`, and what
    their records say."""

    instrument: Int64s
    told: Int64s
    event_time: Int64s
    sequence: Int64s
    mark_e8: Int64s
    index_e8: Int64s
    bid_e8: Int64s
    ask_e8: Int64s
    bid_depth_e8: Int64s
    ask_depth_e8: Int64s
    implied_volatility: Floats


class Told(NamedTuple):
    """The last tick of a source for an instrument, a row each; `following` and `live` chain the
    rows of an instrument whose index counts."""

    known: Bools
    sequence: Int64s
    time_us: Int64s
    index_e8: Int64s
    following: Int64s
    live: Bools


class Shown(NamedTuple):
    """What a board shows of its instruments, [I], as it says."""

    mark_e8: Int64s
    index_e8: Int64s
    time_us: Int64s
    slow_e8: Int64s
    spread_e8: Int64s
    bid_depth_e8: Int64s
    ask_depth_e8: Int64s
    volatility: Floats
    waiting: Bools
    changed: Bools


class Feeds(NamedTuple):
    """What else the ticks of each instrument have come to, [I]."""

    ticks: Int64s
    """Up to WARM_UP_TICKS, and one more once the slow average is one."""
    slow_e8: Floats
    """Exponential average of the marks, its speed limited."""
    squares: Floats
    span_us: Floats
    """Squared returns and the time in which they fell, both fading."""
    waits: Int64s
    """Ticks in a row that said a jump which is not confirmed; the mark is the one before."""
    waits_for: Int64s
    """The row in `Told` of the first of them."""
    waits_up: Bools
    first: Int64s
    """Of the chain of live sources."""
    sources: Int64s
    """How many they are."""

    @staticmethod
    def new(n: int) -> "Feeds":
        """Feeds that have no ticks yet."""
        return Feeds(
            ticks=np.zeros(n, np.int64),
            slow_e8=np.zeros(n),
            squares=np.zeros(n),
            span_us=np.zeros(n),
            waits=np.zeros(n, np.int64),
            waits_for=np.zeros(n, np.int64),
            waits_up=np.zeros(n, np.bool_),
            first=np.zeros(n, np.int64),
            sources=np.zeros(n, np.int64),
        )

    def with_more(self, n: int) -> "Feeds":
        """These and new ones."""
        new = Feeds.new(n)._asdict()
        return self._replace(
            **{name: np.append(mine, new[name]) for name, mine in self._asdict().items()}
        )


class Bounds(NamedTuple):
    """Limits, in the units of the loop."""

    stale_us: int
    tau_us: int
    """Time constant of the slow average."""
    speed_per_us: float
    least_jump: float
    """A relative change."""
    jump_variances: float
    jump_ticks: int

    @staticmethod
    def of(limits: Limits) -> "Bounds":
        return Bounds(
            limits.stale_ms * US_PER_MS,
            limits.slow_ms * US_PER_MS,
            limits.slow_speed_ppm / 1e12,
            limits.jump_ppm / 1e6 if limits.jump_sigma else np.inf,
            float(limits.jump_sigma**2),
            limits.jump_ticks,
        )


@compiled
def take_ticks(
    ticks: Ticks, state: tuple[Told, Shown, Feeds], bounds: Bounds, clock_us: int, fates: Int64s
) -> tuple[int, int]:
    """What became of each tick into `fates` int64[n]; the clock, and the tick that last moved it,
    -1 where none has.

    A tick whose sequence is not above its source's last is ignored.
    """
    told, shown, feeds = state
    moved = -1
    for row in range(len(ticks.instrument)):
        of, place = ticks.instrument[row], ticks.told[row]
        fates[row] = IGNORED
        if ticks.sequence[row] <= (told.sequence[place] if told.known[place] else -1):
            continue
        told.known[place], told.sequence[place] = True, ticks.sequence[row]
        shown.changed[of] = True
        fates[row] = WAITS
        mark_e8, time_us = ticks.mark_e8[row], ticks.event_time[row]
        index_e8 = ticks.index_e8[row]
        told.time_us[place] = time_us
        told.index_e8[place] = index_e8 if index_e8 > 0 else mark_e8
        shown.index_e8[of] = _index(told, feeds, of, place, (index_e8, time_us - bounds.stale_us))
        if _take(shown, feeds, bounds, (of, place), (mark_e8, time_us)):
            fates[row] = COUNTS
            bid, ask = ticks.bid_e8[row], ticks.ask_e8[row]
            shown.spread_e8[of] = _spread_e8(bid, ask) if bid and ask else 0
            shown.bid_depth_e8[of] = min(max(ticks.bid_depth_e8[row], 0), LIMIT_E8)
            shown.ask_depth_e8[of] = min(max(ticks.ask_depth_e8[row], 0), LIMIT_E8)
            shown.volatility[of] = ticks.implied_volatility[row]
        shown.waiting[of] = feeds.waits[of] > 0
        if time_us > clock_us:
            clock_us, moved = time_us, row
    return clock_us, moved


@compiled
def _index(told: Told, feeds: Feeds, of: int, place: int, tick: tuple[int, int]) -> int:
    """The index, now that a source has told its own: of several live sources the median.

    `tick` is that index, and since when a source is live.
    """
    index_e8, since_us = tick
    if not told.live[place]:
        told.live[place], told.following[place] = True, feeds.first[of]
        feeds.first[of] = place + 1
        feeds.sources[of] += 1
    if feeds.sources[of] == 1:
        return index_e8
    at, before = feeds.first[of], NONE
    while at != NONE:
        following = told.following[at - 1]
        if told.time_us[at - 1] >= since_us:
            before = at
        else:
            told.live[at - 1] = False
            feeds.sources[of] -= 1
            if before == NONE:
                feeds.first[of] = following
            else:
                told.following[before - 1] = following
        at = following
    if feeds.sources[of] == 1:
        return index_e8
    indices, count, at = np.empty(feeds.sources[of], np.int64), 0, feeds.first[of]
    while at != NONE:
        indices[count] = told.index_e8[at - 1]
        at, count = told.following[at - 1], count + 1
    indices.sort()
    middle = count // 2
    return int((indices[middle] + indices[count - 1 - middle]) // 2)


@compiled
def _take(
    shown: Shown, feeds: Feeds, bounds: Bounds, whose: tuple[int, int], tick: tuple[int, int]
) -> bool:
    """Whether the tick's mark counts now; False: it is a jump that waits.

    `whose` is the instrument and the row in `Told`, `tick` the mark and its time.
    """
    of, _ = whose
    mark_e8, time_us = tick
    last_e8, span_us, keep = shown.mark_e8[of], 0, 1.0
    if last_e8:
        span_us = max(time_us - shown.time_us[of], 0)
        change = _change(mark_e8, last_e8)
        if abs(change) > bounds.least_jump and _waits(feeds, bounds, whose, change, span_us):
            return False
        feeds.waits[of] = 0
        if span_us:
            keep = bounds.tau_us / (bounds.tau_us + span_us)
        feeds.squares[of] = keep * feeds.squares[of] + change * change
        feeds.span_us[of] = keep * feeds.span_us[of] + span_us
    if feeds.ticks[of] < WARM_UP_TICKS:
        feeds.ticks[of] += 1
        feeds.slow_e8[of] = mark_e8
        shown.slow_e8[of] = mark_e8
    else:
        slow_e8 = feeds.slow_e8[of]
        first = feeds.ticks[of] == WARM_UP_TICKS  # the slow average is the last mark, exactly
        step = (1 - keep) * (float(mark_e8 - last_e8) if first else mark_e8 - slow_e8)
        most = slow_e8 * bounds.speed_per_us * span_us
        feeds.ticks[of] = WARM_UP_TICKS + 1
        feeds.slow_e8[of] = slow_e8 + min(max(step, -most), most)
        shown.slow_e8[of] = np.int64(feeds.slow_e8[of])
    shown.mark_e8[of], shown.time_us[of] = mark_e8, time_us
    return True


@compiled
def _waits(
    feeds: Feeds, bounds: Bounds, whose: tuple[int, int], change: float, span_us: int
) -> bool:
    """Whether this change is a jump, and one that nobody has confirmed."""
    of, place = whose
    if feeds.ticks[of] < WARM_UP_TICKS or not feeds.span_us[of]:
        return False
    variance = feeds.squares[of] / feeds.span_us[of] * max(span_us, SECOND_US)
    if change * change <= bounds.jump_variances * variance:
        return False
    up = change > 0
    if not feeds.waits[of] or up != feeds.waits_up[of]:
        feeds.waits[of], feeds.waits_for[of], feeds.waits_up[of] = 0, place, up
    feeds.waits[of] += 1
    return bool(place == feeds.waits_for[of] and feeds.waits[of] < bounds.jump_ticks)


@compiled
def _spread_e8(bid_e8: int, ask_e8: int) -> int:
    """What is between them, within 18 digits; each may be any number of 64 bits."""
    apart = np.uint64(max(bid_e8, ask_e8)) - np.uint64(min(bid_e8, ask_e8))
    return int(np.int64(min(apart, np.uint64(LIMIT_E8))))  # else it would meet a 0 as a float


@compiled
def _change(mark_e8: int, last_e8: int) -> float:
    """The difference over the mean, correctly rounded; both marks are positive."""
    gap, both = abs(mark_e8 - last_e8) * 2, mark_e8 + last_e8
    sign = 1.0 if mark_e8 > last_e8 else -1.0
    if both <= EXACT and gap <= EXACT:
        return sign * gap / both
    if gap == 0:
        return 0.0
    exponent, digits = 0, 0
    while gap < both:
        gap, exponent = gap * 2, exponent - 1
    for _ in range(53):
        digits *= 2
        if gap >= both:
            digits, gap = digits + 1, gap - both
        gap *= 2
    if gap > both or (gap == both and digits % 2):
        digits += 1
    return sign * math.ldexp(digits, exponent - 52)
