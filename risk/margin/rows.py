"""Exact arithmetic on many rows of int64, compiled: products, quotients, charges of step tables.

Each function is a short loop over columns that stay in the cache, which the machine works on many
rows of at once. A table is one int64 array whose last axis is named below. What does not fit goes
into the column `what`, the number of the earlier failure staying there.
"""

from math import sqrt

import numpy as np

from risk.compiled import compiled
from risk.tables import MAX_RATE_PPB, PPB
from schemas.units import E8, LIMIT_E8, Floats, Int64s

# tiers [I, K] and haircuts [A, K]; NEXT is the floor of the next step
NEXT, RATE, CUM, REST, RATE_M, CUM_M, REST_M = range(7)
FEE, FACTOR, FACTOR_M = range(3)  # premiums [I], for the method sqrt

Columns = tuple[Int64s, ...]

MOST_PRODUCT = LIMIT_E8 * float(E8) * (1 - 1e-12)
EXACT = 10**18 - 10**7
"""Amounts up to here fit when they are multiplied by 1, for all that `MOST_PRODUCT` holds back."""
MOST_QUOTIENT = LIMIT_E8 * (1 - 1e-12)
OVER = LIMIT_E8 + 1
SAFE_SUM = 8e18
"""Integers whose float sum is below this have a sum that did not wrap around 64 bits."""

index = np.uint64
"""Of rows: at a signed index numba looks whether it counts from the end."""


@compiled
def copy(values: Int64s, result: Int64s) -> None:
    """As `result[:] = values`, of columns that do not overlap, which need not be looked at then."""
    for row in range(len(values)):
        result[row] = values[row]


@compiled
def pick(values: Int64s, of: Int64s) -> Int64s:
    """The value `of` each row; a loop of its own, as one with a look-up goes row by row."""
    result = np.empty(len(of), np.int64)
    for row in range(len(of)):
        result[row] = values[index(of[row])]
    return result


@compiled
def absolute(values: Int64s, result: Int64s) -> None:
    for row in range(len(values)):
        result[row] = abs(values[row])


@compiled
def subtract(left: Int64s, right: Int64s, result: Int64s) -> None:
    for row in range(len(left)):
        result[row] = left[row] - right[row]


@compiled
def largest(values: Int64s) -> int:
    most = 0
    for row in range(len(values)):
        most = max(most, abs(values[row]))
    return most


@compiled
def add_up(place: Int64s, values: Int64s, sums: Int64s | Floats) -> None:
    for row in range(len(values)):
        sums[index(place[row])] += values[row]


@compiled
def refuse_wrapped(sums: Int64s, rough: Floats) -> None:
    """Sums that 64 bits do not hold become OVER.

    Integers wrap around without loss, so a sum that fits at the end is exact in any order; floats
    beside them tell those that do not.
    """
    for at in range(len(sums)):
        sums[at] = sums[at] if abs(rough[at]) < SAFE_SUM else OVER


@compiled
def exact_sums(place: Int64s, values: Int64s, size: int) -> Int64s:
    """Sums of the values of each place; OVER where one does not fit."""
    sums = np.zeros(size, np.int64)
    add_up(place, values, sums)
    if float(largest(values)) * len(values) >= SAFE_SUM:
        rough = np.zeros(size)
        add_up(place, values, rough)
        refuse_wrapped(sums, rough)
    return sums


# Products of two amounts need 120 bits. Below a quotient is guessed in float64, right to one part
# in 10^15; what is left of the exact product is then below 2^53, though the products wrap around
# 64 bits, and is divided in float64. Half a unit on top keeps integers from where rounding turns,
# so that the error of that division, far below half a unit, does not matter.


