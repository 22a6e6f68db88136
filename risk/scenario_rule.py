"""How a profile margins portfolios: scenarios, what is made of the worst, and what comes on top."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.margin.contingencies import ContingencyRule
from risk.margin.expiry_margin import ExpiryRule
from risk.margin.portfolio import HISTORICAL, PortfolioRule
from risk.profile_values import Table, flag, known, ratio
from risk.scenarios.grid import ScenarioSet, number, parameters
from risk.scenarios.offsets import LARGEST_OFFSET, Netting
from schemas.units import Floats

SET_PARTS = ("scenarios", "portfolio", "contingencies", "expiry_margin")
SCENARIO_PARTS = ("scenario_set", *SET_PARTS, "offsets", "tail", "portfolio_options")


@dataclass(frozen=True, slots=True)
class TailRule:
    """A tail of joint historical moves; the requirement is at least this."""

    level_ppm: int
    shortfall: bool  # expected shortfall, else value at risk


@dataclass(frozen=True, slots=True)
class Extras:
    """What differs by recipe, beside the numbers of a scenario set."""

    collateral_moves: bool = False
    """Coins whose price a mark is are positions in the scenarios."""
    initial_haircut: float = 0.0
    """Share of their value that is added to the initial margin."""
    short_option_minimum: float = 0.0
    """Share of the underlying's price that each short option requires at least."""
    first_tenor_days: float = 30.0
    """Tenors below, from here to four times of it, and beyond offset no vega of each other."""


@dataclass(frozen=True, slots=True)
class ScenarioRule:
    """Scenarios of all underlyings, and the recipe of the requirement."""

    scenarios: ScenarioSet
    requirement: PortfolioRule
    contingency: ContingencyRule
    expiry: ExpiryRule | None  # expiries discounted on their own, in place of scan and offsets
    correlation: tuple[float, float] | None  # historical, stressed; None: no offset
    largest_offset: float
    tail: TailRule | None
    extras: Extras

    @staticmethod
    def of(table: Table, scenario_sets: Mapping[str, Table]) -> "ScenarioRule":
        """From the parts of a profile; those of the named set stand behind each of its tables."""
        base: Table = {}
        if "scenario_set" in table:
            name = table["scenario_set"]
            if name not in scenario_sets:
                raise ValueError(
                    f"scenario_set {name!r} is unknown, known are {sorted(scenario_sets)}"
                )
            base = known(scenario_sets[name], SET_PARTS, f"scenario set {name}")
        parts = {part: {**base.get(part, {}), **table.get(part, {})} for part in SET_PARTS}
        correlation, largest = _offsets(table.get("offsets"))
        return ScenarioRule(
            ScenarioSet.of(parts["scenarios"]),
            PortfolioRule.of(parts["portfolio"]),
            parameters(ContingencyRule, parts["contingencies"]),
            parameters(ExpiryRule, parts["expiry_margin"]) if parts["expiry_margin"] else None,
            correlation,
            largest,
            _tail(table.get("tail")),
            parameters(Extras, table.get("portfolio_options", {})),
        )

    def netting(self, underlyings: int) -> Netting:
        """Offsets among so many underlyings, all correlated alike."""
        assert self.correlation is not None
        matrices = [np.full((underlyings, underlyings), rho) for rho in self.correlation]
        for matrix in matrices:
            np.fill_diagonal(matrix, 1.0)
        return Netting(matrices[0], matrices[1], self.largest_offset)

    def tenor_days(self) -> Floats:
        """Where tenors end: below the first, up to four times of it, beyond."""
        return self.extras.first_tenor_days * np.array([1.0, 4.0])

    def name(self, index: int) -> str | None:
        """A worst scenario in words, None where there is none."""
        if index == HISTORICAL:
            return "historical days"
        if index == len(self.scenarios):
            return "basis"
        return self.scenarios.name(index) if index >= 0 else None


def _offsets(table: Any) -> tuple[tuple[float, float] | None, float]:
    if table is None:
        return None, 0.0
    known(table, ("historical", "stressed", "largest"), "offsets")
    rho = number(table.get("historical", 0.0), "offsets.historical", 0.0)
    stressed = number(table.get("stressed", (1 + rho) / 2), "offsets.stressed", 0.0)
    largest = number(table.get("largest", LARGEST_OFFSET), "offsets.largest", 0.0)
    for name, value in (("historical", rho), ("stressed", stressed), ("largest", largest)):
        if value > 1:
            raise ValueError(f"offsets.{name} = {value} is outside 0..1")
    return (rho, stressed), largest


def _tail(table: Any) -> TailRule | None:
    if table is None:
        return None
    known(table, ("level", "shortfall"), "tail")
    return TailRule(
        ratio(table.get("level", 0.975), "tail.level"),
        flag(table.get("shortfall", True), "tail.shortfall"),
    )
