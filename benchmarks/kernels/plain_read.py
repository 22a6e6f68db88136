"""A plain read of memory by all cores, which the time of a kernel is set beside."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def plain_read(columns: Sequence[NDArray[Any]]) -> Callable[[], object]:
    """What sums every column with numpy, each of as many threads as a kernel has its own share."""
    threads = numba.get_num_threads()
    shares = list(zip(*(np.array_split(column, threads) for column in columns), strict=True))
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(_sums, shares))


def _sums(columns: Sequence[NDArray[Any]]) -> list[Any]:
    return [column.sum() for column in columns]
