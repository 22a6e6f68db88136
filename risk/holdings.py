"""The columns that everything in this room takes and gives.

Every amount is int64 at 1e-8 (`_e8`), every rate int64 in parts per million (`_ppm`), or per
billion (`_ppb`) where several rates were made into one. Instruments, assets and buckets are row
numbers. Shapes: I instruments, A assets, P positions, B balances, N buckets, S subjects
(instruments or assets) with at most K steps each.

Rules are never written to: what follows from them alone is kept with them (`risk.kept`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from risk.tables import (
    MAX_SCALAR_PPM,
    PPB_OF_PPM,
    Steps,
    TierRows,
    check_method,
    check_range,
    check_steps,
    check_tiers,
    effective_rate,
    step_columns,
)
from schemas.units import PPM, Floats, Int64s

Bools = NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Contracts:
    """How the price of each instrument becomes value, and in what it trades."""

    inverse: Bools  # [I] True: value = -(quantity x multiplier) / price
    multiplier_e8: Int64s  # [I] units of base (linear) or of quote (inverse) a contract
    settlement: Int64s  # [I] asset row in which profit is paid
    lot_e8: Int64s  # [I] smallest quantity step, positive
    tick_e8: Int64s  # [I] smallest price step, positive


@dataclass(frozen=True, slots=True)
class Terms:
    """What each instrument is written on, for rules that look at more than its own price."""

    underlying: Int64s  # [I] row of the instrument whose price drives it; a perpetual: its own row
    side: Int64s  # [I] 1 call, -1 put, 0 no option
    strike_e8: Int64s  # [I] 0 where there is none
    expiry_us: Int64s  # [I] microseconds since the epoch, 0 where there is none


@dataclass(frozen=True)
class StepTable:
    """Progressive rates of many subjects: the slice of an amount above each floor at its own rate.

    charge(amount) = amount x rate_k - cum_k with k the last floor <= amount and
    cum_k = cum_{k-1} + floor_k (rate_k - rate_{k-1}), the published "maintenance amount". cum is
    exact: whole units of 1e-8 and the rest in parts per billion of one. Where cum is 0 throughout,
    the step of an amount prices the whole of it.
    """

    floor_e8: Int64s  # [S, K] ascending from 0, padded with NO_FLOOR
    rate_ppb: Int64s  # [S, K] parts per billion, at most 4e9
    cum_e8: Int64s  # [S, K] whole part of the deduction
    cum_rest_ppb: Int64s  # [S, K] rest of the deduction, 0 <= rest < 1e9, ppb of 1e-8
    known: Bools  # [S] False: no table was given, every charge is 0

    @staticmethod
    def of(tables: Sequence[Steps]) -> "StepTable":
        """Tables of (floor_e8, rate_ppm) rows; an empty one leaves its subject unknown.

        Raises ValueError, naming value and rule, where the first floor is not 0, floors do not
        ascend, a rate is outside 0..1e6 or rates decrease.
        """
        for table in tables:
            check_steps(table)
        in_ppb = [[(floor, rate * PPB_OF_PPM) for floor, rate in table] for table in tables]
        return StepTable(*step_columns(in_ppb, [True] * len(tables)))


@dataclass(frozen=True)
class Tiers:
    """Margin tiers of many instruments, by notional, at their effective rates.

    initial rate = (r + (1 - r) x open interest) x scalar + fee
    maintenance rate = r x scalar + fee

    each rounded up to a part per billion. By method, an instrument's tiers are read as
    `marginal`: each slice of the notional at its own rate;
    `whole`: the tier of the notional prices the whole position;
    `sqrt`: as `whole`, with max(r, 0.8 r + k sqrt(size)) for r, size in units of the base and k
    the size factor; the rate then stops at 400%.
    """

    initial: StepTable  # [I, K]
    maintenance: StepTable  # [I, K], the floors of `initial`
    scalar_ppm: Int64s  # [I], already in rates and factors
    fee_ppb: Int64s  # [I], already in the rates
    initial_factor_ppb: Int64s  # [I] size factor, for the root of one unit; 0 where not `sqrt`
    maintenance_factor_ppb: Int64s  # [I], at most that of `initial`
    known: Bools  # [I] False: no table, both requirements are 0; the caller holds such buckets back

    @staticmethod
    def of(
        tables: Sequence[TierRows],
        scalars_ppm: Sequence[int],
        *,
        method: Sequence[str] | None = None,
        size_factor_ppb: Sequence[tuple[int, int]] | None = None,
        fee_ppm: Sequence[int] | None = None,
        open_interest_ppm: Sequence[int] | None = None,
    ) -> "Tiers":
        """Tables of (floor_e8, initial_ppm, maintenance_ppm) rows, with one entry for each of:

        `scalars_ppm`, on both rates, 0..1e8; `method`, "marginal" where not given;
        `size_factor_ppb`, of the initial and of the maintenance rate, for "sqrt";
        `fee_ppm`, the expected liquidation fee, 0..1e6;
        `open_interest_ppm`, how far open interest lifts the initial rate towards 100%, 0..1e6.

        Raises ValueError as `StepTable.of` does, where a maintenance rate or factor is above the
        initial one, an effective rate is above 400%, an entry is outside its range, or tables and
        entries differ in number.
        """
        count = len(tables)
        scalars = _each("scalars", scalars_ppm, count, PPM)
        methods = _each("methods", method, count, "marginal")
        factors = _each("size factors", size_factor_ppb, count, (0, 0))
        fees = _each("fees", fee_ppm, count, 0)
        lifts = _each("open interests", open_interest_ppm, count, 0)
        initial, maintenance = [], []
        for row, table in enumerate(tables):
            check_tiers(table)
            check_method(methods[row], factors[row])
            check_range("scalar", scalars[row], MAX_SCALAR_PPM)
            check_range("fee", fees[row], PPM)
            check_range("open interest", lifts[row], PPM)
            both = {"scalar": scalars[row], "fee": fees[row]}
            initial.append(
                [(f, effective_rate(i, open_interest=lifts[row], **both)) for f, i, _ in table]
            )
            maintenance.append([(f, effective_rate(m, **both)) for f, _, m in table])
        progressive = [name == "marginal" for name in methods]
        initial_steps = StepTable(*step_columns(initial, progressive))
        scaled = [
            [-(-k * scalar // PPM) if table else 0 for k in pair]
            for table, pair, scalar in zip(tables, factors, scalars, strict=True)
        ]
        factor_ppb = np.array(scaled, np.int64).reshape(-1, 2).T.copy()
        return Tiers(
            initial_steps,
            StepTable(*step_columns(maintenance, progressive)),
            np.array(scalars, np.int64),
            np.array(fees, np.int64) * PPB_OF_PPM,
            factor_ppb[0],
            factor_ppb[1],
            initial_steps.known,
        )


def _each(what: str, given: Sequence[T] | None, count: int, default: T) -> Sequence[T]:
    """What was given for each of `count` tables, or the default for all of them."""
    entries = [default] * count if given is None else given
    if len(entries) != count:
        raise ValueError(f"{len(entries)} {what} for {count} tables, one each")
    return entries


@dataclass(frozen=True)
class Assets:
    """What each asset is worth and what it counts for as collateral."""

    price_e8: Int64s  # [A] in the valuation currency, which itself is 1e8
    borrow_weight_ppm: Int64s  # [A] extra weight of a negative balance, 0..1e6
    haircuts: StepTable  # [A, K] by value; an asset without a table counts in full
    slow_price_e8: Int64s | None = None  # [A] for the initial equity; None: the price


@dataclass(frozen=True)
class Rules:
    """What is in force: contracts, margin tiers, assets, and what differs by profile."""

    contracts: Contracts
    tiers: Tiers
    assets: Assets
    larger_leg: bool = False  # of long and short rows of an instrument only the larger is charged
    profit_weight_ppm: Int64s | None = None  # [I] of a profit, for the initial equity; None: all
    profit_cap_e8: Int64s | None = None  # [I] then at most this, settlement asset; None: no cap


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

    The initial equity meets the initial margin: conservative prices and limited profit; by default
    it is the equity.
    equity = maintenance margin: not liquidatable.
    maintenance margin = 0: never liquidatable, whatever the equity (nothing to close).
    """

    equity_e8: Int64s  # [N]
    initial_margin_e8: Int64s  # [N]
    maintenance_margin_e8: Int64s  # [N]
    initial_equity_e8: Int64s  # [N], at most the equity

    def health(self) -> Floats:
        """Equity / maintenance margin [N]; without margin +inf, or -inf where equity < 0."""
        nothing = np.where(self.equity_e8 < 0, -np.inf, np.inf)
        held = self.maintenance_margin_e8 > 0
        return np.divide(self.equity_e8, self.maintenance_margin_e8, out=nothing, where=held)

    def shortfall_initial_e8(self) -> Int64s:
        """Missing from the initial equity to the initial margin [N], 0 where nothing is."""
        return (self.initial_margin_e8 - self.initial_equity_e8).clip(min=0)

    def shortfall_maintenance_e8(self) -> Int64s:
        """Missing to the maintenance margin [N], 0 where nothing is."""
        return (self.maintenance_margin_e8 - self.equity_e8).clip(min=0)

    def liquidatable(self) -> Bools:
        """Maintenance margin > 0 and equity < maintenance margin [N]."""
        return (self.maintenance_margin_e8 > 0) & (self.equity_e8 < self.maintenance_margin_e8)

    def bankrupt(self) -> Bools:
        """Equity < 0 [N]; with no margin it is a debt to report, not a position to close."""
        return self.equity_e8 < 0
