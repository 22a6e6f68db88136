"""Portfolio margin of a large book: a million accounts, five positions each, 27 scenarios."""

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.contender import ContenderFailedError
from benchmarks.kernels.plain_read import plain_read
from risk.margin.portfolio import scan
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import PricedContracts, unit_profit

SEED = 7
POSITIONS = 5
INSTRUMENTS = 200
GRID = {
    "grid": {
        "spot": [-0.16, -0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12, 0.16],
        "volatility": ["down", "none", "up"],
    },
    "volatility": {"up": 0.5, "down": 0.25, "least_up": 0.5},
}


def measure(runs: int, accounts: int = 1_000_000) -> dict[str, Any]:
    """Medians of `runs`, in seconds, beside a plain read of what goes in and out.

    `scan_s` takes positions sorted by account, `unsorted_s` the same in random order, `revalue_s`
    is the revaluation of all instruments in all scenarios that comes before. Results are checked
    in full first; ContenderFailedError where one is wrong.
    """
    scenarios, contracts = ScenarioSet.of(GRID), _contracts()
    unit = unit_profit(contracts, scenarios)
    positions = _positions(accounts)
    mixed = np.random.default_rng(SEED).permutation(len(positions[0]))
    shuffled = tuple(column[mixed] for column in positions)
    for columns in (positions, shuffled):
        _check(scan(*columns, unit, accounts), _plain(positions, unit))
    read_s = _median(runs, plain_read([*positions, *scan(*positions, unit, accounts)]))
    scan_s = _median(runs, lambda: scan(*positions, unit, accounts))
    return {
        "accounts": accounts,
        "positions": len(positions[0]),
        "instruments": len(contracts),
        "scenarios": len(scenarios),
        "read_s": read_s,
        "revalue_s": _median(runs, lambda: unit_profit(contracts, scenarios)),
        "scan_s": scan_s,
        "ratio": scan_s / read_s,
        "unsorted_s": _median(runs, lambda: scan(*shuffled, unit, accounts)),
    }


def _contracts() -> PricedContracts:
    """Options of many strikes and expiries on one underlying, and some futures."""
    seed = np.random.default_rng(SEED)
    return PricedContracts.of(
        np.full(INSTRUMENTS, 60_000.0),
        side=seed.choice([-1, 0, 1], INSTRUMENTS, p=[0.45, 0.1, 0.45]),
        strike=seed.uniform(40_000, 90_000, INSTRUMENTS).round(-3),
        years=seed.choice([1, 7, 30, 90, 180], INSTRUMENTS) / 365,
        volatility=seed.uniform(0.4, 0.9, INSTRUMENTS),
    )


def _positions(accounts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seed = np.random.default_rng(SEED)
    count = accounts * POSITIONS
    return (
        np.repeat(np.arange(accounts), POSITIONS),
        seed.integers(0, INSTRUMENTS, count),
        seed.integers(-(10**9), 10**9, count),
    )


def _plain(
    positions: tuple[np.ndarray, np.ndarray, np.ndarray], unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The scan in numpy, some accounts at a time."""
    losses, worst = [], []
    _, instrument, quantity_e8 = (column.reshape(-1, POSITIONS) for column in positions)
    for first in range(0, len(instrument), 50_000):
        rows = slice(first, first + 50_000)
        terms = np.rint(quantity_e8[rows, :, None] * unit[instrument[rows]])
        profit = terms.astype(np.int64).sum(axis=1)
        lowest = profit.min(axis=1)
        losses.append(np.maximum(0, -lowest))
        worst.append(np.where(lowest < 0, profit.argmin(axis=1), -1))
    return np.concatenate(losses), np.concatenate(worst)


def _check(found: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]) -> None:
    for name, own, plain in zip(("loss", "worst scenario"), found, expected, strict=True):
        if not np.array_equal(own, plain):
            row = int(np.flatnonzero(own != plain)[0])
            raise ContenderFailedError(
                f"portfolio margin: {name} of account {row} is {own[row]}, must be {plain[row]}"
            )


def _median(runs: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(runs):
        begun = perf_counter()
        work()
        seconds.append(perf_counter() - begun)
    return statistics.median(seconds)
