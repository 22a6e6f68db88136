"""What a worker does with memory: spares what it has imported, gives back what it has freed."""

import ctypes
import gc

YOUNG = 50_000
"""Objects made, less those gone, before the collector looks for cycles among them. A block in hand
is tens of thousands of records at once, and none of them is in a cycle: Python's own 700 had it
look through them, and now and then through all else, for a sixth of the worker's time."""
GIVE_BACK_S = 5.0


def spare_the_collector() -> None:
    """Call once when all is loaded: none of that is looked at again, and the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


class Slack:
    """What was freed and is still the process's: a decision on all accounts needs hundreds of bytes
    for each, which glibc would keep for the next one."""

    def __init__(self) -> None:
        # other systems' allocators have no such call
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._given_s = 0.0

    def give_back(self, now_s: float) -> None:
        """Return whole pages to the system, where the last time was long enough ago."""
        if self._trim is not None and now_s - self._given_s >= GIVE_BACK_S:
            self._given_s = now_s
            self._trim(0)
