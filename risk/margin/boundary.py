"""Where equity less maintenance margin changes sign as one price, or one factor, moves.

Collateral and tiers are piecewise linear, so on every piece the surplus is a + b x + c / x and its
root is a formula; the pieces are walked outward from the present mark. No iteration, no tolerance
to choose, and the tier is by construction that of the price found. What has no such form is
scanned and bisected.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from risk.compiled import compiled
from schemas.units import Floats, Int64s

# A coefficient this small beside its summands is what rounding left of them.
CANCELLED = 1e-13


class Lines(NamedTuple):
    """Piecewise-linear functions F(v) = rate_k v + constant_k, k the last floor <= v; [T, K]."""

    floor: Floats  # ascending, the first -inf, padded with +inf
    rate: Floats
    constant: Floats


class Curves(NamedTuple):
    """Amounts that move with x: v(x) = constant + slope x + pole / x, each through one line.

    Slope and pole are not both set, so that an amount only rises or only falls with x.
    """

    first: Int64s  # [Q + 1] curves first[q]..first[q + 1] - 1 belong to query q
    line: Int64s  # [C] row of Lines
    constant: Floats  # [C]
    slope: Floats  # [C]
    pole: Floats  # [C]


def line_values(lines: Lines, row: Int64s, amount: Floats) -> Floats:
    """F(amount) of the named rows, elementwise."""
    step = (amount[:, None] >= lines.floor[row]).sum(axis=1) - 1
    value: Floats = lines.rate[row, step] * amount + lines.constant[row, step]
    return value


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The nearest change of sign on either side of the mark [Q], nan where there is none."""

    below: Floats
    above: Floats

    def nearest(self, mark: Floats) -> Floats:
        """The one that the smaller relative move of the mark reaches [Q]."""
        down = np.where(np.isnan(self.below), np.inf, mark / self.below)
        up = np.where(np.isnan(self.above), np.inf, self.above / mark)
        return np.where(up < down, self.above, self.below)


def boundaries(start: Floats, fixed: Floats, curves: Curves, lines: Lines) -> Boundaries:
    """Where fixed + sum of F(v(x)) of each query changes sign, going from x = start > 0.

    From a surplus >= 0: the point beyond which it is negative; from a negative one: the point from
    which it is not. A line that jumps (a tier that prices the whole position) can change the sign
    at its floor, without passing 0. Shapes: start, fixed [Q]. Cost: curves x steps a query.
    """
    below, above = np.empty(len(start)), np.empty(len(start))
    _search(start, fixed, curves, lines, (below, above))
    return Boundaries(below, above)


def scanned(
    surplus: Callable[[Floats], Floats], size: int, *, ratio: float = 1.02, reach: float = 100.0
) -> Boundaries:
    """The same for any function of factors: `surplus(f)`, shapes [size], each entry at its own f.

    Looks outward from f = 1 in steps of `ratio` as far as 1 / reach and reach, then halves the step
    in which the sign changes down to the last bit. Two changes within one step are not seen.
    """
    return Boundaries(
        _first_change(surplus, size, 1 / ratio, 1 / reach),
        _first_change(surplus, size, ratio, reach),
    )


