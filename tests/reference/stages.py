"""One decision about one bucket, as a chain of ifs on plain integers."""

from typing import NamedTuple

PPM = 10**6
HEALTHY, WARNED, CALLED, REDUCING, TAKEN_OVER = range(5)
WHOLE, PART, WAITS, USELESS = range(4)


class Bucket(NamedTuple):
    stage: int
    equity: int
    margin: int
    live: bool
    exempt: bool
    breaches: int
    deadline: int
    escalated: bool
    step: int
    step_deadline: int
    reduction: int = WHOLE


class Decision(NamedTuple):
    stage: int
    actions: frozenset[str]
    breaches: int
    deadline: int
    escalated: bool
    step: int
    step_deadline: int
    began: bool
    ended: bool


class Parameters(NamedTuple):
    warning: int
    call: int
    end: int
    cure: int
    confirm_ticks: int
    call_us: int
    step_us: int
    max_steps: int


def decide(bucket: Bucket, now: int, rules: Parameters) -> Decision:
    stage, asked, breaches = _transition(bucket, now, rules)
    deadline, escalated = 0, False
    if stage == CALLED:
        deadline, escalated = bucket.deadline, bucket.escalated or "ESCALATE" in asked
        if "CALL" in asked:
            deadline, escalated = now + rules.call_us, False
    step, step_deadline = 0, 0
    if stage in (REDUCING, TAKEN_OVER):
        step = bucket.step
        if "TAKE_OVER" in asked or ("REDUCE" in asked and bucket.reduction != PART):
            step += 1
    if stage == REDUCING:
        step_deadline = now + rules.step_us if "REDUCE" in asked else bucket.step_deadline
    return Decision(
        stage,
        frozenset(asked),
        breaches if stage < REDUCING else 0,
        deadline,
        escalated,
        step,
        step_deadline,
        began=bucket.stage == HEALTHY and stage != HEALTHY,
        ended=bucket.stage != HEALTHY and stage == HEALTHY,
    )


def _transition(bucket: Bucket, now: int, rules: Parameters) -> tuple[int, set[str], int]:
    breaches = bucket.breaches
    breached = bucket.margin > 0 and bucket.equity < bucket.margin
    if bucket.live and not breached:
        breaches = 0
    if bucket.live and breached and not bucket.exempt:
        breaches = min(breaches + 1, rules.confirm_ticks)
    if bucket.stage == TAKEN_OVER:
        return TAKEN_OVER, set(), breaches
    if bucket.margin == 0:
        asked: set[str] = set()
        if bucket.stage in (WARNED, CALLED, REDUCING):
            asked.add("CURE")
        if bucket.stage == REDUCING:
            asked.add("COMPLETE")
        return HEALTHY, asked, breaches
    if bucket.stage == REDUCING:
        return (*_reducing(bucket, now, rules), breaches)
    may_act = bucket.live and not bucket.exempt
    if breached and may_act and breaches >= rules.confirm_ticks:
        if bucket.equity < 0 or bucket.reduction == USELESS:
            return TAKEN_OVER, {"CANCEL_ORDERS", "TAKE_OVER"}, breaches
        if bucket.reduction != WAITS:
            return REDUCING, {"CANCEL_ORDERS", "REDUCE"}, breaches
    return (*_early(bucket, now, rules), breaches)


def _below(bucket: Bucket, health_ppm: int) -> bool:
    return bucket.equity * PPM < bucket.margin * health_ppm


def _reducing(  # noqa: PLR0911 (a chain of ifs is the point)
    bucket: Bucket, now: int, rules: Parameters
) -> tuple[int, set[str]]:
    if not bucket.live:
        return REDUCING, set()
    if not _below(bucket, rules.end):
        return HEALTHY, {"COMPLETE", "CURE"}
    if bucket.exempt:
        return REDUCING, set()
    if bucket.equity < 0:
        return TAKEN_OVER, {"TAKE_OVER"}
    if now < bucket.step_deadline:
        return REDUCING, set()
    if bucket.step >= rules.max_steps or bucket.reduction == USELESS:
        return TAKEN_OVER, {"TAKE_OVER"}
    return REDUCING, set() if bucket.reduction == WAITS else {"REDUCE"}


def _early(  # noqa: PLR0911 (a chain of ifs is the point)
    bucket: Bucket, now: int, rules: Parameters
) -> tuple[int, set[str]]:
    if bucket.stage != CALLED and _below(bucket, rules.call):
        return CALLED, {"CALL"}
    if bucket.stage == HEALTHY:
        return (WARNED, {"WARN"}) if _below(bucket, rules.warning) else (HEALTHY, set())
    if bucket.live and not _below(bucket, rules.warning + rules.cure):
        return HEALTHY, {"CURE"}
    if bucket.stage == WARNED:
        return WARNED, set()
    if not _below(bucket, rules.call + rules.cure):
        return (WARNED, {"CURE"}) if bucket.live else (CALLED, set())
    if now >= bucket.deadline and not bucket.escalated:
        return CALLED, {"ESCALATE"}
    return CALLED, set()
