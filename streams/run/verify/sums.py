"""How many of each topic's records add up to what an account came to, whatever their order.

Of fills and legs it matters in which order they were booked: where a position comes to zero its
cost becomes a balance. Two things do not depend on it, and only add up: quantities, and of each
asset the balance less the costs of what settles in it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.block import Int64s
from streams.audit.rulebook import Rulebook

Sums = Mapping[tuple[str, str, str], int]
"""What adds up, by kind ("quantity" or "worth"), bucket and name."""
MOST_PAIRS = 200_000


def sums_of(
    balances: Mapping[tuple[str, str], int],
    positions: Mapping[tuple[str, str], tuple[int, int]],
    rules: Rulebook,
) -> Sums:
    """Of holdings, or of what one record moves."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for (pool, asset), e8 in balances.items():
        sums["worth", pool, asset] += e8
    for (pool, name), (quantity_e8, cost_e8) in positions.items():
        sums["quantity", pool, name] += quantity_e8
        sums["worth", pool, rules.contracts[name].settlement] -= cost_e8
    return sums


def counts_for(target: Sums, streams: Sequence[Sequence[Sums]]) -> Iterator[tuple[int, ...]]:
    """How many of the first of three streams of records give a sum: all ways, the fewest first."""
    keys = {key: None for sums in (target, *(one for s in streams for one in s)) for key in sums}
    number = {key: place for place, key in enumerate(keys)}
    running = [_running(stream, number) for stream in streams]
    goal = _row(target, number)
    last: dict[bytes, list[int]] = defaultdict(list)
    for count, row in enumerate(running[2]):
        last[row.tobytes()].append(count)
    if len(running[0]) * len(running[1]) > MOST_PAIRS:
        return
    for first, of_first in enumerate(running[0]):
        left = goal - of_first - running[1]
        for second, row in enumerate(left):
            for third in last.get(row.tobytes(), ()):
                yield first, second, third


def _running(stream: Sequence[Sums], number: Mapping[Any, int]) -> Int64s:
    rows = np.zeros((len(stream) + 1, len(number)), np.int64)
    for place, sums in enumerate(stream, 1):
        rows[place] = _row(sums, number)
    return np.cumsum(rows, axis=0)


def _row(sums: Sums, number: Mapping[Any, int]) -> Int64s:
    row = np.zeros(len(number), np.int64)
    for key, e8 in sums.items():
        row[number[key]] = e8
    return row
