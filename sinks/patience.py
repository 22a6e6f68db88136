"""How long to keep trying: growing waits between attempts, and a limit once the stop has come."""

import random
import threading
import time
from collections.abc import Iterator

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0


class Patience:
    """How long there is left once `stop` is set."""

    def __init__(self, stop: threading.Event, drain_s: float) -> None:
        self._stop, self._drain_s = stop, drain_s
        self._deadline: float | None = None

    @property
    def left_s(self) -> float:
        """Seconds left; endless before the stop."""
        if not self._stop.is_set():
            return float("inf")
        if self._deadline is None:
            self._deadline = time.monotonic() + self._drain_s
        return self._deadline - time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake at the stop."""
        if self._stop.is_set():
            time.sleep(seconds)
        else:
            self._stop.wait(seconds)


def waits_s() -> Iterator[float]:
    """Seconds to wait before each further attempt: doubling to a limit, with some chance in it."""
    wait_s = FIRST_WAIT_S
    while True:
        yield wait_s * random.uniform(0.8, 1.2)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
