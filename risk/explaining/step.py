"""A line of an explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from risk.holdings import StepTable
from risk.tables import PPB


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation: what it is, the formula, and its numbers, the result last."""

    what: str
    formula: str
    numbers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Names:
    """What the words of the steps call things."""

    instruments: Sequence[str]
    assets: Sequence[str]


def rate(table: StepTable, subject: int, step: int) -> str:
    """The rate of a step as a fraction."""
    return f"{table.rate_ppb[subject, step] / PPB:.9f}".rstrip("0").rstrip(".")
