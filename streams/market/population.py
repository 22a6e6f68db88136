"""Who trades: accounts with heavy-tailed wealth and leverage, and a few large market makers."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streams.market.listings import LINEAR_PERP, OPTION, VALUATION_ASSET, Catalogue, Listing

POOREST_USD = 100.0
RICHEST_USD = 10_000_000.0
WEALTH_TAIL = 0.8
"""Exponent of the bounded Pareto distribution: the richest percent owns most of the wealth."""
MEDIAN_LEVERAGE = 7.0
LEVERAGE_SPREAD = 0.85
MOST_LEVERAGE = 100.0
RECKLESS_SHARE = 0.03
ISOLATED_SHARE = 0.3
LONG_SHARE = 0.65
MOST_FAVOURITES = 4
PORTFOLIO_SHARE = 0.2
OPTIONS_SHARE = 0.1
"""Of the accounts that are not isolated: margined as a portfolio, and others that trade options."""
MOST_OPTIONS = 5
MOST_PORTFOLIO_LEVERAGE = 4.0
"""Scenarios move prices by a sixth."""


@dataclass(frozen=True, slots=True)
class Trader:
    """One account and its habits.

    `mix` are shares of the wealth by asset, summing to 1; `long_bias` is the chance that a new
    position is long; `activity` weighs how often it trades; `answers_calls` and `withdraws` are
    chances; `favourites` are the instruments it trades, the first one most.
    """

    account_id: str
    wealth_usd: float
    leverage: float
    isolated: bool
    mix: Mapping[str, float]
    long_bias: float
    activity: float
    answers_calls: float
    withdraws: float
    favourites: tuple[str, ...]
    portfolio: bool = False

    @property
    def mode(self) -> str:
        return "ISOLATED" if self.isolated else "PORTFOLIO" if self.portfolio else "CROSS"


@dataclass(frozen=True, slots=True)
class Population:
    """Traders in the order of their ids, and the ids of the market makers."""

    traders: tuple[Trader, ...]
    makers: tuple[str, ...]


def populate(catalogue: Catalogue, *, seed: int, accounts: int, makers: int) -> Population:
    """The same catalogue, seed and counts give the same population."""
    rng = random.Random(f"{seed}/population")
    casting = _Casting(catalogue, rng)
    options = [each.instrument_id for each in catalogue.tradable() if each.kind == OPTION]
    tastes = random.Random(f"{seed}/options")
    traders = [casting.trader(f"acc-{number:06d}") for number in range(1, accounts + 1)]
    return Population(
        traders=tuple(_with_options(trader, options, tastes) for trader in traders),
        makers=tuple(f"mm-{number:02d}" for number in range(1, makers + 1)),
    )


def _with_options(trader: Trader, options: list[str], rng: random.Random) -> Trader:
    """The same trader, perhaps with a taste for options."""
    if not options or trader.isolated:
        return trader
    portfolio = rng.random() < PORTFOLIO_SHARE
    if not portfolio and rng.random() >= OPTIONS_SHARE:
        return trader
    liked = rng.sample(options, k=min(rng.randint(2, MOST_OPTIONS), len(options)))
    favourites = (*trader.favourites[:1], *liked, *trader.favourites[1:])
    leverage = min(trader.leverage, MOST_PORTFOLIO_LEVERAGE) if portfolio else trader.leverage
    return replace(trader, portfolio=portfolio, favourites=favourites, leverage=leverage)


class _Casting:
    def __init__(self, catalogue: Catalogue, rng: random.Random) -> None:
        self._rng = rng
        self._others = [each for each in catalogue.assets.values() if each.name != VALUATION_ASSET]
        self._listings = [each for each in catalogue.tradable() if each.kind != OPTION]
        self._weights = [each.daily_volume_usd**0.5 for each in self._listings]

    def trader(self, account_id: str) -> Trader:
        rng = self._rng
        isolated = rng.random() < ISOLATED_SHARE
        mix = self._mix()
        return Trader(
            account_id=account_id,
            wealth_usd=self._wealth(),
            leverage=self._leverage(),
            isolated=isolated,
            mix=mix,
            long_bias=min(max(rng.gauss(LONG_SHARE, 0.25), 0.02), 0.98),
            activity=rng.lognormvariate(0.0, 1.0),
            answers_calls=rng.choice((0.0, 0.2, 0.5, 0.9)),
            withdraws=rng.choice((0.0, 0.0, 0.01, 0.05)),
            favourites=self._favourites(mix),
        )

    def _wealth(self) -> float:
        """Bounded Pareto by inversion of its distribution function."""
        ratio = (POOREST_USD / RICHEST_USD) ** WEALTH_TAIL
        survivors = 1.0 - self._rng.random() * (1.0 - ratio)
        return POOREST_USD * float(survivors ** (-1.0 / WEALTH_TAIL))

    def _leverage(self) -> float:
        rng = self._rng
        if rng.random() < RECKLESS_SHARE:
            return rng.uniform(40.0, MOST_LEVERAGE)
        habit = MEDIAN_LEVERAGE * rng.lognormvariate(0.0, LEVERAGE_SPREAD)
        return min(max(habit, 1.0), MOST_LEVERAGE)

    def _mix(self) -> dict[str, float]:
        rng = self._rng
        appeal = min(1.0, 2.0 / max(len(self._others), 1))
        held = {
            each.name: rng.uniform(0.2, 0.8)
            for each in self._others
            if rng.random() < each.appeal * appeal
        }
        shares = {VALUATION_ASSET: rng.uniform(0.4, 1.2), **held}
        total = sum(shares.values())
        return {asset: share / total for asset, share in shares.items()}

    def _favourites(self, mix: Mapping[str, float]) -> tuple[str, ...]:
        """Instruments whose settlement asset the account holds, by popularity."""
        rng = self._rng
        usable = [self._usable(each, mix) for each in self._listings]
        weights = [weight * use for weight, use in zip(self._weights, usable, strict=True)]
        drawn = rng.choices(self._listings, weights, k=rng.randint(1, MOST_FAVOURITES))
        return tuple(dict.fromkeys(each.instrument_id for each in drawn))

    def _usable(self, listing: Listing, mix: Mapping[str, float]) -> float:
        if listing.kind == LINEAR_PERP:
            return 1.0
        return 3.0 if listing.settlement_asset in mix else 0.0
