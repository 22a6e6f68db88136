"""The stages of a liquidation and the one table of transitions between them.

E equity, MM maintenance margin, health = E / MM; "held" is MM > 0; cure(x) is the level x +
`cure_margin`. The first line that applies wins; a bucket to which none applies stays where it is.

| from            | when                                          | to         | actions           |
| --------------- | --------------------------------------------- | ---------- | ----------------- |
| WARNED CALLED   | not held                                      | HEALTHY    | CURE              |
| REDUCING        | not held                                      | HEALTHY    | COMPLETE CURE     |
| below REDUCING  | confirmed, E < 0 or useless                   | TAKEN_OVER | CANCEL TAKE_OVER  |
| below REDUCING  | confirmed, room                               | REDUCING   | CANCEL REDUCE     |
| HEALTHY WARNED  | health < call                                 | CALLED     | CALL              |
| HEALTHY         | health < warning                              | WARNED     | WARN              |
| WARNED CALLED   | live, health >= cure(warning)                 | HEALTHY    | CURE              |
| CALLED          | live, health >= cure(call)                    | WARNED     | CURE              |
| CALLED          | deadline passed, health < cure(call), once    | CALLED     | ESCALATE          |
| REDUCING        | may act, E < 0                                | TAKEN_OVER | TAKE_OVER         |
| REDUCING        | live, health >= end                           | HEALTHY    | COMPLETE CURE     |
| REDUCING        | may act, step over, no step left or useless   | TAKEN_OVER | TAKE_OVER         |
| REDUCING        | may act, step over, room                      | REDUCING   | REDUCE            |

- may act = marks live and account not exempt. Lines that do not name it need neither: a warning
  or a call on other marks is sent, and flagged by the caller.
- confirmed = held, may act, E < MM, and this is breach number `confirm_ticks` or more in a row.
  Breaches count up to it when the bucket may act and E < MM, fall to 0 on live marks with E >= MM,
  and stay otherwise. E = MM is no breach; MM = 0 never is (there is nothing to close).
- An episode begins when HEALTHY is left and ends on the return. COMPLETE ends it at `end_health`,
  also where that is below the warning level: what is left then is a new episode, with a call and
  a deadline of its own. A CURE from CALLED to WARNED does not end it.
- TAKEN_OVER: the transfer is under way and nothing is decided; whoever applies its last leg puts
  the bucket back to HEALTHY.
- step over = its deadline has passed. room = the market can take an order of the bucket now: one
  without room waits where it is and is asked for again at the next decision. useless = closing
  frees no margin, whatever is closed.
- Every REDUCE and TAKE_OVER is one more step of the episode; an order of which only a part had
  room uses none up.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from risk.holdings import Bools
from schemas.units import PPM, Int64s

# With a cure margin of at most 1e6, margin x health stays within 64 bits.
MAX_HEALTH_PPM = 8 * PPM


class Stage(IntEnum):
    """How far down the ladder a bucket is."""

    HEALTHY = 0
    WARNED = 1
    CALLED = 2
    REDUCING = 3
    TAKEN_OVER = 4
    AUCTION = 5
    """Of an insurance fund: what it cannot carry is for sale."""
    DELEVERAGE = 6
    """Of an insurance fund: winners are asked to take what it cannot carry."""


LADDER = (Stage.HEALTHY, Stage.WARNED, Stage.CALLED, Stage.REDUCING)
"""Stages in which an account of people is decided upon."""


class Reduction(IntEnum):
    """What the market can take now of the order that a bucket would be reduced by."""

    WHOLE = 0
    PART = 1
    WAITS = 2  # nothing
    USELESS = 3  # no order would free margin


class Action(IntFlag):
    """What one decision asks for; a sum of flags."""

    NONE = 0
    WARN = 1
    CALL = 2
    ESCALATE = 4
    CURE = 8
    CANCEL_ORDERS = 16
    REDUCE = 32
    TAKE_OVER = 64
    COMPLETE = 128


@dataclass(frozen=True, slots=True)
class Ladder:
    """Parameters of the ladder; healths in ppm of the maintenance margin, times in ms.

    Raises ValueError, naming value and rule, where they contradict each other.
    """

    warning_health_ppm: int = 1_500_000
    call_health_ppm: int = 1_200_000
    end_health_ppm: int = 1_100_000  # a reduction aims at it and ends there
    cure_margin_ppm: int = 50_000  # how far above warning or call a cure lies
    confirm_ticks: int = 2  # decisions in a row below maintenance before the first order
    call_ms: int = 300_000  # from a call to its deadline
    step_ms: int = 1_000  # from one reduction to the next
    max_steps: int = 4  # reductions before the position is taken over

    def __post_init__(self) -> None:
        if not PPM <= self.end_health_ppm <= MAX_HEALTH_PPM:
            raise ValueError(f"end_health_ppm {self.end_health_ppm} is outside 1e6..8e6")
        if not PPM <= self.call_health_ppm <= self.warning_health_ppm <= MAX_HEALTH_PPM:
            raise ValueError(
                f"call_health_ppm {self.call_health_ppm} and warning_health_ppm "
                f"{self.warning_health_ppm} must ascend within 1e6..8e6"
            )
        if not 0 <= self.cure_margin_ppm <= PPM:
            raise ValueError(f"cure_margin_ppm {self.cure_margin_ppm} is outside 0..1e6")
        for name in ("confirm_ticks", "call_ms", "step_ms", "max_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")


class Watch(NamedTuple):
    """The buckets of one decision: where they stand and what they remember, each of shape [N]."""

    stage: NDArray[np.int8]
    equity_e8: Int64s
    maintenance_margin_e8: Int64s
    live: Bools  # every mark of the bucket may liquidate
    exempt: Bools  # watched or quarantined: warned and called, never liquidated
    breaches: Int64s  # decisions in a row below maintenance, as far as they count
    deadline_us: Int64s  # of the open call, 0: none
    escalated: Bools  # the open call has escalated
    step: Int64s  # orders so far in this episode
    step_deadline_us: Int64s  # of the open step, 0: none
    reduction: NDArray[np.int8]  # Reduction; read where an order is due


class Steps(NamedTuple):
    """What was decided, each of shape [N]: the next value of each column of `Watch`, and more."""

    stage: NDArray[np.int8]
    actions: Int64s  # sums of Action
    breaches: Int64s
    deadline_us: Int64s
    escalated: Bools
    step: Int64s
    step_deadline_us: Int64s
    began: Bools  # an episode began: HEALTHY was left
    ended: Bools  # the episode ended: HEALTHY again


LINES = (
    (Stage.HEALTHY, Action.CURE),
    (Stage.HEALTHY, Action.COMPLETE | Action.CURE),
    (Stage.TAKEN_OVER, Action.CANCEL_ORDERS | Action.TAKE_OVER),
    (Stage.REDUCING, Action.CANCEL_ORDERS | Action.REDUCE),
    (Stage.CALLED, Action.CALL),
    (Stage.WARNED, Action.WARN),
    (Stage.HEALTHY, Action.CURE),
    (Stage.WARNED, Action.CURE),
    (Stage.CALLED, Action.ESCALATE),
    (Stage.TAKEN_OVER, Action.TAKE_OVER),
    (Stage.HEALTHY, Action.COMPLETE | Action.CURE),
    (Stage.TAKEN_OVER, Action.TAKE_OVER),
    (Stage.REDUCING, Action.REDUCE),
)
"""The last two columns of the table, line by line."""


def health_level(maintenance_margin_e8: Int64s, health_ppm: int) -> Int64s:
    """Least equity whose health is at least the given one: MM x health, rounded up, exact.

    For integers, E < MM x health is the same as E < this.
    """
    high, low = divmod(maintenance_margin_e8, PPM)
    level_e8: Int64s = high * health_ppm - (-(low * health_ppm) // PPM)
    return level_e8
