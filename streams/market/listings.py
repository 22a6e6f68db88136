"""What the exchange lists: contracts and pairs, collateral assets, and their opening records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from schemas.units import E8, PPM
from streams.market.events import ASSETS, INSTRUMENTS, RISK_PARAMS, Event
from streams.market.exact import divide_e8, multiply_e8

VALUATION_ASSET = "USDT"
SPOT = "SPOT"
INVERSE_PERP = "INVERSE_PERP"
LINEAR_PERP = "LINEAR_PERP"
OPTION = "OPTION"
PERPETUALS = frozenset({LINEAR_PERP, INVERSE_PERP})

Tiers = tuple[tuple[int, int, int], ...]
Haircuts = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument and what the simulation needs to know of it.

    `tiers` are (floor in USDT, initial ppm, maintenance ppm); `daily_volume_usd` sets how deep the
    book is and how popular the instrument; `first_price_e8` is its price when it starts.
    """

    instrument_id: str
    kind: str
    base: str
    quote: str
    settlement_asset: str
    multiplier_e8: int
    tick_e8: int
    lot_e8: int
    first_price_e8: int
    daily_volume_usd: float
    tiers: Tiers
    strike_e8: int | None = None
    expiry_us: int | None = None
    option_type: str | None = None
    underlying: str | None = None

    @property
    def tradable(self) -> bool:
        """Pairs only price collateral here."""
        return self.kind != SPOT

    def value_e8(self, quantity_e8: int, price_e8: int) -> int:
        """Quantity x unit value in the settlement asset, exact, half away from zero."""
        size_e8 = multiply_e8(quantity_e8, self.multiplier_e8)
        if self.kind == INVERSE_PERP:
            return -divide_e8(size_e8, price_e8)
        return multiply_e8(size_e8, price_e8)

    def contract_usd(self, price_e8: int) -> float:
        """Notional of one contract in the valuation currency; of an option that of its strike."""
        if self.strike_e8 is not None:
            price_e8 = self.strike_e8
        if self.kind == INVERSE_PERP:
            return self.multiplier_e8 / E8
        return self.multiplier_e8 / E8 * (price_e8 / E8)

    def with_volume(self, daily_volume_usd: float) -> "Listing":
        return replace(self, daily_volume_usd=daily_volume_usd)

    def initial_rate(self, notional_usd: float) -> float:
        """Initial margin rate of the tier that a notional falls into (not below its marginal)."""
        rate = 0
        for floor, initial_ppm, _ in self.tiers:
            if notional_usd < floor:
                break
            rate = initial_ppm
        return rate / PPM


@dataclass(frozen=True, slots=True)
class Asset:
    """A collateral asset; `haircuts` are (floor in USDT, ppm), `appeal` how often it is held."""

    name: str
    price_instrument_id: str | None
    haircuts: Haircuts
    borrow_weight_ppm: int
    appeal: float


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All listings and assets by name."""

    listings: Mapping[str, Listing]
    assets: Mapping[str, Asset]

    def tradable(self) -> list[Listing]:
        return [listing for listing in self.listings.values() if listing.tradable]

    def settlement_coins(self) -> list[str]:
        """Settlement assets other than the valuation currency, in order of listing."""
        names = dict.fromkeys(listing.settlement_asset for listing in self.listings.values())
        return [name for name in names if name != VALUATION_ASSET and name in self.assets]

    def asset_price_e8(self, asset: str, marks_e8: Mapping[str, int]) -> int:
        """Price of an asset in the valuation currency; its first price where it has no mark."""
        instrument_id = self.assets[asset].price_instrument_id
        if instrument_id is None:
            return E8
        return marks_e8.get(instrument_id) or self.listings[instrument_id].first_price_e8


def listing_events(catalogue: Catalogue, now_us: int) -> Iterator[Event]:
    """The records that open the exchange: instruments, then assets, then risk parameters."""
    for listing in catalogue.listings.values():
        yield instrument_event(listing, now_us)
    for asset in catalogue.assets.values():
        yield Event(ASSETS, asset.name, _asset(asset, now_us))
    for listing in catalogue.listings.values():
        if listing.kind == OPTION:
            continue  # their margin follows from the profile, not from tiers
        yield Event(RISK_PARAMS, listing.instrument_id, _risk_params(listing, now_us))


def instrument_event(listing: Listing, now_us: int, status: str = "ACTIVE") -> Event:
    """What an instrument is, and what may still be done with it."""
    record = {
        "event_time": now_us,
        "instrument_id": listing.instrument_id,
        "kind": listing.kind,
        "base": listing.base,
        "quote": listing.quote,
        "settlement_asset": listing.settlement_asset,
        "multiplier_e8": listing.multiplier_e8,
        "tick_e8": listing.tick_e8,
        "lot_e8": listing.lot_e8,
        "strike_e8": listing.strike_e8,
        "expiry": listing.expiry_us,
        "option_type": listing.option_type,
        "underlying": listing.underlying,
        "status": status,
    }
    return Event(INSTRUMENTS, listing.instrument_id, record)


def _asset(asset: Asset, now_us: int) -> dict[str, object]:
    return {
        "event_time": now_us,
        "asset": asset.name,
        "price_instrument_id": asset.price_instrument_id,
        "haircut_tiers": [
            {"floor_e8": floor * E8, "haircut_ppm": ppm} for floor, ppm in asset.haircuts
        ],
        "borrow_weight_ppm": asset.borrow_weight_ppm,
    }


def _risk_params(listing: Listing, now_us: int) -> dict[str, object]:
    return {
        "event_time": now_us,
        "subject": listing.instrument_id,
        "version": 1,
        "effective_at": now_us,
        "reason": "listing",
        "tier_method": "MARGINAL",
        "tiers": [
            {"floor_e8": floor * E8, "initial_ppm": initial, "maintenance_ppm": maintenance}
            for floor, initial, maintenance in listing.tiers
        ],
        "margin_scalar_ppm": PPM,
        "fee_ppm": 0,
        "open_interest_ppm": 0,
        "initial_size_factor_ppb": 0,
        "maintenance_size_factor_ppb": 0,
    }
