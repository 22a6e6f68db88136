"""What a price guard may say of a mark, and what each of its states allows."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s
from schemas.units import LIMIT_E8, Floats


class Guard(IntEnum):
    """What is wrong with a mark, the worst last; the symbols of the records' guard fields."""

    LIVE = 0
    STALE = 1
    """Older than its limit, or there is none. What else was told of it is as old."""
    DEVIANT = 2
    """Far from its index or its slow average, or a newer one waits to be confirmed."""
    WIDE = 3
    """Bid and ask are too far apart to say what the price is."""
    HALTED = 4
    """The instrument does not trade."""


class Use(IntEnum):
    """What a mark is used for."""

    LIQUIDATE = 0
    CALL = 1
    RELEASE = 2
    """Letting collateral leave."""
    INITIAL = 3
    """The initial requirement: what may be opened."""
    PUBLISH = 4


class Verdict(IntEnum):
    """What a state of a mark allows a use."""

    ALLOWED = 0
    FLAGGED = 1
    """Done, with the state told beside it."""
    WORSE_BOUND = 2
    """Done at the worse end of where the price may be: see `worse_bound_e8`."""
    REFUSED = 3


_A, _F, _W, _R = Verdict
VERDICTS: dict[Use, tuple[Verdict, ...]] = {
    # by Guard:      LIVE STALE DEVIANT WIDE HALTED
    Use.LIQUIDATE: (_A, _R, _R, _R, _R),
    Use.CALL: (_A, _F, _F, _F, _F),
    Use.RELEASE: (_A, _R, _R, _R, _R),
    Use.INITIAL: (_A, _W, _W, _W, _W),
    Use.PUBLISH: (_A, _F, _F, _F, _F),
}
_REFUSED = {use: np.array([one is _R for one in row]) for use, row in VERDICTS.items()}


def verdict(use: Use, guard: Guard) -> Verdict:
    """What a mark in this state may be used for."""
    return VERDICTS[use][guard]


def allowed(use: Use, guards: NDArray[np.int8]) -> NDArray[np.bool_]:
    """bool[n]: not refused, elementwise over states (`Guard` numbers)."""
    permitted: NDArray[np.bool_] = ~_REFUSED[use][guards]
    return permitted


def worse_bound_e8(
    mark_e8: Int64s,
    side: Int64s,
    *,
    confidence_e8: Int64s,
    volatility: Floats,
    age_s: Floats,
    z: float = 2.0,
) -> Int64s:
    """The worse end of where the price may be: the low one where `side` > 0, else the high one.

    mark -+ (confidence + z x volatility x mark x sqrt(age)), rounded away from the mark, never
    below 0. `volatility` is per square root of a second. Arrays broadcast.
    """
    reach = confidence_e8 + z * volatility * mark_e8 * np.sqrt(age_s)
    bound = np.where(side > 0, np.floor(mark_e8 - reach), np.ceil(mark_e8 + reach))
    return bound.clip(0, LIMIT_E8).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a mark is not LIVE, and when a new one waits. Where 0 turns a limit off, it says so."""

    stale_ms: int = 15_000
    """A mark older than this on the board's clock is STALE."""
    deviation_ppm: int = 100_000
    """A mark further than this from its index is DEVIANT."""
    slow_deviation_ppm: int = 500_000
    """A mark further than this from its slow average is DEVIANT; 0: none is."""
    slow_ms: int = 300_000
    """Time constant of the slow average, and of the volatility that jumps are measured in."""
    slow_speed_ppm: int = 2_000
    """The slow average moves by no more than this a second."""
    wide_ppm: int = 100_000
    """A mark whose bid and ask are further apart than this is WIDE; 0: none is."""
    jump_sigma: int = 10
    """A change within one tick beyond so many standard deviations, ...; 0: none waits."""
    jump_ppm: int = 50_000
    """... and larger than this, waits to be confirmed, ..."""
    jump_ticks: int = 3
    """... by another source, or by so many ticks in a row, itself included."""
