"""From rows of quotes to the points of a surface: usable rows, forwards, one volatility each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from risk.pricing.implied import implied_volatility
from schemas.units import Floats, Int64s

Bools = NDArray[np.bool_]

YEAR_US = 365 * 86_400_000_000
"""A year of volatility: 365 days, as markets that never close count it."""


class LeftOut(NamedTuple):
    """A row of the input that the surface does not use, and the rule that it breaks."""

    row: int
    why: str


class Points(NamedTuple):
    """One volatility for each expiry and strike, ascending, and what was not usable."""

    expiry_us: Int64s
    strike: Floats
    volatility: Floats
    forward: Floats  # of the expiry
    left_out: tuple[LeftOut, ...]


class Chain(NamedTuple):
    """Option quotes, one row each, all arrays [P]."""

    expiry_us: Int64s
    strike: Floats
    call: Bools
    bid: Floats
    ask: Floats
    """A mark is a bid equal to its ask."""
    forward: Floats
    """nan: from parity."""
    discount: Floats
    """The price of one unit paid at expiry."""
    in_coin: bool


class Rejects:
    """The rows that broke a rule, each under the first rule that it broke."""

    def __init__(self, rows: int) -> None:
        self._why: dict[int, str] = {}
        self._rows = rows

    def where(self, broken: Bools, sentence: str, *values: Floats | Int64s) -> None:
        """Leaves out each row where `broken`; the sentence has room for the row's values."""
        for row in np.flatnonzero(broken).tolist():
            self._why.setdefault(row, sentence.format(*(column[row] for column in values)))

    def kept(self) -> Int64s:
        """The other rows, ascending; ValueError if there are none."""
        kept = [row for row in range(self._rows) if row not in self._why]
        if not kept:
            first = next(iter(self.named()), LeftOut(0, "there is no row"))
            raise ValueError(
                f"none of {self._rows} rows is usable for a surface; row {first.row}: {first.why}"
            )
        return np.array(kept, np.int64)

    def named(self) -> tuple[LeftOut, ...]:
        """The rows left out, ascending."""
        return tuple(LeftOut(row, self._why[row]) for row in sorted(self._why))


def sent(
    expiry_us: Int64s, strike: Floats, volatility: Floats, forward: Floats, *, now_us: int
) -> Points:
    """The points of sent volatilities; rows of one expiry and strike count with their mean."""
    rejects = _common(expiry_us, strike, now_us)
    rejects.where(~_positive(forward), "forward {} is not positive and finite", forward)
    rejects.where(~_positive(volatility), "volatility {} is not positive and finite", volatility)
    kept = rejects.kept()
    kept = kept[np.lexsort((volatility[kept], strike[kept], expiry_us[kept]))]
    starts = _starts(expiry_us[kept], strike[kept])
    size = np.diff(np.append(starts, len(kept)))
    mean = np.add.reduceat(volatility[kept], starts) / size
    forward = _median_by_expiry(expiry_us[kept], forward[kept])[starts]
    chosen = kept[starts]
    return Points(expiry_us[chosen], strike[chosen], mean, forward, rejects.named())


def inverted(chain: Chain, now_us: int) -> Points:
    """The points of option prices: at each strike the option out of the money, inverted."""
    expiry, strike, call, bid, ask, given, discount, in_coin = chain
    rejects = _common(expiry, strike, now_us)
    rejects.where(bid > ask, "bid {} is above ask {}", bid, ask)
    rejects.where(~_positive(bid), "bid or mark {} is not positive and finite", bid)
    rejects.where(~_positive(ask), "ask {} is not positive and finite", ask)
    rejects.where(~_positive(discount), "discount {} is not positive and finite", discount)
    mid = (bid + ask) / 2
    kept = rejects.kept()
    forward = given.copy()
    forward[kept] = _median_by_expiry(expiry[kept], given[kept])
    for one in np.unique(expiry[kept][np.isnan(forward[kept])]):
        rows = kept[expiry[kept] == one]
        forward[rows] = parity_forward(strike[rows], call[rows], mid[rows], discount[rows], in_coin)
    rejects.where(
        np.isnan(forward), "no forward: no strike of expiry {} has a call and a put", expiry
    )
    rejects.where(~_positive(forward), "forward {} is not positive and finite", forward)
    kept = rejects.kept()
    in_the_money = call[kept] != (strike[kept] >= forward[kept])
    kept = kept[np.lexsort((mid[kept], in_the_money, strike[kept], expiry[kept]))]
    kept = kept[_starts(expiry[kept], strike[kept])]
    volatility = np.full(len(expiry), np.nan)
    volatility[kept] = implied_volatility(
        mid[kept] * (forward[kept] if in_coin else 1.0),
        forward[kept],
        strike[kept],
        (expiry[kept] - now_us) / YEAR_US,
        call[kept],
        discount=discount[kept],
    )
    unsolved = np.zeros(len(expiry), np.bool_)
    unsolved[kept] = ~_positive(volatility[kept])
    rejects.where(unsolved, "no volatility gives price {} at forward {}", mid, forward)
    rejects.kept()
    kept = kept[~unsolved[kept]]
    return Points(expiry[kept], strike[kept], volatility[kept], forward[kept], rejects.named())


def parity_forward(
    strike: Floats, call: Bools, price: Floats, discount: Floats, in_coin: bool
) -> float:
    """The forward of one expiry from calls and puts at equal strikes; nan without such a pair.

    C - P = discount x (F - K), in the coin discount x (1 - K / F): the median over the three pairs
    nearest the money, where quotes are tightest.
    """
    order = np.lexsort((call, strike))
    strike, call, value = strike[order], call[order], (price / discount)[order]
    put = np.flatnonzero((strike[1:] == strike[:-1]) & call[1:] & ~call[:-1])
    if not len(put):
        return float("nan")
    gap = value[put + 1] - value[put]
    nearest = np.argsort(np.abs(gap), kind="stable")[:3]
    gap, at = gap[nearest], strike[put][nearest]
    gap = np.minimum(gap, 1 - 1e-9) if in_coin else gap  # a call is worth one coin at most
    return float(np.median(at / (1 - gap) if in_coin else at + gap))


def _common(expiry_us: Int64s, strike: Floats, now_us: int) -> Rejects:
    rejects = Rejects(len(expiry_us))
    rejects.where(expiry_us <= now_us, f"expiry {{}} is not after {now_us}", expiry_us)
    rejects.where(~_positive(strike), "strike {} is not positive and finite", strike)
    return rejects


def _positive(values: Floats) -> Bools:
    return np.isfinite(values) & (values > 0)


def _starts(expiry_us: Int64s, strike: Floats) -> Int64s:
    """Where each expiry and strike begins among sorted rows."""
    changes = (np.diff(expiry_us) != 0) | (np.diff(strike) != 0)
    return np.append(0, np.flatnonzero(changes) + 1)


def _median_by_expiry(expiry_us: Int64s, values: Floats) -> Floats:
    _, place = np.unique(expiry_us, return_inverse=True)
    medians = [np.median(values[place == one]) for one in range(int(place.max()) + 1)]
    return np.array(medians)[place]
