"""The table of stages, line by line and at its edges."""

from dataclasses import replace

import pytest

from risk.liquidation.stages import Action, Reduction, Stage
from risk.liquidation.stepping import step
from schemas.units import E8
from tests.reference import stages as slow
from tests.risk.watches import LADDER, NOW, decide, watch_of

MARGIN = 1_000 * E8


def bucket(stage, health, **changes):
    """One bucket with a maintenance margin of 1,000 and its equity at a health."""
    equity = round(health * MARGIN)
    plain = slow.Bucket(int(stage), equity, MARGIN, True, False, 0, 0, False, 0, 0)
    if stage == Stage.CALLED:
        plain = plain._replace(deadline=NOW + 1)
    if stage == Stage.REDUCING:
        plain = plain._replace(step=1, step_deadline=NOW + 1)
    return plain._replace(**changes)


LINES = {
    "healthy at the warning level: nothing": (bucket(0, 1.5), Stage.HEALTHY, Action.NONE),
    "healthy below warning: warned": (bucket(0, 1.49), Stage.WARNED, Action.WARN),
    "healthy at the call level: warned": (bucket(0, 1.2), Stage.WARNED, Action.WARN),
    "healthy below call: called, no warning": (bucket(0, 1.19), Stage.CALLED, Action.CALL),
    "warned below call: called": (bucket(1, 1.19), Stage.CALLED, Action.CALL),
    "warned within the cure margin: stays": (bucket(1, 1.549), Stage.WARNED, Action.NONE),
    "warned at the cure level: cured": (bucket(1, 1.55), Stage.HEALTHY, Action.CURE),
    "called within the cure margin: stays": (bucket(2, 1.249), Stage.CALLED, Action.NONE),
    "called at its cure level: warned": (bucket(2, 1.25), Stage.WARNED, Action.CURE),
    "called at the warning's cure level: healthy": (bucket(2, 1.55), Stage.HEALTHY, Action.CURE),
    "deadline reached: escalates": (bucket(2, 1.1, deadline=NOW), Stage.CALLED, Action.ESCALATE),
    "deadline reached, escalated before: nothing": (
        bucket(2, 1.1, deadline=NOW, escalated=True),
        Stage.CALLED,
        Action.NONE,
    ),
    "deadline reached, cured: warned": (bucket(2, 1.3, deadline=NOW), Stage.WARNED, Action.CURE),
    "equity = maintenance: no order however often": (
        bucket(2, 1.0, breaches=9),
        Stage.CALLED,
        Action.NONE,
    ),
    "first breach: called only": (bucket(0, 0.99), Stage.CALLED, Action.CALL),
    "confirmed breach: reduced": (
        bucket(2, 0.99, breaches=1),
        Stage.REDUCING,
        Action.CANCEL_ORDERS | Action.REDUCE,
    ),
    "confirmed breach from healthy: one order, no call": (
        bucket(0, 0.99, breaches=1),
        Stage.REDUCING,
        Action.CANCEL_ORDERS | Action.REDUCE,
    ),
    "confirmed, equity = 0: reduced": (
        bucket(2, 0, breaches=1),
        Stage.REDUCING,
        Action.CANCEL_ORDERS | Action.REDUCE,
    ),
    "confirmed, equity < 0: taken over": (
        bucket(2, -0.01, breaches=1),
        Stage.TAKEN_OVER,
        Action.CANCEL_ORDERS | Action.TAKE_OVER,
    ),
    "confirmed but exempt: stays called": (
        bucket(2, 0.5, breaches=9, exempt=True),
        Stage.CALLED,
        Action.NONE,
    ),
    "confirmed but not live: stays called": (
        bucket(2, 0.5, breaches=9, live=False),
        Stage.CALLED,
        Action.NONE,
    ),
    "not live: a warning still goes out": (
        bucket(0, 1.3, live=False),
        Stage.WARNED,
        Action.WARN,
    ),
    "not live: no cure": (bucket(2, 3.0, live=False), Stage.CALLED, Action.NONE),
    "reducing below end, within the step: waits": (bucket(3, 1.09), Stage.REDUCING, Action.NONE),
    "reducing at end health: complete": (
        bucket(3, 1.1),
        Stage.HEALTHY,
        Action.COMPLETE | Action.CURE,
    ),
    "reducing at end health, not live: waits": (
        bucket(3, 1.1, live=False),
        Stage.REDUCING,
        Action.NONE,
    ),
    "step deadline reached: next step": (
        bucket(3, 1.05, step_deadline=NOW),
        Stage.REDUCING,
        Action.REDUCE,
    ),
    "step deadline reached, last step: taken over": (
        bucket(3, 1.05, step_deadline=NOW, step=6),
        Stage.TAKEN_OVER,
        Action.TAKE_OVER,
    ),
    "step deadline reached, not live: waits": (
        bucket(3, 1.05, step_deadline=NOW, live=False),
        Stage.REDUCING,
        Action.NONE,
    ),
    "step deadline reached, exempt: waits": (
        bucket(3, 1.05, step_deadline=NOW, exempt=True),
        Stage.REDUCING,
        Action.NONE,
    ),
    "confirmed, no room: called, and waits": (
        bucket(1, 0.99, breaches=1, reduction=Reduction.WAITS),
        Stage.CALLED,
        Action.CALL,
    ),
    "confirmed, no room, equity < 0: taken over": (
        bucket(2, -0.01, breaches=1, reduction=Reduction.WAITS),
        Stage.TAKEN_OVER,
        Action.CANCEL_ORDERS | Action.TAKE_OVER,
    ),
    "confirmed, no use: taken over": (
        bucket(2, 0.99, breaches=1, reduction=Reduction.USELESS),
        Stage.TAKEN_OVER,
        Action.CANCEL_ORDERS | Action.TAKE_OVER,
    ),
    "step over, no room: waits": (
        bucket(3, 1.05, step_deadline=NOW, reduction=Reduction.WAITS),
        Stage.REDUCING,
        Action.NONE,
    ),
    "within the step, no use: the open order stands": (
        bucket(3, 1.05, reduction=Reduction.USELESS),
        Stage.REDUCING,
        Action.NONE,
    ),
    "step over, no use: taken over": (
        bucket(3, 1.05, step_deadline=NOW, reduction=Reduction.USELESS),
        Stage.TAKEN_OVER,
        Action.TAKE_OVER,
    ),
    "reducing, equity < 0: taken over at once": (
        bucket(3, -0.01),
        Stage.TAKEN_OVER,
        Action.TAKE_OVER,
    ),
    "taken over and held: nothing": (bucket(4, 2.0), Stage.TAKEN_OVER, Action.NONE),
    "maintenance = 0, equity < 0: nothing to close": (
        bucket(0, -1, margin=0, breaches=9),
        Stage.HEALTHY,
        Action.NONE,
    ),
    "warned, nothing held: cured": (bucket(1, 0, margin=0), Stage.HEALTHY, Action.CURE),
    "called, nothing held: cured": (bucket(2, -1, margin=0), Stage.HEALTHY, Action.CURE),
    "reducing, nothing held: complete": (
        bucket(3, 0, margin=0, live=False),
        Stage.HEALTHY,
        Action.COMPLETE | Action.CURE,
    ),
    "taken over, nothing held: until its last leg is applied": (
        bucket(4, 0, margin=0),
        Stage.TAKEN_OVER,
        Action.NONE,
    ),
}


