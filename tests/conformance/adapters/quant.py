"""Quantitative anchors: each family of cases has an adapter of its own."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

NAMES = ("options", "scenarios", "margin", "waterfall")
FAMILIES = [
    import_module(name)
    for name in (f"{__package__}.quant_{family}" for family in NAMES)
    if find_spec(name) is not None
]


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    """Of the first family that knows the kind of case, None where none does."""
    answers = (family.answer(case) for family in FAMILIES)
    return next((found for found in answers if found is not None), None)
