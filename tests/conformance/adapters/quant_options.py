"""Options: prices and Greeks of the generalised model, implied volatilities and their domain."""

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np

from risk.pricing.generalised import generalised_greeks
from risk.pricing.implied import implied_volatility

PRINTED = "_printed"


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if {"type", "S", "K", "T", "vol", "r"} <= set(inputs):
        return _greeks(case)
    if set(inputs) == {"type", "F", "K", "T", "price"}:
        return {"vol": float(_implied(inputs, inputs["price"], inputs["type"] == "call"))}
    if set(inputs) == {"F", "K", "T", "calls", "puts"}:
        return {
            "calls": [_told(v) for v in _implied(inputs, inputs["calls"], True)],
            "puts": [_told(v) for v in _implied(inputs, inputs["puts"], False)],
        }
    return None


def _greeks(case: dict[str, Any]) -> dict[str, Any]:
    """All of them; a printed number is the same one to the digits that were printed."""
    inputs, tolerance = case["inputs"], case.get("tolerance") or {}
    rate = inputs["r"]
    found = generalised_greeks(
        inputs["S"],
        inputs["K"],
        _years(inputs["T"]),
        inputs["vol"],
        inputs["type"] == "call",
        rate=rate,
        carry=inputs.get("b", rate - inputs.get("q", 0)),
    )
    numbers = {name: float(value) for name, value in asdict(found).items()}
    printed = {
        f"{name}{PRINTED}": round(value, round(-np.log10(tolerance[f"{name}{PRINTED}"])))
        for name, value in numbers.items()
        if f"{name}{PRINTED}" in tolerance
    }
    return numbers | printed


def _years(words: float | str) -> float:
    """A number, or such as "14/365 years"."""
    return float(Fraction(words.split()[0])) if isinstance(words, str) else words


def _implied(inputs: dict[str, Any], price: Any, call: bool) -> np.ndarray:
    return implied_volatility(price, inputs["F"], inputs["K"], _years(inputs["T"]), call)


def _told(volatility: float) -> float | str:
    return "no_solution" if np.isnan(volatility) else float(volatility)
