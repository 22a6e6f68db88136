"""How a kernel is compiled: once for a machine, without the liberties that change results."""

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
SOURCE = blake2b(b"".join(path.read_bytes() for path in SOURCES), digest_size=16).hexdigest()
"""Of this whole room: a kernel holds the code of those that it calls, from other files too."""
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def compiled(kernel: Callable[P, R]) -> Callable[P, R]:
    """The kernel as machine code, kept on disk between processes.

    Division by zero gives inf or nan as in numpy; sums keep their order (no fast-math), so results
    do not depend on the machine's vector width. Runs without the interpreter's lock.
    """
    return _cached(kernel)


def inlined(kernel: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, put into each kernel that calls it: a call would copy every column's place and
    size that its arguments hold, which takes longer than a short kernel does."""
    return _cached(kernel, forceinline=True)


def compiled_parallel(kernel: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, with `numba.prange` loops shared among the cores."""
    return _cached(kernel, parallel=True)


def worth_sharing(rows: int, least: int) -> bool:
    """Whether the cores share so many rows of a kernel, which is worth it from `least` on."""
    return rows >= least or AllShared.entered


class AllShared:
    """Within it, as a context, the cores share what little there is: those kernels are loaded."""

    entered = False

    def __enter__(self) -> None:
        AllShared.entered = True

    def __exit__(self, *_: object) -> None:
        AllShared.entered = False


def _cached(kernel: Callable[P, R], **how: bool) -> Callable[P, R]:
    dispatcher = numba.njit(cache=True, error_model="numpy", nogil=True, **how)(kernel)
    _keep_apart(dispatcher)
    return cast(Callable[P, R], dispatcher)


def _keep_apart(dispatcher: Any) -> None:
    """What was compiled from another source of this room is compiled anew, and so is what another
    process wrote where this one is told to look.

    numba itself looks at the kernel's own file only, and at that after it has read the types of the
    arguments, which may be no more. It lists a file before that is written, and two processes that
    compile may list the same one.
    """
    kept = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if kept is None:  # compilation is off, as under a debugger
        return
    kept._source_stamp = stamp = (kept._source_stamp, SOURCE)
    load_index, load, save = kept._load_index, kept.load, kept.save

    def what_it_is(key: Any) -> Any:
        found = _readable(partial(load, key))
        return found[2] if found and found[:2] == (stamp, key) else None

    kept._load_index = lambda: _readable(load_index) or {}
    kept.load = what_it_is
    kept.save = lambda key, code: save(key, (stamp, key, code))


def _readable(read: Callable[[], T]) -> T | None:
    """None for what holds types that are no more."""
    try:
        return read()
    except (AttributeError, ImportError):
        return None
