"""One decision of every bucket by the table of the stages, compiled."""

from typing import NamedTuple

import numpy as np

from risk.compiled import compiled, inlined
from risk.liquidation.stages import (
    LADDER,
    LINES,
    Action,
    Ladder,
    Reduction,
    Steps,
    Watch,
    health_level,
)
from schemas.units import US_PER_MS

NEXT_STAGE = np.array([stage for stage, _ in LINES], np.int8)
ASKED = np.array([action for _, action in LINES], np.int64)
NO_LINE = -1
HEALTHY, _, CALLED, REDUCING = map(int, LADDER)
PART, USELESS = int(Reduction.PART), int(Reduction.USELESS)
CALL, ESCALATE, REDUCE, TAKE_OVER = map(
    int, (Action.CALL, Action.ESCALATE, Action.REDUCE, Action.TAKE_OVER)
)
KINDS = np.int8, *[np.int64] * 3, np.bool_, *[np.int64] * 2, *[np.bool_] * 2
"""Of the columns of `Steps`."""
_level = inlined(health_level)


class _Rules(NamedTuple):
    """The clock, and the ladder in the order of its fields: as the kernel takes them."""

    now_us: int
    warning_ppm: int
    call_ppm: int
    end_ppm: int
    cure_ppm: int
    confirm_ticks: int
    call_ms: int
    step_ms: int
    max_steps: int


def step(watch: Watch, now_us: int, ladder: Ladder) -> Steps:
    """One decision for every bucket by the table of `stages`; pure, integers only."""
    steps = Steps(*(np.empty(len(watch.stage), kind) for kind in KINDS))
    rules = _Rules(now_us, *(getattr(ladder, name) for name in Ladder.__slots__))
    _decide(watch, rules, steps)
    return steps


@compiled
def _decide(watch: Watch, rules: _Rules, into: Steps) -> None:
    """The columns of the steps, bucket by bucket."""
    for row in range(len(watch.stage)):
        was, breaches = watch.stage[row], _breaches(row, watch, rules)
        line = _line(row, watch, breaches, rules)
        stage, actions = was, 0
        if line != NO_LINE:
            stage, actions = NEXT_STAGE[line], ASKED[line]
        called, reducing = stage == CALLED, stage == REDUCING
        calls, reduces = actions & CALL != 0, actions & REDUCE != 0
        order = (reduces and watch.reduction[row] != PART) or actions & TAKE_OVER != 0
        escalated = watch.escalated[row] or actions & ESCALATE != 0
        into.stage[row], into.actions[row] = stage, actions
        into.breaches[row] = breaches if stage < REDUCING else 0
        into.deadline_us[row] = watch.deadline_us[row] if called else 0
        into.escalated[row] = called and not calls and escalated
        into.step[row] = watch.step[row] + order if stage >= REDUCING else 0
        into.step_deadline_us[row] = watch.step_deadline_us[row] if reducing else 0
        if calls:
            into.deadline_us[row] = rules.now_us + rules.call_ms * US_PER_MS
        if reduces:
            into.step_deadline_us[row] = rules.now_us + rules.step_ms * US_PER_MS
        into.began[row] = was == HEALTHY and stage != HEALTHY
        into.ended[row] = was != HEALTHY and stage == HEALTHY


@inlined
def _breaches(row: int, watch: Watch, rules: _Rules) -> int:
    """How many there are in a row with this decision."""
    equity, margin = watch.equity_e8[row], watch.maintenance_margin_e8[row]
    breaches: int = watch.breaches[row]
    if not watch.live[row]:
        return breaches
    if not (margin > 0 and equity < margin):
        return 0
    return breaches if watch.exempt[row] else min(breaches + 1, rules.confirm_ticks)


@inlined
def _line(row: int, watch: Watch, breaches: int, rules: _Rules) -> int:
    """The first line of the table that applies to a bucket."""
    if watch.stage[row] < REDUCING:
        return _early_line(row, watch, breaches, rules)
    return _line_of_reducing(row, watch, rules) if watch.stage[row] == REDUCING else NO_LINE


@inlined
def _early_line(row: int, watch: Watch, breaches: int, rules: _Rules) -> int:
    stage, equity, margin = watch.stage[row], watch.equity_e8[row], watch.maintenance_margin_e8[row]
    live, held, reduction = watch.live[row], margin > 0, watch.reduction[row]
    confirmed = live and not watch.exempt[row] and held and equity < margin
    confirmed = confirmed and breaches >= rules.confirm_ticks
    cured = equity >= _level(margin, rules.call_ppm + rules.cure_ppm)
    line = NO_LINE
    if stage != HEALTHY and not held:
        line = 0
    elif confirmed and (equity < 0 or reduction == USELESS):
        line = 2
    elif confirmed and reduction <= PART:
        line = 3
    elif stage != CALLED and held and equity < _level(margin, rules.call_ppm):
        line = 4
    elif stage == HEALTHY and held and equity < _level(margin, rules.warning_ppm):
        line = 5
    elif stage != HEALTHY and live and equity >= _level(margin, rules.warning_ppm + rules.cure_ppm):
        line = 6
    elif stage == CALLED and live and cured:
        line = 7
    elif stage == CALLED and rules.now_us >= watch.deadline_us[row]:
        line = NO_LINE if watch.escalated[row] or cured else 8
    return line


@inlined
def _line_of_reducing(row: int, watch: Watch, rules: _Rules) -> int:
    equity, margin = watch.equity_e8[row], watch.maintenance_margin_e8[row]
    live, reduction = watch.live[row], watch.reduction[row]
    may_act = live and not watch.exempt[row]
    over = may_act and rules.now_us >= watch.step_deadline_us[row]
    line = NO_LINE
    if margin <= 0:
        line = 1
    elif may_act and equity < 0:
        line = 9
    elif live and equity >= _level(margin, rules.end_ppm):
        line = 10
    elif over and (watch.step[row] >= rules.max_steps or reduction == USELESS):
        line = 11
    elif over and reduction <= PART:
        line = 12
    return line
