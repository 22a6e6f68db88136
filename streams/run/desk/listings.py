"""The assets and instruments of a document, checked, as columns."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from risk.holdings import Contracts, Terms
from risk.tables import Steps, TierRows, check_steps, check_tiers
from schemas.units import E8, PPM, Int64s
from streams.run.desk.fields import Field

PERPETUALS = ("LINEAR_PERP", "INVERSE_PERP")
FUTURES = ("LINEAR_FUTURE", "INVERSE_FUTURE")
INVERSE = ("INVERSE_PERP", "INVERSE_FUTURE")
KINDS = (*PERPETUALS, *FUTURES, "OPTION", "SPOT")
REQUIRED = ("instrument_id", "kind", "base", "settlement_asset", "mark")
OPTIONAL = ("index", "multiplier")
TIERED = ("underlying", "tiers", "tier_class", "margin_scalar", "open_interest", "spot_range")
BY_KIND = {
    "OPTION": (("strike", "expiry", "option_type", "underlying"), ("volatility", "rate")),
    "SPOT": ((), ("spot_range",)),
    **dict.fromkeys(PERPETUALS, ((), TIERED)),
    **dict.fromkeys(FUTURES, (("expiry",), TIERED)),
}
BY_ANY_KIND = tuple(sorted({name for both in BY_KIND.values() for one in both for name in one}))
SIDES = {"CALL": 1, "PUT": -1}
LARGEST_SCALAR = 100


class Listing(NamedTuple):
    """An instrument as it is written."""

    kind: str
    base: str
    settlement: int
    mark_e8: int
    index_e8: int
    multiplier_e8: int
    underlying: Field | None
    side: int
    strike_e8: int
    expiry_us: int
    volatility: float
    rate: float
    spot_range: float
    tiers: TierRows | None  # None: those of its class
    tier_class: Field | None
    scalar_ppm: int
    open_interest_e8: int


@dataclass(frozen=True, slots=True)
class Instruments:
    """The instruments in the order of the document."""

    names: dict[str, int]  # name to row
    listings: tuple[Listing, ...]
    contracts: Contracts
    terms: Terms

    @staticmethod
    def of(field: Field, assets: dict[str, int]) -> "Instruments":
        names: dict[str, int] = {}
        listings = []
        for one in field.items():
            members = _members(one)
            _enter(names, members["instrument_id"])
            listings.append(_listing(members, assets))
        contracts = Contracts(
            inverse=np.array([one.kind in INVERSE for one in listings], np.bool_),
            multiplier_e8=column([one.multiplier_e8 for one in listings]),
            settlement=column([one.settlement for one in listings]),
            lot_e8=np.ones(len(listings), np.int64),
            tick_e8=np.ones(len(listings), np.int64),
        )
        terms = Terms(
            underlying=column(_underlyings(listings, names)),
            side=column([one.side for one in listings]),
            strike_e8=column([one.strike_e8 for one in listings]),
            expiry_us=column([one.expiry_us for one in listings]),
        )
        return Instruments(names, tuple(listings), contracts, terms)


@dataclass(frozen=True, slots=True)
class AssetList:
    """The assets in the order of the document."""

    names: dict[str, int]  # name to row
    fixed_e8: Int64s  # [A] price, where no instrument gives it
    slow_e8: Int64s  # [A] 0: the price
    borrow_ppm: tuple[int | None, ...]  # None: the profile's
    haircuts: tuple[Steps | None, ...]  # None: the profile's
    priced_by: tuple[Field | None, ...]

    @staticmethod
    def of(field: Field) -> "AssetList":
        names: dict[str, int] = {}
        rows = []
        optional = ("price", "price_instrument_id", "slow_price", "haircuts", "borrow_weight")
        for one in field.items():
            members = one.table(("asset",), optional)
            _enter(names, members["asset"])
            if ("price" in members) == ("price_instrument_id" in members):
                one.fail("must have one of price and price_instrument_id")
            fixed = members.get("price")
            slow, borrow = members.get("slow_price"), members.get("borrow_weight")
            rows.append(
                (
                    0 if fixed is None else fixed.amount_e8(1),
                    0 if slow is None else slow.amount_e8(1),
                    None if borrow is None else borrow.rate_ppm(),
                    _haircuts(members.get("haircuts")),
                    members.get("price_instrument_id"),
                )
            )
        fixed_e8, slow_e8, *rest = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return AssetList(names, column(list(fixed_e8)), column(list(slow_e8)), *rest)

    def pricers(self, instruments: Instruments) -> Int64s:
        """int64[A]: the instrument whose mark is the price, -1 where it is fixed."""
        rows = []
        for field in self.priced_by:
            row = -1 if field is None else find(field, instruments.names, "instruments")
            if field is not None and instruments.listings[row].kind == "OPTION":
                field.fail("is an option, which prices no asset")
            rows.append(row)
        return column(rows)


def column(values: list[int]) -> Int64s:
    return np.array(values, np.int64)


def find(field: Field, names: dict[str, int], where: str) -> int:
    """Row of what a text names; BookError where it is not listed."""
    name = field.text()
    if name not in names:
        field.fail(f"is not in {where}")
    return names[name]


def _enter(names: dict[str, int], field: Field) -> None:
    name = field.text()
    if name in names:
        field.fail("is listed twice")
    names[name] = len(names)


def _members(field: Field) -> dict[str, Field]:
    """The members of an instrument, those that its kind asks for and allows."""
    members = field.table(REQUIRED, (*OPTIONAL, *BY_ANY_KIND))
    kind = members["kind"].choice(KINDS)
    required, optional = BY_KIND[kind]
    for name in required:
        if name not in members:
            field.fail(f"of kind {kind} needs {name}")
    for name, member in members.items():
        if name in BY_ANY_KIND and name not in (*required, *optional):
            member.fail(f"is not for kind {kind}")
    return members


def _listing(members: dict[str, Field], assets: dict[str, int]) -> Listing:
    kind, side = members["kind"].choice(KINDS), members.get("option_type")

    def amount(name: str, default_e8: int, least_e8: int = 1) -> int:
        return members[name].amount_e8(least_e8) if name in members else default_e8

    volatility_e8, expiry = amount("volatility", 0), members.get("expiry")
    rate = members.get("rate")
    scalar, spot_range = members.get("margin_scalar"), members.get("spot_range")
    if tier_class := members.get("tier_class"):
        tier_class.text()  # wrong in itself, whatever profile it is for
    return Listing(
        kind=kind,
        base=members["base"].text(),
        settlement=find(members["settlement_asset"], assets, "assets"),
        mark_e8=amount("mark", 0, 0 if kind == "OPTION" else 1),
        index_e8=amount("index", 0),
        multiplier_e8=amount("multiplier", E8),
        underlying=members.get("underlying"),
        side=SIDES[side.choice(tuple(SIDES))] if side else 0,
        strike_e8=amount("strike", 0),
        expiry_us=expiry.time_us() if expiry else 0,
        volatility=volatility_e8 / E8 if volatility_e8 else np.nan,
        rate=rate.rate_ppm(least=-1) / PPM if rate else 0.0,
        spot_range=spot_range.rate_ppm() / PPM if spot_range else np.nan,
        tiers=_tiers(members.get("tiers")),
        tier_class=tier_class,
        scalar_ppm=scalar.rate_ppm(LARGEST_SCALAR) if scalar else PPM,
        open_interest_e8=amount("open_interest", 0, 0),
    )


def _underlyings(listings: list[Listing], names: dict[str, int]) -> list[int]:
    """Row of the underlying of each: itself where it names none."""
    rows = []
    for row, listing in enumerate(listings):
        if listing.underlying is None:
            rows.append(row)
            continue
        underlying = find(listing.underlying, names, "instruments")
        of_it = listings[underlying].underlying
        if of_it is not None and of_it.value != listing.underlying.value:
            listing.underlying.fail(f"is itself written on {of_it.value}")
        if listings[underlying].kind == "OPTION":
            listing.underlying.fail("is an option")
        rows.append(underlying)
    return rows


def _tiers(field: Field | None) -> TierRows | None:
    if field is None:
        return None
    rows = []
    if not field.items():
        field.fail("is empty")
    for item in field.items():
        floor, initial, maintenance = item.row(("floor", "initial", "maintenance"))
        rows.append((floor.amount_e8(0), initial.rate_ppm(), maintenance.rate_ppm()))
    try:
        check_tiers(rows)
    except ValueError as error:
        field.fail(f"is no table of tiers: {error}")
    return rows


def _haircuts(field: Field | None) -> Steps | None:
    if field is None:
        return None
    rows = []
    for item in field.items():
        floor, rate = item.row(("floor", "rate"))
        rows.append((floor.amount_e8(0), rate.rate_ppm()))
    try:
        check_steps(rows)
    except ValueError as error:
        field.fail(f"is no table of haircuts: {error}")
    return rows
