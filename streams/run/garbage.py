"""How Python's garbage collector is to treat a worker: what it has imported is no garbage."""

import gc

YOUNG = 50_000
"""Objects made, less those gone, before the collector looks for cycles among them. A block in hand
is tens of thousands of records at once, and none of them is in a cycle: Python's own 700 had it
look through them, and now and then through all else, for a sixth of the worker's time."""


def spare_the_collector() -> None:
    """Call once when all is loaded: none of that is looked at again, and the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