@compiled
def multiply_rows(left: Int64s, right: Int64s, result: Int64s, what: Int64s, code: int) -> None:
    """`schemas.units.multiply_e8`; `code` goes into `what` of rows that do not fit."""
    unfit = False
    for row in range(len(left)):
        product = float(left[row]) * float(right[row])
        guess = np.int64(product * 1e-8)
        rest = float(left[row] * right[row] - guess * E8)
        away = 0.5 if product > 0 else -0.5
        result[row] = guess + np.int64(np.rint((rest + away) * 1e-8))
        unfit |= not abs(product) <= MOST_PRODUCT
    if unfit:
        for row in range(len(left)):
            if not abs(float(left[row]) * float(right[row])) <= MOST_PRODUCT:
                result[row], what[row] = 0, min(what[row], code)


@compiled
def multiply_by(
    left: Int64s, factor: Int64s, of: Int64s, result: Int64s, failed: tuple[Int64s, int]
) -> None:
    """`multiply_rows` with the factor `of` each row; often all of them are 1."""
    what, code = failed
    if (factor == E8).all() and largest(left) <= EXACT:
        copy(left, result)
        return
    multiply_rows(left, pick(factor, of), result, what, code)


@compiled
def multiply(left_e8: int, right_e8: int) -> tuple[int, bool]:
    """`schemas.units.multiply_e8` of one row."""
    product = float(left_e8) * float(right_e8)
    if not abs(product) <= MOST_PRODUCT:
        return 0, False
    guess = int(product * 1e-8)
    rest = float(left_e8 * right_e8 - guess * E8)
    return guess + int(np.rint((rest + (0.5 if product > 0 else -0.5)) * 1e-8)), True


@compiled
def divide(left_e8: int, right_e8: int) -> tuple[int, bool]:
    """`schemas.units.divide_e8` of one row whose divisor is an amount."""
    a, b = abs(left_e8), abs(right_e8)
    fits = (b > 0) & (b <= LIMIT_E8) & (float(a) * E8 <= float(b) * MOST_QUOTIENT)
    guess = np.int64(float(a) * E8 / float(b))
    guess += np.int64(np.rint(float(a * E8 - guess * b) / float(b)))
    twice = 2 * (a * E8 - guess * b)
    magnitude = guess + np.int64(twice >= b) - np.int64(twice < -b)
    signed = magnitude if (left_e8 < 0) == (right_e8 < 0) else -magnitude
    return int(signed) if fits else 0, fits


@compiled
def divide_rows(left: Int64s, right: Int64s, result: Int64s, what: Int64s, code: int) -> None:
    """`divide` row by row; `code` goes into `what` of rows that do not fit."""
    for row in range(len(left)):
        result[row], fits = divide(left[row], right[row])
        what[row] = what[row] if fits else min(what[row], code)


@compiled
def charge(amount_e8: int, rate_ppb: int, cum_e8: int, rest_ppb: int) -> int:
    """amount x rate - cum, rounded up to 1e-8; amount 0..1e18, rate 0..4e9."""
    guess = np.int64(float(amount_e8) * float(rate_ppb) * 1e-9)
    left = float(amount_e8 * rate_ppb - guess * PPB - rest_ppb)
    return int(guess - cum_e8 + np.int64(np.ceil((left - 0.5) * 1e-9)))


@compiled
def mark_beyond(values: Int64s, what: Int64s, code: int) -> None:
    """`code` goes into `what` of rows beyond the largest amount."""
    unfit = False
    for row in range(len(values)):
        unfit |= abs(values[row]) > LIMIT_E8
    if unfit:
        for row in range(len(values)):
            if abs(values[row]) > LIMIT_E8:
                what[row] = min(what[row], code)


@compiled
def level(amount_e8: int, table: Int64s) -> int:
    """The last step [K] whose floor is <= the amount."""
    step = 0
    while amount_e8 >= table[index(step), NEXT]:
        step += 1
    return step


@compiled
def root(size_e8: int) -> int:
    """Square root of a size of 1e-8 units, in 1e-9, rounded up.

    Both squares wrap around 64 bits, their difference does not: the float is off by one at most.
    """
    result = int(sqrt(size_e8) * 1e5)
    while result * result - size_e8 * 10**10 < 0:
        result += 1
    while result > 0 and (result - 1) * (result - 1) - size_e8 * 10**10 >= 0:
        result -= 1
    return result


