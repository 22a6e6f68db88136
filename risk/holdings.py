"""The columns that everything in this room takes and gives.

Every amount is int64 at 1e-8 (`_e8`), every rate int64 in parts per million (`_ppm`). Instruments,
assets and buckets are row numbers. Shapes: I instruments, A assets, P positions, B balances,
N buckets, S subjects (instruments or assets) with at most K steps each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.units import PPM, Floats, Int64s

Bools = NDArray[np.bool_]
Steps = Sequence[tuple[int, int]]
TierRows = Sequence[tuple[int, int, int]]

NO_FLOOR = np.iinfo(np.int64).max
MAX_SCALAR_PPM = 100 * PPM


@dataclass(frozen=True, slots=True)
class Contracts:
    """How the price of each instrument becomes value, and in what it trades."""

    inverse: Bools  # [I] True: value = -(quantity x multiplier) / price
    multiplier_e8: Int64s  # [I] units of base (linear) or of quote (inverse) a contract
    settlement: Int64s  # [I] asset row in which profit is paid
    lot_e8: Int64s  # [I] smallest quantity step, positive
    tick_e8: Int64s  # [I] smallest price step, positive


@dataclass(frozen=True, slots=True)
class StepTable:
    """Progressive rates of many subjects: the slice of an amount above each floor at its own rate.

    charge(amount) = amount x rate_k - cum_k with k the last floor <= amount and
    cum_k = cum_{k-1} + floor_k (rate_k - rate_{k-1}), the published "maintenance amount". cum is
    exact: whole units of 1e-8 and the rest in ppm of one.
    """

    floor_e8: Int64s  # [S, K] ascending from 0, padded with NO_FLOOR
    rate_ppm: Int64s  # [S, K]
    cum_e8: Int64s  # [S, K] whole part of the deduction
    cum_rest_ppm: Int64s  # [S, K] rest of the deduction, 0 <= rest < 1e6, ppm of 1e-8
    known: Bools  # [S] False: no table was given, every charge is 0

    @staticmethod
    def of(tables: Sequence[Steps]) -> "StepTable":
        """Tables of (floor_e8, rate_ppm) rows; an empty one leaves its subject unknown.

        Raises ValueError, naming value and rule, where the first floor is not 0, floors do not
        ascend, a rate is outside 0..1e6 or rates decrease.
        """
        width = max((len(table) for table in tables), default=0) or 1
        shape = (len(tables), width)
        floor = np.full(shape, NO_FLOOR, np.int64)
        rate, cum, cum_rest = (np.zeros(shape, np.int64) for _ in range(3))
        for subject, table in enumerate(tables):
            _check_steps(table)
            deduction, previous = 0, 0
            for k, (floor_e8, rate_ppm) in enumerate(table):
                deduction += floor_e8 * (rate_ppm - previous)
                previous = rate_ppm
                floor[subject, k], rate[subject, k] = floor_e8, rate_ppm
                cum[subject, k], cum_rest[subject, k] = divmod(deduction, PPM)
        known = np.array([len(table) > 0 for table in tables], np.bool_)
        return StepTable(floor, rate, cum, cum_rest, known)


def _check_steps(table: Steps) -> None:
    floors = [floor for floor, _ in table]
    rates = [rate for _, rate in table]
    if floors and floors[0] != 0:
        raise ValueError(f"first floor is {floors[0]}, it must be 0")
    for lower, upper in pairwise(floors):
        if upper <= lower:
            raise ValueError(f"floor {upper} follows {lower}, floors must ascend")
    for rate in rates:
        if not 0 <= rate <= PPM:
            raise ValueError(f"rate {rate} ppm is outside 0..{PPM}")
    for lower, upper in pairwise(rates):
        if upper < lower:
            raise ValueError(f"rate {upper} ppm follows {lower}, rates must not decrease")


@dataclass(frozen=True, slots=True)
class Tiers:
    """Margin tiers of many instruments (by notional) and the scalar on both requirements."""

    initial: StepTable  # [I, K]
    maintenance: StepTable  # [I, K], the floors of `initial`
    scalar_ppm: Int64s  # [I]
    known: Bools  # [I] False: no table, both requirements are 0; the caller holds such buckets back

    @staticmethod
    def of(tables: Sequence[TierRows], scalars_ppm: Sequence[int]) -> "Tiers":
        """Tables of (floor_e8, initial_ppm, maintenance_ppm) rows and a scalar for each.

        Raises ValueError as `StepTable.of` does, and where a maintenance rate is above its initial
        rate, a scalar is outside 0..1e8, or tables and scalars differ in number.
        """
        if len(tables) != len(scalars_ppm):
            raise ValueError(f"{len(scalars_ppm)} scalars for {len(tables)} tables, one each")
        for table in tables:
            for _, initial, maintenance in table:
                if maintenance > initial:
                    raise ValueError(
                        f"maintenance rate {maintenance} ppm is above the initial {initial} ppm"
                    )
        for scalar in scalars_ppm:
            if not 0 <= scalar <= MAX_SCALAR_PPM:
                raise ValueError(f"scalar {scalar} ppm is outside 0..{MAX_SCALAR_PPM}")
        initial_steps = StepTable.of([[(f, i) for f, i, _ in table] for table in tables])
        maintenance_steps = StepTable.of([[(f, m) for f, _, m in table] for table in tables])
        scalar_ppm = np.array(scalars_ppm, np.int64)
        return Tiers(initial_steps, maintenance_steps, scalar_ppm, initial_steps.known)


@dataclass(frozen=True, slots=True)
class Assets:
    """What each asset is worth and what it counts for as collateral."""

    price_e8: Int64s  # [A] in the valuation currency, which itself is 1e8
    borrow_weight_ppm: Int64s  # [A] extra weight of a negative balance, 0..1e6
    haircuts: StepTable  # [A, K] by value; an asset without a table counts in full


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force: contracts, margin tiers, assets."""

    contracts: Contracts
    tiers: Tiers
    assets: Assets


