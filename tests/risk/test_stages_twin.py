"""The table of stages against its slow twin, and what holds of every decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.stages import Action, Ladder, Stage, Steps, health_level
from risk.liquidation.stepping import step
from schemas.units import PPM
from tests.reference import stages as slow
from tests.risk.books import ints
from tests.risk.watches import NOW, decide, watch_of

EARLY = (Stage.HEALTHY, Stage.WARNED, Stage.CALLED)

LADDERS = st.builds(
    lambda healths, end, cure, ticks, steps: Ladder(
        warning_health_ppm=max(healths),
        call_health_ppm=min(healths),
        end_health_ppm=end,
        cure_margin_ppm=cure,
        confirm_ticks=ticks,
        max_steps=steps,
    ),
    st.lists(st.integers(PPM, 2 * PPM), min_size=2, max_size=2),
    st.integers(PPM, 2 * PPM),
    st.integers(0, PPM),
    st.integers(1, 3),
    st.integers(1, 3),
)


@st.composite
def watched(draw):
    """Buckets whose equity often lies right at a level, in any stage."""
    margin = draw(st.integers(1, 10**17) | st.just(0) | st.integers(1, 5))
    near = st.sampled_from([0, PPM, 1_100_000, 1_200_000, 1_250_000, 1_500_000, 1_550_000])
    level = margin * draw(near | st.integers(-PPM, 3 * PPM)) // PPM
    time = st.integers(NOW - 1, NOW + 1)
    return slow.Bucket(
        stage=draw(st.integers(0, 4)),
        equity=level + draw(st.integers(-2, 2)),
        margin=margin,
        live=draw(st.booleans()),
        exempt=draw(st.booleans()),
        breaches=draw(st.integers(0, 3)),
        deadline=draw(time),
        escalated=draw(st.booleans()),
        step=draw(st.integers(0, 4)),
        step_deadline=draw(time),
        reduction=draw(st.integers(0, 3)),
    )


@given(st.lists(watched(), min_size=1, max_size=20), LADDERS)
def test_step_is_the_twins(buckets, ladder):
    steps = step(watch_of(buckets), NOW, ladder)
    parameters = slow.Parameters(
        ladder.warning_health_ppm,
        ladder.call_health_ppm,
        ladder.end_health_ppm,
        ladder.cure_margin_ppm,
        ladder.confirm_ticks,
        ladder.call_ms * 1_000,
        ladder.step_ms * 1_000,
        ladder.max_steps,
    )
    for row, one in enumerate(buckets):
        got = slow.Decision(*(getattr(steps, name)[row] for name in Steps._fields))
        names = {action.name for action in Action(int(got.actions))}
        assert got._replace(actions=names) == slow.decide(one, NOW, parameters)


@given(watched())
def test_nothing_is_liquidated_that_must_not_be(one):
    _, actions, _ = decide(one)
    if not one.live or one.exempt or one.margin == 0:
        assert not actions & (Action.REDUCE | Action.TAKE_OVER)
    if one.stage in EARLY and one.equity >= one.margin:
        assert not actions & (Action.REDUCE | Action.TAKE_OVER)


@given(st.integers(0, 10**18 - 1), st.integers(PPM, 9 * PPM))
def test_health_level_is_the_least_equity_with_that_health(margin, health_ppm):
    level = int(health_level(ints([margin]), health_ppm)[0])
    assert level * PPM >= margin * health_ppm
    assert (level - 1) * PPM < margin * health_ppm or level == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end_health_ppm": 999_999}, "end_health_ppm 999999"),
        ({"call_health_ppm": 1_600_000}, "must ascend"),
        ({"warning_health_ppm": 9_000_000}, "must ascend"),
        ({"cure_margin_ppm": -1}, "cure_margin_ppm -1"),
        ({"confirm_ticks": 0}, "confirm_ticks 0 must be at least 1"),
        ({"max_steps": 0}, "max_steps 0 must be at least 1"),
    ],
)
def test_a_ladder_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Ladder(**changes)