@pytest.mark.parametrize("relation", LINES)
def test_line(relation):
    one, stage, actions = LINES[relation]
    assert decide(one)[:2] == (stage, actions)


def test_a_call_sets_its_deadline_and_leaving_clears_it():
    called = decide(bucket(1, 1.19))[2]
    assert called.deadline_us.tolist() == [NOW + 300_000_000]
    kept = decide(bucket(2, 1.19, deadline=NOW + 7))[2]
    assert kept.deadline_us.tolist() == [NOW + 7]
    cured = decide(bucket(2, 1.3, escalated=True))[2]
    assert (cured.deadline_us.tolist(), cured.escalated.tolist()) == ([0], [False])
    assert decide(bucket(2, 1.1, deadline=NOW))[2].escalated.tolist() == [True]


def test_breaches_count_only_where_a_breach_could_act():
    def breaches(**changes):
        return decide(bucket(2, 0.9, **changes), replace(LADDER, confirm_ticks=9))[2].breaches[0]

    assert breaches(breaches=3) == 4
    assert breaches(breaches=3, live=False) == 3
    assert breaches(breaches=3, exempt=True) == 3
    assert decide(bucket(2, 1.0, breaches=3))[2].breaches.tolist() == [0]
    assert decide(bucket(2, 1.0, breaches=3, live=False))[2].breaches.tolist() == [3]


