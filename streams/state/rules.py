"""The rules in force: instruments, assets, margin tiers, each with a number that never changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.holdings import Assets, Contracts, StepTable, Terms, Tiers
from risk.holdings import Rules as InForce
from risk.profile import Profile
from schemas.block import Int64s
from schemas.spans import Spans
from schemas.units import E8, PPM
from streams.state.name_table import NameTable

INVERSE = frozenset({"INVERSE_PERP", "INVERSE_FUTURE"})
Record = Mapping[str, Any]
OPTION_SIDE = {"CALL": 1, "PUT": -1}
NO_PARAMS: Record = {
    "tiers": [], "margin_scalar_ppm": PPM, "tier_method": "MARGINAL", "fee_ppm": 0,
    "open_interest_ppm": 0, "initial_size_factor_ppb": 0, "maintenance_size_factor_ppb": 0,
}  # fmt: skip
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
        self.instrument_table = NameTable()
        """The numbers once more, as rows: for names that are no texts yet."""
        self.asset_table = NameTable()
        self._instrument: dict[str, Record] = {}
        self._asset: dict[str, Record] = {}
        self._params: dict[str, Record] = {}
        self._pending: list[Record] = []
        self.revision = 0
        """Grows whenever what is in force changes."""
        self._rebuild()

    def take_instrument(self, record: Record) -> None:
        name = record["instrument_id"]
        if name not in self.number:
            self.number[name] = self.instrument_table.row(name)
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
        _tiers_of([record])
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

    def at_prices(self, prices_e8: Int64s, slow_e8: Int64s, profile: Profile) -> InForce:
        """Everything the margin kernels need, with the assets at these prices (int64[A] each)."""
        slow_e8 = np.where(slow_e8 > 0, slow_e8, prices_e8)
        assets = Assets(prices_e8, self._borrow_ppm, self._haircuts, slow_e8)
        return profile.rules(self.contracts, self.tiers, assets)

    def _name_asset(self, name: str) -> None:
        if name not in self.asset_number:
            self.asset_number[name] = self.asset_table.row(name)
            self.assets.append(name)

    def _rebuild(self) -> None:
        self.revision += 1
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
        self.tiers = _tiers_of(params)
        names = [name.encode() for name in self.instruments]
        self.instrument_names, self.pool_names = Spans.of(names), Spans.of([b"cross", *names])
        self.terms = self._terms(records)
        self._rebuild_assets()

    def _terms(self, records: list[Record]) -> Terms:
        """What each is written on; options on what is not listed yet stand on themselves."""
        underlying = [self.number.get(r["underlying"] or "", i) for i, r in enumerate(records)]
        return Terms(
            np.array(underlying, np.int64),
            np.array([OPTION_SIDE.get(r["option_type"], 0) for r in records], np.int64),
            np.array([r["strike_e8"] or 0 for r in records], np.int64),
            np.array([r["expiry"] or 0 for r in records], np.int64),
        )

    def _rebuild_assets(self) -> None:
        records = [self._asset.get(name) for name in self.assets]
        self.asset_names = Spans.of([name.encode() for name in self.assets])
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


def _tiers_of(params: Sequence[Record | None]) -> Tiers:
    """Tiers of instruments, none where there are no parameters; ValueError for a bad table."""
    given = [one or NO_PARAMS for one in params]
    factors = ("initial_size_factor_ppb", "maintenance_size_factor_ppb")
    return Tiers.of(
        [_tiers(one) for one in given],
        [one["margin_scalar_ppm"] for one in given],
        method=[one["tier_method"].lower() for one in given],
        size_factor_ppb=[(one[factors[0]], one[factors[1]]) for one in given],
        fee_ppm=[one["fee_ppm"] for one in given],
        open_interest_ppm=[one["open_interest_ppm"] for one in given],
    )


def _tiers(record: Record) -> list[tuple[int, int, int]]:
    return [
        (tier["floor_e8"], tier["initial_ppm"], tier["maintenance_ppm"]) for tier in record["tiers"]
    ]
