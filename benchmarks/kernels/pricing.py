"""A million options: Black-76 with all Greeks, and the volatilities back from the prices."""

from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np
from scipy.special import ndtr

from benchmarks.contender import ContenderFailedError
from benchmarks.kernels.plain_read import plain_read
from risk.pricing import black76
from risk.pricing.implied import implied_volatility

SEED = 76

Market = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def measure(runs: int, options: int = 1_000_000) -> dict[str, Any]:
    """The least of `runs`, in seconds, beside a plain read of what goes in and out.

    `greeks_s` is the value with delta, gamma, vega, theta, vanna and volga, `numpy_s` the same by
    the textbook in numpy and scipy, `implied_s` the inversion of the values out of the money.
    Results are checked first; ContenderFailedError where one is wrong.
    """
    market = _market(options)
    forward, strike, years, volatility, _ = market
    outside = strike >= forward
    value = black76.price(forward, strike, years, volatility, outside)
    inverse = (value, forward, strike, years, outside)
    _check(market, inverse)
    found = asdict(black76.greeks(*market)).values()
    seconds = {
        "read_s": _least(runs, plain_read([*market, *found])),
        "numpy_s": _least(runs, lambda: _plain(*market)),
        "price_s": _least(runs, lambda: black76.price(*market)),
        "greeks_s": _least(runs, lambda: black76.greeks(*market)),
        "implied_s": _least(runs, lambda: implied_volatility(*inverse)),
    }
    return {
        "options": options,
        **seconds,
        "ratio": seconds["greeks_s"] / seconds["read_s"],
        "implied_us_each": seconds["implied_s"] / options * 1e6,
    }


def _market(options: int) -> Market:
    """Strikes within two and a half deviations, a day to two years, 20 to 150 percent."""
    chance = np.random.default_rng(SEED)
    forward = chance.uniform(50, 60_000, options)
    years, volatility = chance.uniform(1 / 365, 2, options), chance.uniform(0.2, 1.5, options)
    deviations = chance.uniform(-2.5, 2.5, options)
    strike = forward * np.exp(deviations * volatility * np.sqrt(years))
    return forward, strike, years, volatility, chance.random(options) < 0.5


def _plain(
    forward: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    volatility: np.ndarray,
    call: np.ndarray,
) -> dict[str, np.ndarray]:
    """The textbook, column by column."""
    root = np.sqrt(years)
    total = volatility * root
    d1 = np.log(forward / strike) / total + total / 2
    d2 = d1 - total
    side = np.where(call, 1.0, -1.0)
    density = np.exp(-d1 * d1 / 2) / np.sqrt(2 * np.pi)
    vega = forward * density * root
    delta = side * ndtr(side * d1)
    return {
        "price": delta * forward - side * strike * ndtr(side * d2),
        "delta": delta,
        "gamma": density / (forward * total),
        "vega": vega,
        "theta": -vega * volatility / (2 * years),
        "vanna": -density * d2 / volatility,
        "volga": vega * d1 * d2 / volatility,
    }


def _check(market: Market, inverse: tuple[np.ndarray, ...]) -> None:
    found = asdict(black76.greeks(*market))
    for name, expected in _plain(*market).items():
        # Where a number passes through zero, or is a small difference, its own size says little.
        slack = 1e-9 * np.abs(expected) + 1e-12 * np.abs(expected).max()
        _require(name, np.abs(found[name] - expected) <= slack, found[name])
    again = implied_volatility(*inverse)
    _require("implied volatility", np.abs(again / market[3] - 1) <= 1e-13, again)


def _require(name: str, right: np.ndarray, found: np.ndarray) -> None:
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise ContenderFailedError(f"{name} of option {row} is {found[row]}, which is wrong")


def _least(runs: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(runs):
        begun = perf_counter()
        work()
        seconds.append(perf_counter() - begun)
    return min(seconds)
