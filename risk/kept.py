"""What follows from columns that nobody writes to, worked out once and kept with them."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def kept(make: Callable[[T], R]) -> Callable[[T], R]:
    """`make` of a frozen dataclass without slots, called once for each; its result is shared."""
    name = f"{make.__module__}.{make.__qualname__}"

    @wraps(make)
    def of(thing: T) -> R:
        results = vars(thing)
        if name not in results:
            results[name] = make(thing)
        result: R = results[name]
        return result

    return of
