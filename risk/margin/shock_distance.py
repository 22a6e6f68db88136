"""How far all marks can move together until a bucket's equity is its maintenance margin.

For accounts with several underlyings, where the price of one says little.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from risk.margin.boundary import Boundaries, scanned
from risk.margin.exposures import Book, by_all_marks
from schemas.units import Floats


@dataclass(frozen=True, slots=True)
class Distances:
    """Moves of all marks as fractions [N], nan where no move of that sign reaches the boundary."""

    down: Floats  # -1 < down <= 0
    up: Floats  # >= 0

    def nearest(self) -> Floats:
        """The smaller of the two, with its sign [N]."""
        down = np.where(np.isnan(self.down), np.inf, -self.down)
        return np.where(self.up < down, self.up, self.down)


def shock_distance(book: Book) -> Distances:
    """Distances of every bucket whose positions follow their marks: perpetuals, futures.

    All marks, and with them the prices of the assets that marks price, move by one factor. Exact,
    with tiers, haircuts and borrow weights as they are there. Of a bucket that is already
    liquidatable: the moves that end it. Options move otherwise than their underlying: with them
    use `scanned_distance`.
    """
    return _distances(by_all_marks(book).boundaries())


def scanned_distance(
    surplus: Callable[[Floats], Floats], size: int, *, ratio: float = 1.02, reach: float = 100.0
) -> Distances:
    """Distances by any rule that can be evaluated again.

    `surplus(shock)`: equity less maintenance margin of every bucket, each after its own shock, a
    fraction; shapes [size]. Looked for in steps of the factor `ratio` up to 1 / reach and reach,
    and bisected to the last bit; two changes of sign within one step are not seen.
    """
    return _distances(scanned(lambda factor: surplus(factor - 1), size, ratio=ratio, reach=reach))


def _distances(factors: Boundaries) -> Distances:
    return Distances(factors.below - 1, factors.above - 1)
