"""Runs that count where the host takes CPU time away: those from which it took least."""

import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.machine import cpu_times, withheld_share

CALM = 0.02
"""A run is calm where the host withheld less than this part of the CPU time that was wanted."""
TRIES = 2
"""For a run that is asked for, so many are made at most, until enough are calm."""
LOOK_S, EVERY_S, PATIENCE_S = 2.0, 10.0, 60.0
"""Before a run the host is looked at for so long, so often, until it is calm, up to so long."""
T = TypeVar("T")


def await_calm() -> None:
    """Return when the host withholds little, or after PATIENCE_S."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        since, looked_s = cpu_times(), time.monotonic()
        while time.monotonic() < looked_s + LOOK_S:  # only time that is wanted can be withheld
            pass
        if (withheld_share(since) or 0.0) < CALM:
            return
        time.sleep(EVERY_S)


def calmest(
    measure: Callable[[], T],
    withheld: Callable[[T], float],
    runs: int,
    *,
    wait: Callable[[], None] = await_calm,
) -> list[T]:
    """`runs` results: the calm ones, or the calmest of TRIES times as many.

    `withheld` tells the part that the host kept; `wait` returns when a run may begin. What a run
    measured has no say in whether it counts.
    """
    made: list[T] = []
    while sum(withheld(one) < CALM for one in made) < runs and len(made) < TRIES * runs:
        wait()
        made.append(measure())
    return sorted(made, key=withheld)[:runs]
