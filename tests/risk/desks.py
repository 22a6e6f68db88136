"""A small market and its accounts, written by name, as the columns of an evaluation."""

from dataclasses import dataclass, field, replace
from math import nan

import numpy as np

from risk.evaluation import Book, Evaluation, Kind, Market, OpenOrders, evaluate, liquidation_prices
from risk.holdings import Balances, Contracts, Positions, Rules, Terms
from risk.profile import DEFAULT, Profile
from risk.tables import TierRows
from risk.valuation import contract_value
from schemas.units import E8, PPM, Floats, e8_nearest

NOW_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000


def e8s(*values: float) -> np.ndarray:
    return np.array([e8_nearest(value) for value in values], np.int64)


@dataclass(frozen=True)
class Listed:
    """An instrument; a class of tiers or rows of its own."""

    mark: float
    underlying: str = ""  # its own
    side: int = 0
    strike: float = 0.0
    days: float = 0.0
    inverse: bool = False
    multiplier: float = 1.0
    settlement: str = "USD"
    volatility: float = nan
    rate: float = 0.0
    tiers: TierRows | None = None
    tier_class: str = DEFAULT
    open_interest: float = 0.0
    index: float = 0.0


@dataclass(frozen=True)
class Asset:
    """An asset; the valuation currency where it has no pricer."""

    price: float = 1.0
    pricer: str = ""
    haircut: tuple[tuple[int, int], ...] | None = None  # None: the profile's
    slow: float | None = None


@dataclass
class Desk:
    """Everything by name; positions are opened at the mark unless a price is given."""

    profile: Profile
    listed: dict[str, Listed]
    assets: dict[str, Asset] = field(default_factory=lambda: {"USD": Asset(haircut=())})
    kinds: list[Kind] = field(default_factory=lambda: [Kind.CROSS])
    positions: list[tuple[int, str, float, float | None]] = field(default_factory=list)
    balances: list[tuple[int, str, float]] = field(default_factory=list)
    orders: list[tuple[int, str, float, float, int]] | None = None
    moves: Floats | None = None

    def row(self, name: str) -> int:
        return list(self.listed).index(name)

    def forward(self, name: str) -> float:
        """The future of an option's expiry, else its underlying."""
        one = self.listed[name]
        for future in self.listed.values():
            if (future.days, future.underlying, future.side) == (one.days, one.underlying, 0):
                return future.mark
        return self.listed[one.underlying].mark

    def terms(self) -> Terms:
        rows = list(self.listed.items())
        return Terms(
            np.array([self.row(one.underlying or name) for name, one in rows], np.int64),
            np.array([one.side for _, one in rows], np.int64),
            e8s(*(one.strike for _, one in rows)),
            np.array(
                [NOW_US + round(one.days * DAY_US) if one.days else 0 for _, one in rows], np.int64
            ),
        )

    def market(self) -> Market:
        rows = list(self.listed.values())
        return Market(
            e8s(*(one.mark for one in rows)),
            e8s(*(one.index for one in rows)),
            np.array([one.volatility for one in rows]),
            NOW_US,
            np.array(
                [self.row(one.pricer) if one.pricer else -1 for one in self.assets.values()],
                np.int64,
            ),
            rate=np.array([one.rate for one in rows]),
            moves=self.moves,
        )

    def rules(self) -> Rules:
        rows, names = list(self.listed.values()), list(self.assets)
        every = np.ones(len(rows), np.int64)
        contracts = Contracts(
            np.array([one.inverse for one in rows], np.bool_),
            e8s(*(one.multiplier for one in rows)),
            np.array([names.index(one.settlement) for one in rows], np.int64),
            every,
            every,
        )
        tiers = self.profile.tiers(
            [[] if one.side else one.tiers for one in rows],
            [PPM] * len(rows),
            classes=[one.tier_class for one in rows],
            open_interest_e8=e8s(*(one.open_interest for one in rows)),
        )
        held = list(self.assets.values())
        assets = self.profile.assets(
            e8s(*(one.price for one in held)),
            [one.haircut for one in held],
            [None] * len(held),
            e8s(*(one.price if one.slow is None else one.slow for one in held)),
        )
        return self.profile.rules(contracts, tiers, assets)

    def book(self) -> Book:
        names = list(self.assets)
        held = [
            (bucket, self.row(name), e8_nearest(quantity), self._cost(name, quantity, price))
            for bucket, name, quantity, price in self.positions
        ]
        owned = [(b, names.index(asset), e8_nearest(amount)) for b, asset, amount in self.balances]
        orders = None
        if self.orders is not None:
            rows = [
                (bucket, self.row(name), e8_nearest(bids), e8_nearest(asks), count)
                for bucket, name, bids, asks, count in self.orders
            ]
            orders = OpenOrders(*np.array(rows, np.int64).reshape(-1, 5).T)
        return Book(
            Positions(*np.array(held, np.int64).reshape(-1, 4).T),
            Balances(*np.array(owned, np.int64).reshape(-1, 3).T),
            np.array(self.kinds, np.int64),
            orders,
        )

    def _cost(self, name: str, quantity: float, price: float | None) -> int:
        one = self.listed[name]
        value, _ = contract_value(
            np.array([one.inverse]),
            e8s(one.multiplier),
            e8s(quantity),
            e8s(one.mark if price is None else price),
        )
        return int(value[0])

    def evaluate(self) -> Evaluation:
        return evaluate(self.book(), self.market(), self.rules(), self.terms(), self.profile)

    def liquidation_prices(self) -> Floats:
        given = (self.book(), self.market(), self.rules(), self.terms(), self.profile)
        return liquidation_prices(*given, evaluation=evaluate(*given))

    def excess(self) -> tuple[float, float]:
        """Equity less initial, and less maintenance margin, of the first bucket."""
        state = self.evaluate().state
        return (
            float(state.initial_equity_e8[0] - state.initial_margin_e8[0]) / E8,
            float(state.equity_e8[0] - state.maintenance_margin_e8[0]) / E8,
        )

    def with_(self, **changes: object) -> "Desk":
        return replace(self, **changes)