@compiled
def with_premium(rate_ppb: int, fee_ppb: int, factor_ppb: int, root_e9: int) -> int:
    """max(r, 0.8 r + k sqrt(size)) + fee, at most 400%; `rate_ppb` is r + fee, k the factor."""
    if float(factor_ppb) * float(root_e9) >= float(MAX_RATE_PPB) * PPB:
        return MAX_RATE_PPB
    plain = rate_ppb - fee_ppb
    premium = plain - plain // 5 - (-factor_ppb * root_e9 // PPB)
    return min(max(plain, premium) + fee_ppb, MAX_RATE_PPB)


@compiled
def require(
    notional: Int64s, size: Int64s, instrument: Int64s, rules: Columns, result: Columns
) -> None:
    """Initial and maintenance margin of positions; what does not fit is above the limit.

    All by the first tier, which most are in and which deducts nothing; then the others one by one.
    """
    first, tiers, premiums = rules
    initial, maintenance = result
    work, count = np.empty((3, len(notional)), np.int64), 0
    rate, rate_m, higher = work[0], work[1], work[2]
    for row in range(len(notional)):
        i = index(instrument[row])
        rate[row], rate_m[row], higher[count] = first[RATE, i], first[RATE_M, i], row
        count += int(notional[row] >= first[NEXT, i])
    for row in range(len(notional)):
        initial[row] = charge(notional[row], rate[row], 0, 0)
        maintenance[row] = charge(notional[row], rate_m[row], 0, 0)
    for row in higher[:count]:
        i, amount = index(instrument[row]), notional[row]
        of = tiers[i, index(level(amount, tiers[i]))]
        initial[row] = charge(amount, of[RATE], of[CUM], of[REST])
        maintenance[row] = charge(amount, of[RATE_M], of[CUM_M], of[REST_M])
    if premiums[:, FACTOR].any():
        add_premiums(notional, size, instrument, (tiers, premiums), result)


@compiled
def add_premiums(
    notional: Int64s, size: Int64s, instrument: Int64s, rules: Columns, result: Columns
) -> None:
    """The margins of instruments with the method sqrt become those of the sizes."""
    tiers, premiums = rules
    initial, maintenance = result
    for row in range(len(size)):
        i, amount = index(instrument[row]), notional[row]
        fee, factor, factor_m = premiums[i, FEE], premiums[i, FACTOR], premiums[i, FACTOR_M]
        if factor > 0:
            root_e9 = root(abs(size[row]))
            of = tiers[i, index(level(amount, tiers[i]))]
            rate = with_premium(of[RATE], fee, factor, root_e9)
            rate_m = with_premium(of[RATE_M], fee, factor_m, root_e9)
            initial[row] = charge(amount, rate, of[CUM], of[REST])
            maintenance[row] = charge(amount, rate_m, of[CUM_M], of[REST_M])


@compiled
def count_collateral(value: Int64s, borrow_ppm: int, haircut: Int64s, result: Int64s) -> None:
    """What values of one asset count for: less a haircut [K], or with a borrow weight."""
    lowest, borrow, above = haircut[0, RATE], borrow_ppm * 1_000, haircut[0, NEXT]
    higher = False
    if lowest == borrow == 0:
        copy(value, result)
    else:
        for row in range(len(value)):
            rate = lowest if value[row] >= 0 else borrow
            result[row] = value[row] - charge(abs(value[row]), rate, 0, 0)
    for row in range(len(value)):
        higher |= value[row] >= above
    if higher:
        for row in range(len(value)):
            if value[row] >= above:
                of = haircut[index(level(value[row], haircut))]
                result[row] = value[row] - charge(value[row], of[RATE], of[CUM], of[REST])