@dataclass(frozen=True, slots=True)
class Positions:
    """Open positions; a bucket may hold many, also several rows of one instrument."""

    bucket: Int64s  # [P] bucket row
    instrument: Int64s  # [P] instrument row
    quantity_e8: Int64s  # [P] signed contracts
    cost_e8: Int64s  # [P] sum of quantity x unit value over the fills, settlement asset


@dataclass(frozen=True, slots=True)
class Balances:
    """Ledger balances; several rows of one (bucket, asset) add up."""

    bucket: Int64s  # [B] bucket row
    asset: Int64s  # [B] asset row
    amount_e8: Int64s  # [B] signed


@dataclass(frozen=True, slots=True)
class PositionState:
    """What each position is worth and requires."""

    profit_e8: Int64s  # [P] unrealised, settlement asset
    notional_e8: Int64s  # [P] valuation currency, never negative
    initial_margin_e8: Int64s  # [P] valuation currency
    maintenance_margin_e8: Int64s  # [P] valuation currency


@dataclass(frozen=True, slots=True)
class MarginState:
    """Where each bucket stands, in the valuation currency.

    equity = maintenance margin: not liquidatable.
    maintenance margin = 0: never liquidatable, whatever the equity (nothing to close).
    """

    equity_e8: Int64s  # [N]
    initial_margin_e8: Int64s  # [N]
    maintenance_margin_e8: Int64s  # [N]

    def health(self) -> Floats:
        """Equity / maintenance margin [N]; without margin +inf, or -inf where equity < 0."""
        nothing = np.where(self.equity_e8 < 0, -np.inf, np.inf)
        held = self.maintenance_margin_e8 > 0
        return np.divide(self.equity_e8, self.maintenance_margin_e8, out=nothing, where=held)

    def shortfall_initial_e8(self) -> Int64s:
        """Missing to the initial margin [N], 0 where nothing is."""
        return (self.initial_margin_e8 - self.equity_e8).clip(min=0)

    def shortfall_maintenance_e8(self) -> Int64s:
        """Missing to the maintenance margin [N], 0 where nothing is."""
        return (self.maintenance_margin_e8 - self.equity_e8).clip(min=0)

    def liquidatable(self) -> Bools:
        """Maintenance margin > 0 and equity < maintenance margin [N]."""
        return (self.maintenance_margin_e8 > 0) & (self.equity_e8 < self.maintenance_margin_e8)

    def bankrupt(self) -> Bools:
        """Equity < 0 [N]; with no margin it is a debt to report, not a position to close."""
        return self.equity_e8 < 0