def _first_change(
    surplus: Callable[[Floats], Floats], size: int, ratio: float, reach: float
) -> Floats:
    inner, outer = np.ones(size), np.full(size, np.nan)
    safe = surplus(inner) >= 0
    for power in range(1, math.ceil(math.log(reach) / math.log(ratio)) + 1):
        waits = np.isnan(outer)
        if not waits.any():
            break
        there = np.full(size, ratio**power)
        changed = waits & ((surplus(there) >= 0) != safe)
        outer[changed] = ratio**power
        inner[waits & ~changed] = ratio**power
    found = ~np.isnan(outer)
    low, high = np.where(found, inner, 1.0), np.where(found, outer, 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        same = (surplus(middle) >= 0) == safe
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.where(found, high, np.nan)


@compiled
def _search(
    start: Floats,
    fixed: Floats,
    curves: Curves,
    lines: Lines,
    found: tuple[Floats, Floats],
) -> None:
    """The walks of every query, downward and upward, in one function: calls would take longer."""
    (below, above), most = found, 0
    for query in range(len(start)):
        most = max(most, curves.first[query + 1] - curves.first[query])
    begin, step = np.zeros(most, np.int64), np.zeros(most, np.int64)
    for query in range(len(start)):
        low = curves.first[query]
        count = curves.first[query + 1] - low
        for number in range(count):
            begin[number] = _step(curves, lines, low + number, start[query])
        for upward in (False, True):
            step[:count] = begin[:count]
            x, at, known, safe = start[query], math.nan, False, True
            while True:
                a, b, c, end, curve, move = _piece(curves, lines, step, (low, count, upward), x)
                a += fixed[query]
                if not known:
                    safe, known = _holds(a, b, c, x), True
                elif _holds(a, b, c, x) != safe:
                    at = x
                    break
                root = _root(a, b, c, safe == upward)
                nearer, farther = min(x, end), max(x, end)
                if _holds(a, b, c, end) != safe:
                    # The root is in the piece, whatever rounding makes of it.
                    at = end if math.isnan(root) else min(max(root, nearer), farther)
                    break
                if nearer <= root <= farther:
                    at = root
                    break
                if curve < 0:
                    break
                step[curve] += move
                x = end
            if upward:
                above[query] = at
            else:
                below[query] = at


@compiled
def _step(curves: Curves, lines: Lines, curve: int, x: float) -> int:
    """Step of its line in which a curve is at x."""
    value = curves.constant[curve] + curves.slope[curve] * x + curves.pole[curve] / x
    line, k = curves.line[curve], 0
    while k + 1 < lines.floor.shape[1] and value >= lines.floor[line, k + 1]:
        k += 1
    return k


@compiled
def _piece(
    curves: Curves, lines: Lines, step: Int64s, query: tuple[int, int, bool], x: float
) -> tuple[float, float, float, float, int, int]:
    """What the curves add to a + b x + c / x on the piece at x, where it ends, and how.

    There a curve (its number in the query) takes a step up or down. The last piece ends at 0 or
    +inf, and no curve steps: -1.
    """
    low, count, upward = query
    a, b, c, b_size, c_size = 0.0, 0.0, 0.0, 0.0, 0.0
    end, last, move = (math.inf if upward else 0.0), -1, 0
    for number in range(count):
        curve = low + number
        line, k = curves.line[curve], step[number]
        rate, slope, pole = lines.rate[line, k], curves.slope[curve], curves.pole[curve]
        a += rate * curves.constant[curve] + lines.constant[line, k]
        b += rate * slope
        c += rate * pole
        b_size += abs(rate * slope)
        c_size += abs(rate * pole)
        if slope == 0 and pole == 0:
            continue
        rises = (slope > 0 or pole < 0) == upward
        k += 1 if rises else 0
        if k >= lines.floor.shape[1] or math.isinf(lines.floor[line, k]):
            continue
        rest = lines.floor[line, k] - curves.constant[curve]
        edge = rest / slope if slope != 0 else pole / rest
        if not 0 < edge < math.inf:
            continue
        # At the floor itself rounding may have put it on the other side.
        edge = max(edge, x) if upward else min(edge, x)
        if (edge < end) if upward else (edge > end):
            end, last, move = edge, number, (1 if rises else -1)
    b = 0.0 if abs(b) <= CANCELLED * b_size else b
    c = 0.0 if abs(c) <= CANCELLED * c_size else c
    return a, b, c, end, last, move


@compiled
def _root(a: float, b: float, c: float, falls: bool) -> float:
    """The x > 0 at which a + b x + c / x is 0 and falls (or rises) with x, nan where none is."""
    if b == 0 or c == 0:
        if b == 0 and c == 0:
            return math.nan
        root = -c / a if b == 0 else -a / b
        return root if root > 0 and (b - c < 0) == falls else np.nan
    inside = a * a - 4 * b * c
    if inside < 0:
        return math.nan
    big = -(a + math.copysign(math.sqrt(inside), a)) / 2
    for root in (big / b, c / big):
        slope = b - c / (root * root)
        if root > 0 and slope != 0 and (slope < 0) == falls:
            return root
    return math.nan


@compiled
def _holds(a: float, b: float, c: float, x: float) -> bool:
    """Whether a + b x + c / x >= 0, also where x tends to 0 or to +inf."""
    if 0 < x < math.inf:
        return a + b * x + c / x >= 0
    leading = c if x == 0 else b
    return leading > 0 or (leading == 0 and a >= 0)
