"""Where functions of a factor on prices change sign, of many buckets at once."""

from collections.abc import Callable

import numpy as np

from risk.margin.boundary import Boundaries
from schemas.units import Floats, Int64s

STEPS = (0.99, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Factors at which a change of sign is looked for, going down; going up their reciprocals."""
WIDTH = 1e-9
"""Of the interval in which a change of sign is known to be, relative."""
TURNS = 6
"""Steps before those that are found are left out."""
CHUNK = 500
"""Queries at a time."""
SurplusOf = Callable[[Int64s, Int64s], Callable[[Floats], Floats]]


def boundaries(surplus_of: SurplusOf, kind: Int64s) -> Boundaries:
    """The nearest factors at which each surplus changes sign, below and above 1 [Q]; nan: none.

    `surplus_of(rows, table)` gives the surplus of queries, which may repeat, each in a table, as a
    function of a factor for each table; a table holds queries of one kind [Q]. Two changes of sign
    between neighbours of `STEPS` are not seen.
    """
    grid = np.concatenate((STEPS[::-1], [1.0], 1 / np.array(STEPS)))
    middle, found = len(STEPS), [np.zeros((0, 2))]
    for first in range(0, len(kind), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(kind)))
        kinds, of_row = np.unique(kind[rows], return_inverse=True)
        tables = (of_row[:, None] * len(grid) + np.arange(len(grid))).ravel()
        surplus = surplus_of(np.repeat(rows, len(grid)), tables)(np.tile(grid, len(kinds)))
        values = surplus.reshape(-1, len(grid))
        changed = (values >= 0) != (values[:, middle, None] >= 0)
        below = middle - 1 - np.argmax(changed[:, middle - 1 :: -1], axis=1)
        above = middle + 1 + np.argmax(changed[:, middle + 1 :], axis=1)
        far = np.concatenate((below, above))
        near = np.concatenate((below + 1, above - 1))
        both = np.tile(np.arange(len(rows)), 2)
        real = np.flatnonzero(changed[both, far])
        at, near, far = both[real], near[real], far[real]
        ends = (grid[near], grid[far]), (values[at, near], values[at, far])
        factor = np.full(2 * len(rows), np.nan)
        factor[real] = _roots(surplus_of, rows[at], *ends)
        found.append(factor.reshape(2, -1).T)
    return Boundaries(*np.concatenate(found).T)


def _roots(
    surplus_of: SurplusOf, rows: Int64s, ends: tuple[Floats, Floats], at: tuple[Floats, Floats]
) -> Floats:
    """The far ends of the smallest intervals between both ends in which the signs change."""
    (near, far), (at_near, at_far) = ends, at
    found, left, moved = far.copy(), np.arange(len(rows)), np.zeros(len(rows))
    while len(left):
        surplus = surplus_of(rows[left], np.arange(len(left)))
        for turn in range(TURNS):
            # Along the secant, and at last to the middle: a jump has no slope.
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = near + (far - near) * (at_near / (at_near - at_far))
            between = np.isfinite(secant) & ((secant - near) * (secant - far) < 0)
            along = between & (turn < TURNS - 2)
            middle = np.where(along, secant, (near + far) / 2)
            there = surplus(middle)
            same = (there >= 0) == (at_near >= 0)
            # An end that stays twice counts half, so that it moves next (Illinois).
            at_far = np.where(same, np.where(moved > 0, at_far / 2, at_far), there)
            at_near = np.where(same, there, np.where(moved < 0, at_near / 2, at_near))
            near, far = np.where(same, middle, near), np.where(same, far, middle)
            moved = np.where(along, np.where(same, 1.0, -1.0), 0.0)
        found[left] = far
        wide = np.abs(far - near) > WIDTH * near
        left, near, far, moved = left[wide], near[wide], far[wide], moved[wide]
        at_near, at_far = at_near[wide], at_far[wide]
    return found
