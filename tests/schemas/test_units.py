"""Fixed point against Python's own integers and decimals, to the ends of 64 bits."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.units import (
    E8,
    LIMIT_E8,
    divide_e8,
    e8,
    e8_nearest,
    multiply_e8,
    text,
    to_decimal,
)

INT64 = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-LIMIT_E8, LIMIT_E8),
    st.integers(-(10**10), 10**10),
    st.sampled_from([-(2**63), 2**63 - 1, LIMIT_E8, -LIMIT_E8, 0, 1, -1, E8, -E8, E8 // 2]),
)
# A float decides what fits: results in the last trillionth below the limit may be refused.
SURELY_FITS = LIMIT_E8 - LIMIT_E8 // 10**11


def half_away(numerator: int, denominator: int) -> int:
    magnitude = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return magnitude if (numerator < 0) == (denominator < 0) else -magnitude


def check(exact: int, result: np.int64, fits: np.bool_, whole_range: bool) -> None:
    if fits:
        assert result == exact
        assert abs(exact) <= LIMIT_E8
    else:
        assert result == 0
        assert abs(exact) > SURELY_FITS or not whole_range


@given(st.lists(st.tuples(INT64, INT64), min_size=1, max_size=20))
@example([(-(2**63), 1), (1, -(2**63)), (-(2**63), E8), (-(2**63), -(2**63))])
@example([(LIMIT_E8, E8), (LIMIT_E8, E8 + 1), (15 * 10**7, 1), (-15 * 10**7, 1), (49_999_999, 1)])
def test_multiply_is_exact_or_refused(pairs: list[tuple[int, int]]) -> None:
    left, right = np.array(pairs, dtype=np.int64).T
    results, fits = multiply_e8(left, right)
    for (a, b), result, fit in zip(pairs, results, fits, strict=True):
        check(half_away(a * b, E8), result, fit, min(a, b) > -(2**63))


@given(st.lists(st.tuples(INT64, INT64), min_size=1, max_size=20))
@example([(-(2**63), 1), (1, -(2**63)), (-(2**63), E8), (-(2**63), -(2**63)), (0, 0), (5, 0)])
@example([(LIMIT_E8, 2**63 - 1), (LIMIT_E8, E8), (1, 2 * E8), (1, 2 * E8 + 1), (-1, 2 * E8)])
def test_divide_is_exact_or_refused(pairs: list[tuple[int, int]]) -> None:
    left, right = np.array(pairs, dtype=np.int64).T
    results, fits = divide_e8(left, right)
    for (a, b), result, fit in zip(pairs, results, fits, strict=True):
        if b == 0:
            assert (result, fit) == (0, False)
        else:
            check(half_away(a * E8, b), result, fit, min(a, b) > -(2**63))


@given(st.integers(-LIMIT_E8, LIMIT_E8))
def test_text_and_e8_are_inverse(value_e8: int) -> None:
    plain = text(value_e8)
    assert e8(plain) == e8(to_decimal(value_e8)) == value_e8
    assert "e" not in plain.lower()
    assert not ("." in plain and plain.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("value_e8", "plain"),
    [(0, "0"), (1, "0.00000001"), (-50_000_000, "-0.5"), (12 * E8, "12"), (10 * E8, "10")],
)
def test_text_is_the_shortest_plain_decimal(value_e8: int, plain: str) -> None:
    assert text(value_e8) == plain


@pytest.mark.parametrize(
    "bad",
    ["", "x", "NaN", "sNaN", "Infinity", "1e-9", "0.123456789", "1e-1000007", f"1.{'0' * 70}1"],
)
def test_e8_refuses_what_is_no_number_of_8_decimals(bad: str) -> None:
    with pytest.raises(ValueError, match=r"not a|more than 8"):
        e8(bad)


@pytest.mark.parametrize("large", ["10000000000", "-10000000000", "1e30", "99999999999.1"])
def test_e8_refuses_what_does_not_fit(large: str) -> None:
    with pytest.raises(OverflowError):
        e8(large)


@given(st.floats(-1e9, 1e9))
def test_the_nearest_is_within_half_a_unit(value: float) -> None:
    assert abs(Decimal(value) * E8 - e8_nearest(value)) <= Decimal("0.5")


@pytest.mark.parametrize("value", [1e10, -1e10, np.inf, np.nan])
def test_floats_that_do_not_fit_are_refused(value: float) -> None:
    with pytest.raises((OverflowError, ValueError)):
        e8_nearest(value)
