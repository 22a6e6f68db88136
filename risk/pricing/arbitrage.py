"""Static arbitrage among the points of a volatility surface: where it is, and the nearest without.

Prices are in units of the forward: c(x) is the undiscounted call at strike x = strike / forward,
so c(0) = 1. Free of arbitrage means: c is convex and does not rise with x, and at equal x it does
not fall with the expiry (Carr and Madan 2005; Gatheral and Jacquier 2014).
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linprog

from risk.pricing import black76
from risk.pricing.implied import implied_volatility
from schemas.units import Floats

TOLERANCE = 1e-9
"""Less than this fraction of the forward is the rounding of the arithmetic."""

ROUNDS = 8
"""How often a repair may add points of the earlier expiry; real chains need one or two."""


LEAST_VEGA = 1e-4
"""Vega below which a repair weighs prices, not volatilities: far wings have hardly any."""

Kind = Literal["butterfly", "calendar"]


class Violation(NamedTuple):
    """An arbitrage among the points of an expiry, or between two neighbouring expiries."""

    kind: Kind
    expiry_us: int
    """Of a calendar: the later of the two."""
    strike: float
    amount: float
    """What it earns, as a fraction of the forward."""


class Slice(NamedTuple):
    """The points of one expiry, ascending in k = ln(strike / forward)."""

    moneyness: Floats
    variance: Floats
    """Total variance: volatility^2 x years."""


Curve = Callable[[Slice, Floats], Floats]
"""Total variance of a slice at any moneyness."""


def butterflies(points: Slice) -> Floats:
    """By how much the call at each point lies above the chord of its neighbours: > 0 is wrong.

    The first point's lower neighbour is strike 0, where the call is worth the forward; the last
    point is held against the one below it, as a call must not rise with its strike.
    """
    return _above_chord(points.moneyness, _calls(*points))


def calendars(earlier: Slice, later: Slice, curve: Curve) -> tuple[Floats, Floats]:
    """Each moneyness at which either expiry has a point, and what the later call lacks there."""
    k = np.union1d(earlier.moneyness, later.moneyness)
    return k, _calls(k, curve(earlier, k)) - _calls(k, curve(later, k))


def repaired(slices: Sequence[Slice], curve: Curve) -> list[Slice]:
    """The slices without arbitrage at their points, by the least total change of volatilities.

    From the first expiry to the last, a linear programme each: the least sum of |change of the
    call| / vega that makes the calls convex and none cheaper than in the repaired expiry before.
    Where only the curve between points falls below that expiry, a point is added. A convex
    programme for quotes as in Cohen, Reisinger and Wang (2020).
    """
    done: list[Slice] = []
    for given in slices:
        points = given
        for _ in range(ROUNDS):
            k = points.moneyness
            wrong = bool((butterflies(points) > TOLERANCE).any())
            if done:
                at, lacks = calendars(done[-1], points, curve)
                k = np.union1d(k, at[lacks > TOLERANCE])
                wrong = wrong or bool((lacks > TOLERANCE).any())
            if not wrong:
                break
            floor = curve(done[-1], k) if done else np.zeros_like(k)
            points = _nearest(Slice(k, curve(points, k)), floor)
        done.append(points)
    return done


def _nearest(points: Slice, floor: Floats) -> Slice:
    """The closest convex calls whose total variances are not below `floor`."""
    k, w = points
    x, n = np.exp(k), len(k)
    vega = np.maximum(black76.greeks(1.0, x, 1.0, np.sqrt(w), True).vega, LEAST_VEGA)
    # A volatility may fall to a tenth: a call at its intrinsic value would have none.
    least = np.maximum(floor, w / 100)
    lowest = (_calls(k, least) - _calls(k, w)) / vega
    none = _above_chord(k, np.zeros(n))
    rows = np.array([_above_chord(k, unit) - none for unit in np.diag(vega)]).T
    scale = np.abs(rows).max(axis=1)
    rows = rows / scale[:, None]
    # The variables: by how much each volatility rises, then by how much each falls.
    bounds = [(max(low, 0.0), None) for low in lowest.tolist()]
    found = linprog(
        np.ones(2 * n),
        A_ub=np.hstack((rows, -rows)),
        b_ub=-butterflies(points) / scale,
        bounds=[*bounds, *((0.0, max(-low, 0.0)) for low in lowest.tolist())],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        raise ArithmeticError(f"no convex calls at moneyness {k.tolist()}: {found.message}")
    change = vega * (found.x[:n] - found.x[n:])
    # By parity a call and a put change alike: the one out of the money loses no digits.
    price = black76.price(1.0, x, 1.0, np.sqrt(w), x >= 1) + change
    # Rounding may touch the bounds of a price, 0 and min(1, x), at which no volatility is left.
    price = np.minimum(price, np.minimum(x, 1.0) * (1 - 1e-12))
    fitted = implied_volatility(price, 1.0, x, 1.0, x >= 1) ** 2
    fitted = np.where(np.isnan(fitted), least, fitted)
    return Slice(k, np.maximum(np.where(change != 0, fitted, w), floor))


def _calls(moneyness: Floats, variance: Floats) -> Floats:
    return np.asarray(black76.price(1.0, np.exp(moneyness), 1.0, np.sqrt(variance), True))


def _above_chord(moneyness: Floats, call: Floats) -> Floats:
    x, c = np.append(0.0, np.exp(moneyness)), np.append(1.0, call)
    share = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    inner = c[1:-1] - share * c[:-2] - (1 - share) * c[2:]
    return np.append(inner, c[-1] - c[-2])
