"""Checks tables of rates and turns them into columns of effective rates and exact deductions."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.units import PPM, Int64s

PPB = 10**9
PPB_OF_PPM = 1_000
MAX_RATE_PPB = 4 * PPB
"""400%: amount x rate, split at 1e9, stays in 64 bits."""
MAX_SCALAR_PPM = 100 * PPM
NO_FLOOR = np.iinfo(np.int64).max
METHODS = ("marginal", "whole", "sqrt")

Steps = Sequence[tuple[int, int]]
TierRows = Sequence[tuple[int, int, int]]


def check_steps(table: Steps) -> None:
    """ValueError where (floor_e8, rate_ppm) rows are no ascending table from 0."""
    floors = [floor for floor, _ in table]
    rates = [rate for _, rate in table]
    if floors and floors[0] != 0:
        raise ValueError(f"first floor is {floors[0]}, it must be 0")
    for lower, upper in pairwise(floors):
        if upper <= lower:
            raise ValueError(f"floor {upper} follows {lower}, floors must ascend")
    for rate in rates:
        check_range("rate", rate, PPM)
    for lower, upper in pairwise(rates):
        if upper < lower:
            raise ValueError(f"rate {upper} ppm follows {lower}, rates must not decrease")


def check_tiers(table: TierRows) -> None:
    """ValueError where (floor_e8, initial_ppm, maintenance_ppm) rows are no table of tiers."""
    for column in (1, 2):
        check_steps([(row[0], row[column]) for row in table])
    for _, initial, maintenance in table:
        if maintenance > initial:
            raise ValueError(
                f"maintenance rate {maintenance} ppm is above the initial {initial} ppm"
            )


def check_method(method: str, size_factor_ppb: tuple[int, int]) -> None:
    """ValueError where the method is not known, or is not the one of these size factors."""
    if method not in METHODS:
        raise ValueError(f"method {method!r} is none of {', '.join(METHODS)}")
    initial, maintenance = size_factor_ppb
    if not 0 <= maintenance <= initial <= MAX_RATE_PPB:
        raise ValueError(
            f"size factors {initial} and {maintenance} ppb:"
            f" 0 <= maintenance <= initial <= {MAX_RATE_PPB} must hold"
        )
    if initial and method != "sqrt":
        raise ValueError(f"size factor {initial} ppb is for method sqrt, not for {method}")


def check_range(what: str, given_ppm: int, most_ppm: int) -> None:
    if not 0 <= given_ppm <= most_ppm:
        raise ValueError(f"{what} {given_ppm} ppm is outside 0..{most_ppm}")


def effective_rate(rate_ppm: int, *, scalar: int, fee: int, open_interest: int = 0) -> int:
    """(r + (1 - r) x open interest) x scalar + fee, all in ppm, rounded up once to a ppb."""
    lifted = rate_ppm * PPM + (PPM - rate_ppm) * open_interest
    return -(-lifted * scalar // 10**9) + fee * PPB_OF_PPM


def step_columns(
    tables: Sequence[Steps], progressive: Sequence[bool]
) -> tuple[Int64s, Int64s, Int64s, Int64s, NDArray[np.bool_]]:
    """Columns of a `StepTable` from (floor_e8, rate_ppb) rows, checked before.

    Not progressive: no deduction, a step prices the whole amount.
    Raises ValueError where a rate is above 400%.
    """
    shape = (len(tables), max((len(table) for table in tables), default=0) or 1)
    floor = np.full(shape, NO_FLOOR, np.int64)
    rate, cum, cum_rest = (np.zeros(shape, np.int64) for _ in range(3))
    for subject, table in enumerate(tables):
        deduction, previous = 0, 0
        for k, (floor_e8, rate_ppb) in enumerate(table):
            if rate_ppb > MAX_RATE_PPB:
                raise ValueError(f"effective rate {rate_ppb} ppb is above {MAX_RATE_PPB} (400%)")
            deduction += floor_e8 * (rate_ppb - previous) if progressive[subject] else 0
            previous = rate_ppb
            floor[subject, k], rate[subject, k] = floor_e8, rate_ppb
            cum[subject, k], cum_rest[subject, k] = divmod(deduction, PPB)
    return floor, rate, cum, cum_rest, np.array([len(table) > 0 for table in tables], np.bool_)
