"""Seeded prices: a common factor, jumps and regimes, with a crash at a set time."""

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from streams.market.exact import nearest_tick
from streams.market.listings import OPTION, SPOT, Catalogue, Listing
from streams.market.options import option_price_e8, volatility

START_US = 1_736_121_600_000_000
"""2025-01-06T00:00:00Z."""


class Step(NamedTuple):
    """Prices (e8, on tick) that became known at a time, before the market's own impact."""

    event_time_us: int
    prices_e8: Mapping[str, int]
    volatilities: Mapping[str, float] = {}
    """Of the options: implied by their prices, annual."""


PricePath = Iterable[Step]
"""Seeded or recorded: at least one step, times ascending."""


@dataclass(frozen=True, slots=True)
class Regime:
    """`volatility` of the common factor per square root of a second; jumps per second and size."""

    volatility: float
    jumps_per_s: float
    jump_size: float
    mean_s: float


CALM = Regime(1.5e-4, 1 / 300, 1.5e-3, 300.0)
TURBULENT = Regime(5e-4, 1 / 90, 4e-3, 120.0)
CRASH = Regime(8e-4, 1 / 30, 5e-3, math.inf)


@dataclass(frozen=True, slots=True)
class Dynamics:
    """A coin's sensitivity to the common factor, its own noise relative to it, and the pull
    back to where it began, per second."""

    beta: float
    own: float
    pull_per_s: float = 0.0


COINS = {
    "BTC": Dynamics(0.97, 0.25),
    "ETH": Dynamics(1.03, 0.4),
    "SOL": Dynamics(1.2, 0.6),
    "XRP": Dynamics(1.15, 0.7),
    "DOGE": Dynamics(1.3, 0.8),
    "LINK": Dynamics(1.25, 0.7),
    "AVAX": Dynamics(1.35, 0.7),
    "USDC": Dynamics(0.0, 0.05, 0.02),
}
OTHER_COIN = Dynamics(1.2, 0.7)
BASIS_NOISE = 1e-4
BASIS_PULL_PER_S = 0.1
REBOUND_S = 90.0
GAP_SHARE = 0.1
"""Of the fall, what comes at once: nobody trades on the way."""


class Crash:
    """The scripted part of a crash: a fall of 25 to 30 %, a gap in it, then a partial rebound."""

    def __init__(self, rng: random.Random, at_s: float | None, fall_s: float) -> None:
        self.at_s = math.inf if at_s is None else at_s
        self.fall_s = fall_s * rng.uniform(0.9, 1.1)
        self._depth = math.log1p(-rng.uniform(0.26, 0.29))
        self._rebound = rng.uniform(0.25, 0.4)
        self._gap_s = self.at_s + self.fall_s * rng.uniform(0.4, 0.7)

    @property
    def bottom_s(self) -> float:
        return self.at_s + self.fall_s

    def level(self, now_s: float) -> float:
        """Log displacement of the common factor at a time."""
        fall = (1 - GAP_SHARE) * _smooth((now_s - self.at_s) / self.fall_s)
        fall += GAP_SHARE if now_s >= self._gap_s else 0.0
        back = _smooth((now_s - self.bottom_s) / REBOUND_S)
        return self._depth * (fall - self._rebound * back)


class SeededPath:
    """Time steps of a catalogue's prices: the same seed gives the same steps.

    `step_us` is the distance of steps; `crash_at_s` (None: never) and `duration_s` (None: without
    end) count from START_US.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        seed: int,
        step_us: int = 250_000,
        crash_at_s: float | None = 60.0,
        fall_s: float = 70.0,
        duration_s: float | None = None,
    ) -> None:
        self._listings = list(catalogue.listings.values())
        self._rng = random.Random(f"{seed}/paths")
        self._step_us = step_us
        self._crash = Crash(self._rng, crash_at_s, fall_s)
        self._duration_s = math.inf if duration_s is None else duration_s
        self._regime = CALM
        self._coins = {listing.base: 0.0 for listing in self._listings}
        self._basis = {
            each.instrument_id: 0.0 for each in self._listings if each.kind not in (SPOT, OPTION)
        }
        self._options = [each for each in self._listings if each.kind == OPTION]
        self._first_e8 = {each.instrument_id: each.first_price_e8 for each in self._listings}

    def __iter__(self) -> Iterator[Step]:
        step, step_s = 0, self._step_us / 1e6
        while step * step_s <= self._duration_s:
            if step:
                self._advance(step * step_s, step_s)
            yield self._step(START_US + step * self._step_us)
            step += 1

    def _step(self, now_us: int) -> Step:
        prices = {
            each.instrument_id: self._price_e8(each)
            for each in self._listings
            if each.kind != OPTION
        }
        volatilities = {}
        for each in self._options:
            if each.expiry_us is not None and now_us < each.expiry_us:
                level = self._coins[each.base]
                forward_e8 = self._first_e8[each.underlying or ""] * math.exp(level)
                sigma = volatility(each, forward_e8, level)
                volatilities[each.instrument_id] = sigma
                prices[each.instrument_id] = option_price_e8(each, forward_e8, sigma, now_us)
        return Step(now_us, prices, volatilities)

    def _advance(self, now_s: float, step_s: float) -> None:
        rng, regime = self._rng, self._next_regime(now_s, step_s)
        spread = regime.volatility * math.sqrt(step_s)
        common = rng.gauss(0.0, spread)
        if rng.random() < regime.jumps_per_s * step_s:
            common += rng.gauss(0.0, regime.jump_size)
        common += self._crash.level(now_s) - self._crash.level(now_s - step_s)
        for coin, level in self._coins.items():
            dynamics = COINS.get(coin, OTHER_COIN)
            move = dynamics.beta * common + rng.gauss(0.0, dynamics.own * spread)
            self._coins[coin] = level * (1 - dynamics.pull_per_s * step_s) + move
        noise = BASIS_NOISE * math.sqrt(step_s)
        for instrument_id, basis in self._basis.items():
            kept = basis * (1 - BASIS_PULL_PER_S * step_s)
            self._basis[instrument_id] = kept + rng.gauss(0.0, noise)

    def _next_regime(self, now_s: float, step_s: float) -> Regime:
        """Calm until the crash, turbulent right after it, then switching at random."""
        if now_s >= self._crash.bottom_s > now_s - step_s:
            self._regime = TURBULENT
        elif self._crash.at_s <= now_s < self._crash.bottom_s:
            self._regime = CRASH
        elif self._switches(now_s) and self._rng.random() < step_s / self._regime.mean_s:
            self._regime = TURBULENT if self._regime is CALM else CALM
        return self._regime

    def _switches(self, now_s: float) -> bool:
        return now_s > self._crash.bottom_s or math.isinf(self._crash.at_s)

    def _price_e8(self, listing: Listing) -> int:
        log_price = self._coins[listing.base] + self._basis.get(listing.instrument_id, 0.0)
        return nearest_tick(listing.first_price_e8 * math.exp(log_price), listing.tick_e8)


def _smooth(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
