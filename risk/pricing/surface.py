"""The volatility surface of one underlying: by expiry and log-moneyness, from prices or sent.

Between the strikes of an expiry total variance w = volatility^2 x years is a monotone cubic in
k = ln(strike / forward) (Fritsch and Carlson 1980); between expiries w is linear in time at equal
k. Beyond the first and last strike, and the first and last expiry, the volatility stays flat.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from risk.pricing import arbitrage, surface_fit
from risk.pricing.arbitrage import TOLERANCE, Kind, Slice, Violation
from risk.pricing.surface_fit import YEAR_US, Chain, LeftOut, Points
from schemas.units import Floats, Int64s

Stickiness = Literal["strike", "moneyness"]
"""What keeps its volatility when the forward moves: the strike, or the moneyness."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Volatility by expiry, strike and forward. Made by `of_volatilities` or `of_prices`.

    >>> chain = Surface.of_volatilities(
    ...     YEAR_US, [90, 100, 110], [0.5, 0.4, 0.5], now_us=0, forward=100
    ... )
    >>> chain.volatility(YEAR_US, [100, 200], 100).tolist()
    [0.4, 0.5]
    """

    now_us: int
    expiry_us: Int64s  # [E] ascending, all after now_us
    forward: Floats  # [E] the forward that the moneyness of the points was taken from
    first: Int64s  # [E + 1] the points of expiry e are first[e] up to first[e + 1]
    moneyness: Floats  # [N] ln(strike / forward), ascending within an expiry
    variance: Floats  # [N] total variance
    slope: Floats  # [N] its derivative in moneyness
    left_out: tuple[LeftOut, ...]
    """The rows of the input that were not usable, each with the rule it breaks."""

    @classmethod
    def of_volatilities(
        cls,
        expiry_us: ArrayLike,
        strike: ArrayLike,
        volatility: ArrayLike,
        *,
        now_us: int,
        forward: ArrayLike,
        repair: bool = False,
    ) -> "Surface":
        """From sent volatilities (fractions a year), one row each; arguments broadcast to [P].

        Rows of one expiry and strike, a call and a put, count with their mean volatility; the
        forward of an expiry is the median of its rows. `repair` changes volatilities as little as
        makes the points free of arbitrage. ValueError where no row is usable.
        """
        expiry, k, sent, f = _columns(expiry_us, strike, volatility, forward)
        return cls._of(surface_fit.sent(expiry, k, sent, f, now_us=now_us), now_us, repair)

    @classmethod
    def of_prices(
        cls,
        expiry_us: ArrayLike,
        strike: ArrayLike,
        call: ArrayLike,
        price: ArrayLike,
        *,
        now_us: int,
        ask: ArrayLike | None = None,
        forward: ArrayLike | None = None,
        discount: ArrayLike = 1.0,
        in_coin: bool = False,
        repair: bool = False,
    ) -> "Surface":
        """From option prices, one row each; arguments broadcast to [P].

        `price` is a mark, or the bid where `ask` is given: the mid is inverted then, and crossed
        and one-sided quotes are left out. At each strike the option out of the money counts, the
        other only where that is missing. Without `forward` put-call parity gives it. `in_coin`:
        prices are in units of the underlying, as inverse options are quoted. `discount`: the price
        of one unit paid at expiry. `repair` as in `of_volatilities`, ValueError likewise.
        """
        expiry, k, is_call, bid, offer, f, df = _columns(
            expiry_us,
            strike,
            call,
            price,
            price if ask is None else ask,
            np.nan if forward is None else forward,
            discount,
        )
        chain = Chain(expiry, k, is_call.astype(np.bool_), bid, offer, f, df, in_coin)
        return cls._of(surface_fit.inverted(chain, now_us), now_us, repair)

    @classmethod
    def _of(cls, points: Points, now_us: int, repair: bool) -> "Surface":
        expiry_us, first = np.unique(points.expiry_us, return_index=True)
        cuts = first[1:]
        moneyness = np.log(points.strike / points.forward)
        variance = points.volatility**2 * (points.expiry_us - now_us) / YEAR_US
        slices = [
            Slice(*both)
            for both in zip(np.split(moneyness, cuts), np.split(variance, cuts), strict=True)
        ]
        if repair:
            slices = arbitrage.repaired(slices, _curve)
        return cls(
            now_us,
            expiry_us,
            points.forward[first],
            np.cumsum([0, *(len(one.moneyness) for one in slices)]),
            np.concatenate([one.moneyness for one in slices]),
            np.concatenate([one.variance for one in slices]),
            np.concatenate([_slopes(one) for one in slices]),
            points.left_out,
        )

    def volatility(
        self,
        expiry_us: ArrayLike,
        strike: ArrayLike,
        forward: ArrayLike | None = None,
        *,
        moved: ArrayLike | None = None,
        sticky: Stickiness = "strike",
    ) -> Floats:
        """The volatility of each option; arguments broadcast, thousands at once.

        `forward` is the present forward of the option's expiry, by default the surface's own.
        `moved` is the forward of a scenario: with `sticky="strike"` each strike keeps the
        volatility that it has at `forward`, as venues revalue; with `sticky="moneyness"` the smile
        moves along, and the volatility is that of ln(strike / moved).
        """
        if sticky not in ("strike", "moneyness"):
            raise ValueError(f"sticky {sticky!r} is neither 'strike' nor 'moneyness'")
        expiry = np.asarray(expiry_us, np.int64)
        base = self.forward_at(expiry) if forward is None else _priced("forward", forward)
        if moved is not None and sticky == "moneyness":
            base = _priced("moved forward", moved)
        k, expiry = np.broadcast_arrays(np.log(_priced("strike", strike) / base), expiry)
        earlier, later, share = self._between(expiry)
        w = (1 - share) * self._variance(earlier, k) + share * self._variance(later, k)
        years = (np.clip(expiry, self.expiry_us[0], self.expiry_us[-1]) - self.now_us) / YEAR_US
        return np.asarray(np.sqrt(w / years))

    def forward_at(self, expiry_us: ArrayLike) -> Floats:
        """The forward of each expiry: log-linear between the surface's own, flat beyond."""
        earlier, later, share = self._between(np.asarray(expiry_us, np.int64))
        low, high = np.log(self.forward[earlier]), np.log(self.forward[later])
        return np.asarray(np.exp((1 - share) * low + share * high))

    def violations(self, tolerance: float = TOLERANCE) -> tuple[Violation, ...]:
        """The arbitrages that earn more than `tolerance` of the forward, by expiry and strike.

        Butterflies: calls at the points of an expiry that are not convex in the strike.
        Calendars: calls that cost less than in the expiry before at equal moneyness, at every point
        of either expiry.
        """
        found: list[Violation] = []
        slices = [
            Slice(self.moneyness[a:b], self.variance[a:b])
            for a, b in zip(self.first[:-1], self.first[1:], strict=True)
        ]
        for e, points in enumerate(slices):
            checks: list[tuple[Kind, Floats, Floats]] = [
                ("butterfly", points.moneyness, arbitrage.butterflies(points))
            ]
            if e:
                checks.append(("calendar", *arbitrage.calendars(slices[e - 1], points, _curve)))
            for kind, k, earns in checks:
                wrong = earns > tolerance
                strikes = (self.forward[e] * np.exp(k[wrong])).tolist()
                found.extend(
                    Violation(kind, int(self.expiry_us[e]), strike, amount)
                    for strike, amount in zip(strikes, earns[wrong].tolist(), strict=True)
                )
        return tuple(found)

    def _between(self, expiry_us: Int64s) -> tuple[Int64s, Int64s, Floats]:
        """The expiries around each time, and how far it lies on the way to the later."""
        last = len(self.expiry_us) - 1
        earlier = np.clip(np.searchsorted(self.expiry_us, expiry_us, side="right") - 1, 0, last)
        later = np.minimum(earlier + 1, last)
        step = np.maximum(self.expiry_us[later] - self.expiry_us[earlier], 1)
        share = np.clip((expiry_us - self.expiry_us[earlier]) / step, 0.0, 1.0)
        return earlier, later, np.where(later == earlier, 0.0, share)

    def _variance(self, e: Int64s, k: Floats) -> Floats:
        """Total variance of expiry e at moneyness k."""
        low, high = self.first[e], self.first[e + 1] - 1
        k = np.clip(k, self.moneyness[low], self.moneyness[high])
        # Complex numbers sort by their real part first: one search through all expiries at once.
        sizes = np.diff(self.first)
        ordered = np.repeat(np.arange(len(sizes)), sizes) + 1j * self.moneyness
        a = np.clip(np.searchsorted(ordered, e + 1j * k, side="right") - 1, low, high)
        b = np.minimum(a + 1, high)
        return _hermite(
            k,
            (self.moneyness[a], self.moneyness[b]),
            (self.variance[a], self.variance[b]),
            (self.slope[a], self.slope[b]),
        )


