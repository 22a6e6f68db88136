"""Buckets of the slow twin as the columns of a watch, and one decision about one of them."""

import numpy as np

from risk.liquidation.stages import Action, Ladder, Stage, Steps, Watch
from risk.liquidation.stepping import step
from tests.reference import stages as slow

NOW = 1_700_000_000_000_000
LADDER = Ladder(step_ms=2_000, max_steps=6)


def watch_of(buckets: list[slow.Bucket]) -> Watch:
    columns = list(zip(*buckets, strict=True))
    kinds = [np.int8, *[np.int64] * 2, *[np.bool_] * 2, *[np.int64] * 2, np.bool_, *[np.int64] * 2]
    kinds.append(np.int8)
    return Watch(*(np.array(c, kind) for c, kind in zip(columns, kinds, strict=True)))


def decide(one: slow.Bucket, ladder: Ladder = LADDER) -> tuple[Stage, Action, Steps]:
    steps = step(watch_of([one]), NOW, ladder)
    return Stage(int(steps.stage[0])), Action(int(steps.actions[0])), steps
