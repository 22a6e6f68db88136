"""Where every bucket of a document stands, as values that are JSON: money is decimal text."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.book import Evaluation, Kind
from risk.evaluation import evaluate, liquidation_prices, shock_distances
from risk.holdings import MarginState, Rules
from risk.liquidation.stages import Ladder, health_level
from risk.margin.levels import MarginLevels, Standing, standing
from risk.margin.shock_distance import Distances
from risk.profile import Profile
from schemas.units import LIMIT_E8, Floats, Int64s, e8_nearest, text
from streams.run.desk.book_file import BookFile

LADDER = Ladder()
LEVELS = ("release", "initial", "warning", "call", "maintenance", "bankrupt")


@dataclass(frozen=True, slots=True)
class Appraisal:
    """A document evaluated."""

    document: BookFile
    profile: Profile
    rules: Rules
    evaluation: Evaluation
    prices: Floats  # [P] liquidation prices
    distances: Distances

    @staticmethod
    def of(document: BookFile, profile: Profile) -> "Appraisal":
        rules = document.rules(profile)
        columns = (document.book, document.market, rules, document.terms, profile)
        result = evaluate(*columns)
        return Appraisal(
            document,
            profile,
            rules,
            result,
            liquidation_prices(*columns, evaluation=result),
            shock_distances(*columns, evaluation=result),
        )

    def buckets(self) -> list[dict[str, Any]]:
        """A statement of each bucket."""
        state = self.evaluation.state
        levels, stands = _levels(state), _standing(state)
        health, worst = state.health(), self.evaluation.worst
        lacks = {
            "initial": state.shortfall_initial_e8(),
            "maintenance": state.shortfall_maintenance_e8(),
        }
        return [
            {
                "account_id": name.account,
                "bucket": name.bucket,
                "mode": Kind(int(self.document.book.kind[row])).name,
                "standing": Standing(int(stands[row])).name,
                "equity": text(state.equity_e8[row]),
                "initial_equity": text(state.initial_equity_e8[row]),
                "levels": {level: text(of[row]) for level, of in levels.items()},
                "health": _finite(health[row]),
                "top_up": {level: text(of[row]) for level, of in lacks.items()},
                "worst_scenario": self.profile.scenario_name(int(worst[row])),
                "shock_distance": {
                    "down": _finite(self.distances.down[row]),
                    "up": _finite(self.distances.up[row]),
                },
                "positions": self._positions(row),
                "greeks": self._greeks(row),
            }
            for row, name in enumerate(self.document.buckets)
        ]

    def _positions(self, bucket: int) -> list[dict[str, Any]]:
        positions, state = self.document.book.positions, self.evaluation.positions
        names, marks_e8 = self.document.instrument_names, self.document.market.mark_e8
        settlement, assets = self.rules.contracts.settlement, self.document.asset_names
        return [
            {
                "instrument_id": names[instrument],
                "quantity": text(positions.quantity_e8[row]),
                "mark": text(marks_e8[instrument]),
                "profit": text(state.profit_e8[row]),
                "settlement_asset": assets[settlement[instrument]],
                "notional": text(state.notional_e8[row]),
                "initial_margin": text(state.initial_margin_e8[row]),
                "maintenance_margin": text(state.maintenance_margin_e8[row]),
                "liquidation_price": _price(self.prices[row]),
            }
            for row in np.flatnonzero(positions.bucket == bucket).tolist()
            for instrument in (int(positions.instrument[row]),)
        ]

    def _greeks(self, bucket: int) -> list[dict[str, Any]]:
        greeks, names = self.evaluation.greeks, self.document.instrument_names
        if greeks is None:
            return []
        return [
            {
                "underlying": names[int(greeks.underlying[row])],
                "delta": float(greeks.delta[row]),
                "gamma": float(greeks.gamma[row]),
                "vega": float(greeks.vega[row]),
                "theta": float(greeks.theta[row]),
            }
            for row in np.flatnonzero(greeks.bucket == bucket).tolist()
        ]


def statement(now: Appraisal, shock: str | None, then: Appraisal | None) -> Mapping[str, Any]:
    """What the command prints for programs."""
    result: dict[str, Any] = {"profile": now.profile.name, "buckets": now.buckets()}
    if then is not None:
        result["shocked"] = {"shock": shock, "buckets": then.buckets()}
    return result


def _levels(state: MarginState) -> dict[str, Int64s]:
    """The equity at which each level begins [N]."""
    maintenance_e8, initial_e8 = state.maintenance_margin_e8, state.initial_margin_e8
    warning_e8 = health_level(maintenance_e8, LADDER.warning_health_ppm)
    call_e8 = health_level(maintenance_e8, LADDER.call_health_ppm)
    return dict(
        zip(
            LEVELS,
            (
                # What leaves may neither keep the bucket from opening nor bring a warning.
                np.maximum(initial_e8, warning_e8),
                initial_e8,
                warning_e8,
                call_e8,
                maintenance_e8,
                np.zeros_like(maintenance_e8),
            ),
            strict=True,
        )
    )


def _standing(state: MarginState) -> NDArray[np.int8]:
    """`Standing` of each bucket: by its equity, and whether it may open by its initial equity."""
    levels, nothing = _levels(state), np.zeros_like(state.equity_e8)
    ladder = {
        "warning_health_ppm": LADDER.warning_health_ppm,
        "call_health_ppm": LADDER.call_health_ppm,
    }
    initial_e8, release_e8, maintenance_e8 = (
        levels[name] for name in ("initial", "release", "maintenance")
    )
    ends = MarginLevels(maintenance_e8, maintenance_e8, initial_e8, release_e8)
    opening = MarginLevels(nothing, nothing, initial_e8, release_e8)
    may_open = standing(state.initial_equity_e8, opening).clip(min=Standing.REDUCE_ONLY)
    result: NDArray[np.int8] = np.minimum(standing(state.equity_e8, ends, **ladder), may_open)
    return result


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _price(value: float) -> str | None:
    """A price rounded to 1e-8."""
    return text(e8_nearest(value)) if abs(value) * 1e8 <= LIMIT_E8 else None
