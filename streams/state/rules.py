"""The rules in force: instruments, assets, margin tiers, each with a number that never changes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.holdings import Assets, Contracts, StepTable, Tiers
from risk.holdings import Rules as InForce
from schemas.block import Int64s
from schemas.units import E8

INVERSE = frozenset({"INVERSE_PERP", "INVERSE_FUTURE"})
Record = Mapping[str, Any]
NEVER_US = np.iinfo(np.int64).max


class Rules:
    """Instruments and assets by number, in the order in which they were first heard of.

    An asset is known by name as soon as an instrument or a record of `assets` names it; it counts
    as collateral only once a record of `assets` says at what weight.
    """

    def __init__(self) -> None:
        self.instruments: list[str] = []
        self.assets: list[str] = []
        self.number: dict[str, int] = {}
        self.asset_number: dict[str, int] = {}
        self._instrument: dict[str, Record] = {}
        self._asset: dict[str, Record] = {}
        self._params: dict[str, Record] = {}
        self._pending: list[Record] = []
        self._rebuild()

    def take_instrument(self, record: Record) -> None:
        name = record["instrument_id"]
        if name not in self.number:
            self.number[name] = len(self.instruments)
            self.instruments.append(name)
        for field in ("base", "quote", "settlement_asset"):
            self._name_asset(record[field])
        self._instrument[name] = record
        self._rebuild()

    def take_asset(self, record: Record) -> None:
        StepTable.of([_haircuts(record)])  # refuses a bad table before it is in force
        self._name_asset(record["asset"])
        self._asset[record["asset"]] = record
        self._rebuild()

    def take_risk_params(self, record: Record, clock_us: int) -> None:
        """In force from `effective_at` on the board's clock; ValueError for a bad tier table."""
        Tiers.of([_tiers(record)], [record["margin_scalar_ppm"]])
        self._pending.append(record)
        self.advance(clock_us)

    def advance(self, clock_us: int) -> None:
        """Put in force what is due at this time; a lower version never replaces a higher one."""
        due = [r for r in self._pending if r["effective_at"] <= clock_us]
        if not due:
            return
        self._pending = [r for r in self._pending if r not in due]
        for record in sorted(due, key=lambda r: (r["effective_at"], r["version"])):
            present = self._params.get(record["subject"])
            if present is None or present["version"] < record["version"]:
                self._params[record["subject"]] = record
        self._rebuild()

    def asset_price_instruments(self) -> Int64s:
        """int64[A]: the instrument that prices an asset, -1 the valuation currency, -2 unknown."""
        return self._price_instrument

    def at_prices(self, prices_e8: Int64s) -> InForce:
        """Everything the margin kernels need, with the assets at these prices (int64[A])."""
        assets = Assets(
            price_e8=prices_e8, borrow_weight_ppm=self._borrow_ppm, haircuts=self._haircuts
        )
        return InForce(self.contracts, self.tiers, assets)

    def _name_asset(self, name: str) -> None:
        if name not in self.asset_number:
            self.asset_number[name] = len(self.assets)
            self.assets.append(name)

    def _rebuild(self) -> None:
        records = [self._instrument[name] for name in self.instruments]
        self.contracts = Contracts(
            inverse=np.array([r["kind"] in INVERSE for r in records], np.bool_),
            multiplier_e8=_column(records, "multiplier_e8"),
            settlement=np.array(
                [self.asset_number[r["settlement_asset"]] for r in records], np.int64
            ),
            lot_e8=_column(records, "lot_e8"),
            tick_e8=_column(records, "tick_e8"),
        )
        self.spot: NDArray[np.bool_] = np.array([r["kind"] == "SPOT" for r in records], np.bool_)
        self.settled_us: Int64s = np.array(
            [r["event_time"] if r["status"] == "SETTLED" else NEVER_US for r in records], np.int64
        )
        """int64[I]: from when on nothing may be traded."""
        self.base = np.array([self.asset_number[r["base"]] for r in records], np.int64)
        self.quote = np.array([self.asset_number[r["quote"]] for r in records], np.int64)
        params = [self._params.get(name) for name in self.instruments]
        self.tiers = Tiers.of(
            [_tiers(p) if p else [] for p in params],
            [p["margin_scalar_ppm"] if p else 0 for p in params],
        )
        self._rebuild_assets()

    def _rebuild_assets(self) -> None:
        records = [self._asset.get(name) for name in self.assets]
        self._haircuts = StepTable.of([_haircuts(r) if r else [(0, 1_000_000)] for r in records])
        self._borrow_ppm = np.array([r["borrow_weight_ppm"] if r else 0 for r in records], np.int64)
        self._price_instrument = np.array([self._pricer(r) if r else -2 for r in records], np.int64)

    def _pricer(self, record: Record) -> int:
        name = record["price_instrument_id"]
        return -1 if name is None else self.number.get(name, -2)

    def asset_prices(self, marks_e8: Int64s) -> Int64s:
        """int64[A] prices of the assets at these marks (int64[I]); 0 where there is none."""
        pricer = self._price_instrument
        prices = np.zeros(len(pricer), np.int64)
        by_mark = pricer >= 0
        prices[by_mark] = marks_e8[pricer[by_mark]]
        prices[pricer == -1] = E8
        return prices


def _column(records: list[Record], field: str) -> Int64s:
    return np.array([record[field] for record in records], np.int64)


def _haircuts(record: Record) -> list[tuple[int, int]]:
    return [(tier["floor_e8"], tier["haircut_ppm"]) for tier in record["haircut_tiers"]]


def _tiers(record: Record) -> list[tuple[int, int, int]]:
    return [
        (tier["floor_e8"], tier["initial_ppm"], tier["maintenance_ppm"]) for tier in record["tiers"]
    ]
