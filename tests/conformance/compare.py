"""Whether an answer agrees with what a case expects.

Numbers agree within the case's own tolerance; without one, within 1e-9 relative, or within one unit
of the last printed digit where at least six digits are printed: one number rounded up here and
down there differs by that much.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

NOTES = {"rounding", "abs_tol", "rel_tol"}
PRINTED_DIGITS = 6
NOISE = 16 * 2.0**-52
"""Of the largest number that a case expects: what is below it is what rounding left of a zero."""


def differences(case: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """One text for each expected field that is missing or differs."""
    expected = {name: value for name, value in case["expected"].items() if name not in NOTES}
    bounds = _bounds(case)
    noise = NOISE * max(_magnitudes(list(expected.values())), default=0.0)
    return [
        f"{name} expected {value!r}, actual {actual.get(name)!r}"
        for name, value in expected.items()
        if name not in actual or not _agree(value, actual[name], bounds, noise)
    ]


def _bounds(case: dict[str, Any]) -> tuple[float, float] | None:
    """(absolute, relative) tolerance of the case, None where it names none."""
    expected, own = case["expected"], case.get("tolerance") or {}
    words = str(expected.get("rounding", "")).split()
    absolute = expected.get("abs_tol", own.get("abs"))
    relative = expected.get("rel_tol", own.get("rel"))
    if len(words) == 2 and words[1] == "decimals":
        absolute = 10.0 ** -int(words[0])
    elif len(words) == 2 and words[0] in ("floor", "ceil"):
        absolute = float(words[1])
    if absolute is None and relative is None:
        return None
    return float(absolute or 0), float(relative or 0)


def _magnitudes(value: Any) -> Iterator[float]:
    """Of the numbers in a value."""
    if isinstance(value, list):
        for one in value:
            yield from _magnitudes(one)
    elif isinstance(value, int | float):
        yield abs(value)


def _agree(expected: Any, actual: Any, bounds: tuple[float, float] | None, noise: float) -> bool:
    if isinstance(expected, list) and isinstance(actual, list):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(_agree(e, a, bounds, noise) for e, a in pairs)
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return type(expected) is type(actual) and expected == actual
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return False
    if max(abs(expected), abs(actual)) < noise:
        return True
    distance = abs(expected - actual)
    if bounds is not None:
        # The last bit of a bound such as 1e-9 is noise.
        return distance <= (bounds[0] + bounds[1] * abs(expected)) * (1 + 1e-6)
    return distance <= 1e-9 * abs(expected) or _same_print(expected, actual)


def _same_print(expected: float, actual: float) -> bool:
    printed = Decimal(repr(expected)).normalize().as_tuple()
    if not isinstance(printed.exponent, int) or len(printed.digits) < PRINTED_DIGITS:
        return False
    unit = Decimal(1).scaleb(printed.exponent)
    return abs(Decimal(repr(expected)) - Decimal(repr(actual))) <= unit