def test_every_order_is_a_step_and_every_reduction_has_a_deadline():
    first = decide(bucket(2, 0.9, breaches=1))[2]
    assert (first.step.tolist(), first.step_deadline_us.tolist()) == ([1], [NOW + 2_000_000])
    second = decide(bucket(3, 0.9, step_deadline=NOW))[2]
    assert (second.step.tolist(), second.step_deadline_us.tolist()) == ([2], [NOW + 2_000_000])
    over = decide(bucket(3, -0.9, step=4))[2]
    assert (over.step.tolist(), over.step_deadline_us.tolist()) == ([5], [0])
    assert decide(bucket(3, 1.1, step=4))[2].step.tolist() == [0]


def test_an_order_that_had_room_for_a_part_or_waits_uses_no_step_up():
    due = bucket(3, 0.9, step=2, step_deadline=NOW)
    part = decide(due._replace(reduction=Reduction.PART))[2]
    assert (part.step.tolist(), part.step_deadline_us.tolist()) == ([2], [NOW + 2_000_000])
    waits = decide(due._replace(reduction=Reduction.WAITS))[2]
    assert (waits.step.tolist(), waits.step_deadline_us.tolist()) == ([2], [NOW])
    first = decide(bucket(2, 0.9, breaches=1, reduction=Reduction.WAITS))[2]
    assert (first.step.tolist(), first.breaches.tolist()) == ([0], [2])


def test_an_episode_begins_on_leaving_healthy_and_ends_on_return():
    for stage, health, began, ended in [
        (0, 1.3, True, False),
        (0, 2.0, False, False),
        (1, 1.1, False, False),
        (2, 1.3, False, False),
        (1, 2.0, False, True),
        (3, 1.1, False, True),
    ]:
        steps = decide(bucket(stage, health))[2]
        assert (steps.began[0], steps.ended[0]) == (began, ended)


def test_a_whole_walk_down_the_ladder():
    """Warned, called, escalated, reduced six times, taken over, gone: one episode."""
    now, one, log = NOW, bucket(0, 1.4), []
    while len(log) < 20:
        steps = step(watch_of([one]), now, LADDER)
        actions = Action(int(steps.actions[0]))
        if actions:
            log.append(actions)
        one = one._replace(
            stage=int(steps.stage[0]),
            breaches=int(steps.breaches[0]),
            deadline=int(steps.deadline_us[0]),
            escalated=bool(steps.escalated[0]),
            step=int(steps.step[0]),
            step_deadline=int(steps.step_deadline_us[0]),
            equity=one.equity
            if len(log) < 3 and not actions
            else round({1: 1.15, 2: 1.15}.get(len(log), 0.5) * MARGIN),
        )
        now += 1_000_000
        if one.stage == Stage.TAKEN_OVER:
            break
    assert log == [
        Action.WARN,
        Action.CALL,
        Action.ESCALATE,
        Action.CANCEL_ORDERS | Action.REDUCE,
        *[Action.REDUCE] * 5,
        Action.TAKE_OVER,
    ]
    assert one.step == 7
