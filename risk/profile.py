"""A profile: which of the rules are in force, and with what numbers.

Read from the tables of a file (docs/profiles.md); the functions of `risk` that take one look at
its parts and know no venue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from risk.holdings import Assets, Contracts, Rules, StepTable, Tiers
from risk.margin.open_interest import lift_ppm
from risk.margin.options import StandardTerms
from risk.profile_values import Table, amount, flag, haircut_rows, known, ratio, tier_rows
from risk.scenario_rule import SCENARIO_PARTS, ScenarioRule
from risk.scenarios.grid import number, parameters
from risk.tables import PPB, Steps, TierRows, check_method, check_steps, check_tiers
from schemas.units import PPM, Int64s

DEFAULT = "default"
"""The class of instruments that name none."""
PARTS = ("description", "tiers", "classes", "collateral", "positions", "orders", "options")
CLASS_KEYS = (
    "method", "liquidation_fee", "initial_size_factor", "maintenance_size_factor",
    "maintenance_fraction", "open_interest_lower", "open_interest_upper", "table",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TierClass:
    """How the tiers of a class of instruments are read, and their table where they have none."""

    method: str = "marginal"
    fee_ppm: int = 0
    size_factor_ppb: tuple[int, int] = (0, 0)  # of the initial and of the maintenance rate
    open_interest_e8: tuple[int, int] = (0, 0)  # lower and upper cap; an upper of 0: no lift
    rows: TierRows = ()

    @staticmethod
    def of(table: Table, where: str) -> "TierClass":
        known(table, CLASS_KEYS, where)
        fraction = table.get("maintenance_fraction")
        fraction_ppm = None if fraction is None else ratio(fraction, f"{where}.fraction")
        factors = tuple(
            ratio(table.get(name, 0), f"{where}.{name}", unit=PPB, most=4)
            for name in ("initial_size_factor", "maintenance_size_factor")
        )
        lower, upper = (
            amount(table.get(name, 0), f"{where}.{name}")
            for name in ("open_interest_lower", "open_interest_upper")
        )
        if lower > upper:
            raise ValueError(f"{where}: open_interest_lower is above open_interest_upper")
        method = table.get("method", "marginal")
        check_method(method, (factors[0], factors[1]))
        rows = tier_rows(table.get("table", ()), fraction_ppm, f"{where}.table")
        check_tiers(rows)
        fee_ppm = ratio(table.get("liquidation_fee", 0), f"{where}.liquidation_fee")
        return TierClass(method, fee_ppm, (factors[0], factors[1]), (lower, upper), rows)


@dataclass(frozen=True, slots=True)
class Collateral:
    """What counts as equity, and how far."""

    strict: bool = False  # the initial equity takes the worse of price and slow price
    profit_weight_ppm: int = PPM  # of unrealised profit, for the initial equity
    profit_cap_e8: int | None = None  # for each instrument
    haircut: Steps = ()  # of an asset that has no table of its own
    borrow_weight_ppm: int = 0  # the same

    @staticmethod
    def of(table: Table) -> "Collateral":
        names = ("strict_prices", "profit_weight", "profit_cap", "haircut", "borrow_weight")
        known(table, names, "collateral")
        cap = table.get("profit_cap")
        rows = haircut_rows(table.get("haircut", ()), "collateral.haircut")
        check_steps(rows)
        return Collateral(
            flag(table.get("strict_prices", False), "collateral.strict_prices"),
            ratio(table.get("profit_weight", 1), "collateral.profit_weight"),
            None if cap is None else amount(cap, "collateral.profit_cap"),
            rows,
            ratio(table.get("borrow_weight", 0), "collateral.borrow_weight"),
        )


@dataclass(frozen=True, slots=True)
class OptionRule:
    """Standard margin of options, and how much of what a bucket's options are worth it takes.

    Options are in the equity at their marks. Where they are worth more than nothing together, these
    shares of it are required on top: 1 counts them for nothing, 0 in full.
    """

    terms: StandardTerms
    long_initial: float = 1.0
    long_maintenance: float = 1.0

    @staticmethod
    def of(table: Table) -> "OptionRule":
        shares = {}
        for name in ("long_initial", "long_maintenance"):
            shares[name] = number(table.get(name, 1.0), f"options.{name}", 0.0)
            if shares[name] > 1:
                raise ValueError(f"options.{name} = {shares[name]} is outside 0..1")
        rest = {name: value for name, value in table.items() if name not in shares}
        return OptionRule(parameters(StandardTerms, rest), **shares)


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one venue."""

    name: str
    classes: Mapping[str, TierClass]  # DEFAULT is one of them
    collateral: Collateral
    larger_leg: bool  # of long and short rows of an instrument only the larger is charged
    order_fee_e8: int  # what each open order adds to the initial margin
    options: OptionRule | None  # None: only portfolios may hold options
    portfolio: ScenarioRule | None  # None: there are no portfolios

    @staticmethod
    def of(
        table: Table, scenario_sets: Mapping[str, Table] | None = None, name: str = ""
    ) -> "Profile":
        """The profile that a table describes; `scenario_sets` are those it may name.

        Raises ValueError, naming value and rule, on an unknown name or a number out of range.
        """
        known(table, (*PARTS, *SCENARIO_PARTS), "profile")
        tiers = known(table.get("tiers", {}), CLASS_KEYS, "tiers")
        classes = {DEFAULT: TierClass.of(tiers, "tiers")}
        for one, keys in table.get("classes", {}).items():
            known(keys, CLASS_KEYS, f"classes.{one}")
            classes[one] = TierClass.of({**tiers, **keys}, f"classes.{one}")
        positions = known(table.get("positions", {}), ("larger_leg",), "positions")
        orders = known(table.get("orders", {}), ("fee",), "orders")
        scenarios = {part: table[part] for part in SCENARIO_PARTS if part in table}
        return Profile(
            name,
            classes,
            Collateral.of(table.get("collateral", {})),
            flag(positions.get("larger_leg", False), "positions.larger_leg"),
            amount(orders.get("fee", 0), "orders.fee"),
            OptionRule.of(table["options"]) if "options" in table else None,
            ScenarioRule.of(scenarios, scenario_sets or {}) if scenarios else None,
        )

    def tiers(
        self,
        tables: Sequence[TierRows | None],
        scalars_ppm: Sequence[int],
        *,
        classes: Sequence[str] | None = None,
        open_interest_e8: Int64s | None = None,
    ) -> Tiers:
        """Tiers of instruments; a table of None is that of the instrument's class.

        `classes` names the class of each (default: DEFAULT); `open_interest_e8` [I] is the notional
        held in each market, 0 where it is not known. Raises ValueError as `Tiers.of` does, and on a
        class that is not there.
        """
        names = [DEFAULT] * len(tables) if classes is None else classes
        of_each = [self.tier_class(name) for name in names]
        held = np.zeros(len(tables), np.int64) if open_interest_e8 is None else open_interest_e8
        caps = np.array([one.open_interest_e8 for one in of_each], np.int64).reshape(-1, 2)
        return Tiers.of(
            [one.rows if rows is None else rows for rows, one in zip(tables, of_each, strict=True)],
            scalars_ppm,
            method=[one.method for one in of_each],
            size_factor_ppb=[one.size_factor_ppb for one in of_each],
            fee_ppm=[one.fee_ppm for one in of_each],
            open_interest_ppm=lift_ppm(caps[:, 0], caps[:, 1], held).tolist(),
        )

    def tier_class(self, name: str) -> TierClass:
        if name not in self.classes:
            raise ValueError(f"class {name!r} is unknown, known are {sorted(self.classes)}")
        return self.classes[name]

    def assets(
        self,
        price_e8: Int64s,
        haircuts: Sequence[Steps | None],
        borrow_weights_ppm: Sequence[int | None],
        slow_price_e8: Int64s | None = None,
    ) -> Assets:
        """Assets at their prices [A]; a table or weight of None is that of the profile."""
        own = self.collateral
        weights = [own.borrow_weight_ppm if one is None else one for one in borrow_weights_ppm]
        return Assets(
            price_e8,
            np.array(weights, np.int64),
            StepTable.of([own.haircut if one is None else one for one in haircuts]),
            slow_price_e8,
        )

    def rules(self, contracts: Contracts, tiers: Tiers, assets: Assets) -> Rules:
        """The rules in force for these tables: slow prices and profit limits as the profile says.

        Slow prices that `assets` has are left out where the profile is not strict.
        """
        collateral, count = self.collateral, len(contracts.settlement)
        weight, cap_e8 = collateral.profit_weight_ppm, collateral.profit_cap_e8
        return Rules(
            contracts,
            tiers,
            assets if collateral.strict else replace(assets, slow_price_e8=None),
            self.larger_leg,
            None if weight == PPM else np.full(count, weight, np.int64),
            None if cap_e8 is None else np.full(count, cap_e8, np.int64),
        )

    def scenario_name(self, index: int) -> str | None:
        """A worst scenario in words, None where there is none."""
        return None if self.portfolio is None else self.portfolio.name(index)
