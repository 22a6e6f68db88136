"""Offsets across underlyings: how much of one's loss another's may take off."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from schemas.units import Floats, Int64s

LARGEST_OFFSET = 0.8
"""Share of a diversification benefit that counts (EU 153/2013, article 27)."""


class Netting(NamedTuple):
    """What is credited across underlyings."""

    historical: Floats  # [U, U] correlation of the days seen
    stressed: Floats  # [U, U] correlation of bad days
    largest: float = LARGEST_OFFSET

    @staticmethod
    def of(
        historical: ArrayLike,
        stressed: ArrayLike | None = None,
        largest: float = LARGEST_OFFSET,
    ) -> "Netting":
        """Checked matrices; the stressed one is `stressed_correlation` where none is given.

        Raises ValueError where one is not square, not symmetric, has no 1 on its diagonal or an
        entry outside -1..1, or where `largest` is outside 0..1.
        """
        matrix = _correlation(historical)
        worse = stressed_correlation(matrix) if stressed is None else _correlation(stressed)
        if worse.shape != matrix.shape:
            raise ValueError(f"correlations of shapes {matrix.shape} and {worse.shape} differ")
        if not 0 <= largest <= 1:
            raise ValueError(f"largest offset {largest} must be in 0..1")
        return Netting(matrix, worse, largest)


def stressed_correlation(correlation: Floats) -> Floats:
    """Half-way from each correlation to 1 or -1: rho + (sign rho - rho) / 2."""
    return correlation + 0.5 * (np.sign(correlation) - correlation)


def aggregate(amounts: Floats, correlation: Floats) -> Floats:
    """sqrt(sum over i, j of rho_ij a_i a_j) of each row [N] of signed amounts [N, U].

    The form of ISDA SIMM for weighted sensitivities. Summed in one order whatever N.
    """
    square: Floats = (amounts * _products(amounts, correlation)).sum(axis=1)
    return np.sqrt(np.maximum(0, square))


def components(amounts: Floats, correlation: Floats) -> Floats:
    """What each amount adds to `aggregate`, summing to it: a_i (rho a)_i / aggregate [N, U]."""
    total = aggregate(amounts, correlation)[:, None]
    shares = amounts * _products(amounts, correlation)
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)


def concentration(net: ArrayLike, threshold: ArrayLike) -> Floats:
    """max(1, sqrt(|net| / threshold)), by which a large sensitivity weighs more (ISDA SIMM)."""
    return np.maximum(1, np.sqrt(np.abs(np.asarray(net, np.float64)) / threshold))


def across(down_e8: Int64s, up_e8: Int64s, joint_e8: Int64s, netting: Netting) -> Int64s:
    """Requirement of each bucket over its underlyings [N], rounded up.

    Parameters: `down_e8`, `up_e8` [N, U], the worst loss of each underlying where its spot falls,
    and where it rises (`portfolio.scan_sides` with a bucket an underlying); `joint_e8` [N], the
    worst loss where all underlyings move together (`portfolio.scan`).

    What an underlying loses on both sides offsets nothing. The rest has a direction, x = down - up,
    and aggregates with the correlation that leaves the higher loss, historical or stressed:

    gross = sum max(down, up),  net = sum min(down, up) + sqrt(x' rho x)
    requirement = max(joint, gross - largest x (gross - net))
    """
    down, up = down_e8.astype(np.float64), up_e8.astype(np.float64)
    gross = np.maximum(down, up).sum(axis=1)
    directed = down - up
    spread = np.maximum(
        aggregate(directed, netting.historical), aggregate(directed, netting.stressed)
    )
    net = np.minimum(gross, np.minimum(down, up).sum(axis=1) + spread)
    credited = np.ceil(gross - netting.largest * (gross - net)).astype(np.int64)
    larger = np.maximum(down_e8, up_e8)
    alone = (larger > 0).sum(axis=1) <= 1
    required: Int64s = np.where(alone, larger.max(axis=1, initial=0), credited)
    return np.maximum(joint_e8, required)


def _products(amounts: Floats, correlation: Floats) -> Floats:
    """(rho a) of each row, term by term: a matrix product may sum in another order by its size."""
    result = np.zeros_like(amounts)
    for column in range(amounts.shape[1]):
        result += amounts[:, column, None] * correlation[column]
    return result


def _correlation(matrix: ArrayLike) -> Floats:
    checked = np.asarray(matrix, np.float64)
    if checked.ndim != 2 or checked.shape[0] != checked.shape[1]:
        raise ValueError(f"a correlation of shape {checked.shape} must be square")
    if not (np.abs(checked) <= 1).all() or not (np.diag(checked) == 1).all():
        raise ValueError("correlations must be in -1..1, and 1 on the diagonal")
    if not (checked == checked.T).all():
        raise ValueError("a correlation must be symmetric")
    return checked
