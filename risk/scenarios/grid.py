"""Scenario sets: rows of a spot move, a volatility move and a weight, checked when read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from math import inf, isfinite
from typing import Any, TypeVar, cast

import numpy as np

from schemas.units import Floats, Int64s, e8_nearest


class VolatilityMove(IntEnum):
    """What a scenario does to volatilities."""

    NONE = 0
    UP = 1
    DOWN = 2
    LINEAR = 3  # skew: high strikes up, low strikes down
    ABSOLUTE = 4  # skew: both wings up


class Kind(IntEnum):
    """What a scenario stands for."""

    SCAN = 0  # an ordinary move, counted in full
    TAIL = 1  # an extreme move, of which only a share counts
    SKEW = 2  # the wings of the surface turn


R = TypeVar("R")
E = TypeVar("E", bound=IntEnum)
SKEWS = (VolatilityMove.LINEAR, VolatilityMove.ABSOLUTE)


def parameters(record: type[R], table: Mapping[str, Any]) -> R:
    """A record of numbers and flags from a plain dict of them.

    Raises ValueError on an unknown name and on what is no finite number or no flag.
    """
    known = {field.name: field.type for field in fields(cast(Any, record))}
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"{record.__name__}: {name!r} is unknown, known are {sorted(known)}")
        if known[name] is not bool:
            number(value, f"{record.__name__}: {name}", -inf)
        elif not isinstance(value, bool):
            raise ValueError(f"{record.__name__}: {name} = {value!r} must be true or false")
    return record(**table)


@dataclass(frozen=True, slots=True)
class VolatilityShock:
    """How far volatilities move; see `risk.scenarios.shock.shocked_volatility`."""

    up: float = 0.0
    """Share by which a volatility of 30 days rises (a number of points where `absolute`)."""
    down: float = 0.0
    short_power: float = 0.30
    """Power of 30 / days to expiry up to 30 days."""
    long_power: float = 0.13
    """The same beyond 30 days."""
    floor_days: float = 1.0
    least_up: float = 0.0
    """A volatility shocked upwards is at least this."""
    absolute: bool = False
    """Points are added, whatever the tenor."""


@dataclass(frozen=True, slots=True)
class SkewShock:
    """How far the wings turn; see `risk.scenarios.shock.skew_multiplier`."""

    linear_cap: float = 0.0
    linear_slope: float = 0.0
    """The cap of the change is cap + slope x sqrt(years)."""
    absolute_cap: float = 0.0
    absolute_slope: float = 0.0
    width: float = 1.0
    """The cap is reached at |ln(K/F)| = width x sqrt(years) x volatility of the expiry."""
    volatility: float = 1.0
    volatility_slope: float = 0.0
    """That volatility is volatility + volatility_slope x sqrt(years)."""
    least_width: float = 0.0


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """A table of scenarios for one class of underlyings."""

    spot: Floats  # [S] move of the spot, in units of `spot_range`: -1 is down by the whole range
    volatility: Int64s  # [S] VolatilityMove
    weight: Floats  # [S] the share of the loss that counts
    kind: Int64s  # [S] Kind
    relief_e8: Int64s  # [S] amount that is taken off the loss of each bucket
    spot_range: float
    days_forward: float
    """Options are revalued with this much less time to expiry."""
    volatility_shock: VolatilityShock
    skew_shock: SkewShock

    def __len__(self) -> int:
        return len(self.spot)

    @property
    def moves(self) -> Floats:
        """Relative move of the spot in each scenario [S]."""
        return self.spot * self.spot_range

    def name(self, index: int) -> str:
        """A scenario in words for the desk, such as "spot -16% vol up"."""
        move = VolatilityMove(self.volatility[index])
        if move in SKEWS:
            return f"skew {move.name.lower()}"
        state = move.name.lower() if move else "unchanged"
        return f"spot {100 * self.moves[index]:+.4g}% vol {state}"

    @staticmethod
    def of(table: Mapping[str, Any]) -> "ScenarioSet":
        """The set that a table describes (docs/portfolio-margin.md has the format).

        Raises ValueError, naming value and rule, on an unknown name, a set without scenarios, a
        move that takes the price below zero, a negative weight or relief, an unknown kind, and on
        a skew scenario that moves the spot.
        """
        known = {"spot_range", "days_forward", "volatility", "skew", "grid", "scenario"}
        for name in table:
            if name not in known:
                raise ValueError(f"scenarios: {name!r} is unknown, known are {sorted(known)}")
        spot_range = number(table.get("spot_range", 1.0), "spot_range", 1e-9)
        rows = [_row(row, spot_range) for row in _rows(table)]
        if not rows:
            raise ValueError("scenarios: a set needs at least one scenario")
        spot, move, weight, kind, relief_e8 = zip(*rows, strict=True)
        return ScenarioSet(
            np.array(spot, np.float64),
            np.array(move, np.int64),
            np.array(weight, np.float64),
            np.array(kind, np.int64),
            np.array(relief_e8, np.int64),
            spot_range,
            number(table.get("days_forward", 0.0), "days_forward", 0.0),
            parameters(VolatilityShock, table.get("volatility", {})),
            parameters(SkewShock, table.get("skew", {})),
        )


def number(value: Any, what: str, least: float) -> float:
    """The value as a finite float; ValueError where it is none or below the least."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{what} = {value!r} must be a finite number")
    if value < least:
        raise ValueError(f"{what} = {value!r} must be at least {least}")
    return float(value)


def _rows(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rows of the grid, each spot with each volatility, then the single scenarios."""
    grid = table.get("grid", {})
    if set(grid) - {"spot", "volatility"}:
        raise ValueError(f"grid: {sorted(grid)} must be spot and volatility")
    for spot in grid.get("spot", ()):
        for move in grid.get("volatility", ("none",)):
            yield {"spot": spot, "volatility": move}
    yield from table.get("scenario", ())


def _row(row: Mapping[str, Any], spot_range: float) -> tuple[float, int, float, int, int]:
    for name in row:
        if name not in {"spot", "move", "volatility", "weight", "kind", "relief"}:
            raise ValueError(f"scenario: {name!r} is unknown")
    if "spot" in row and "move" in row:
        raise ValueError(f"scenario {dict(row)}: spot or move, not both")
    spot = number(row.get("spot", 0.0), "spot", -inf)
    if "move" in row:
        spot = number(row["move"], "move", -inf) / spot_range
    if spot * spot_range <= -1:
        raise ValueError(f"scenario {dict(row)}: takes the price to 0 or below")
    move = _member(VolatilityMove, row.get("volatility", "none"), "volatility")
    weight = number(row.get("weight", 1.0), "weight", 0.0)
    usual = Kind.SKEW if move in SKEWS else Kind.SCAN if weight == 1 else Kind.TAIL
    kind = _member(Kind, row.get("kind", usual.name), "kind")
    if (kind == Kind.SKEW) != (move in SKEWS) or (kind == Kind.SKEW and spot):
        raise ValueError(f"scenario {dict(row)}: skew needs volatility linear or absolute, spot 0")
    relief_e8 = e8_nearest(number(row.get("relief", 0.0), "relief", 0.0))
    return spot, int(move), weight, int(kind), relief_e8


def _member(kinds: type[E], text: Any, what: str) -> E:
    try:
        return kinds[str(text).upper()]
    except KeyError:
        known = [kind.name.lower() for kind in kinds]
        raise ValueError(f"{what} = {text!r} is unknown, known are {known}") from None