def _hermite(
    k: Floats,
    ends: tuple[Floats, Floats],
    values: tuple[Floats, Floats],
    slopes: tuple[Floats, Floats],
) -> Floats:
    width = ends[1] - ends[0]
    t = np.where(width > 0, (k - ends[0]) / np.where(width > 0, width, 1.0), 0.0)
    rest = 1 - t
    left = rest**2 * ((1 + 2 * t) * values[0] + t * width * slopes[0])
    right = t**2 * ((1 + 2 * rest) * values[1] - rest * width * slopes[1])
    return np.asarray(left + right)


def _slopes(points: Slice) -> Floats:
    if len(points.moneyness) == 1:
        return np.zeros(1)
    curve = PchipInterpolator(points.moneyness, points.variance)
    return np.asarray(curve(points.moneyness, nu=1))


def _curve(points: Slice, k: Floats) -> Floats:
    if len(points.moneyness) == 1:
        return np.full(len(k), points.variance[0])
    inside = np.clip(k, points.moneyness[0], points.moneyness[-1])
    return np.asarray(PchipInterpolator(points.moneyness, points.variance)(inside))


def _columns(expiry_us: ArrayLike, *others: ArrayLike) -> list[np.ndarray]:
    columns = (np.asarray(other, np.float64) for other in others)
    return list(np.broadcast_arrays(np.atleast_1d(np.asarray(expiry_us, np.int64)), *columns))


def _priced(what: str, value: ArrayLike) -> Floats:
    array = np.asarray(value, np.float64)
    wrong = ~(np.isfinite(array) & (array > 0))
    if wrong.any():
        raise ValueError(f"{what} {array[wrong].flat[0]} is not positive and finite")
    return array
