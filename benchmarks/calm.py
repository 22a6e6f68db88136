"""Runs that count where the host takes CPU time away: those from which it took least."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

CALM = 0.02
"""A run is calm where the host withheld less than this part of the CPU time that was wanted."""
TRIES = 2
"""For a run that is asked for, so many are made at most, until enough are calm."""


def calmest(
    measure: Callable[[], T], withheld: Callable[[T], float], runs: int, *, tries: int = TRIES
) -> list[T]:
    """`runs` results: the calm ones, or the calmest of `tries` times as many.

    `withheld` tells the part that the host kept. What a run measured has no say in whether it
    counts.
    """
    made: list[T] = []
    while sum(withheld(one) < CALM for one in made) < runs and len(made) < tries * runs:
        made.append(measure())
    return sorted(made, key=withheld)[:runs]
