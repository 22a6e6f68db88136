"""The simulated exchange: prices, trades, deposits and funding, and answers to the risk engine."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.units import E8
from streams.market.answers import Answers
from streams.market.bidders import Bidders
from streams.market.books import Books
from streams.market.depth import Depth
from streams.market.events import CROSS, Cashier, Event, account_event, funding_event
from streams.market.execution import Execution
from streams.market.expiry import Expiries
from streams.market.flow import Flow
from streams.market.fund_desk import FundDesk
from streams.market.handovers import FUND, Handovers
from streams.market.listings import PERPETUALS, VALUATION_ASSET, Catalogue, listing_events
from streams.market.paths import PricePath, Step
from streams.market.population import Population
from streams.market.quotes import Quotes
from streams.market.tape import Tape

COIN_FUND_SHARE = 20
"""The insurance fund of a settlement coin is worth this part of the valuation currency's."""
MAKER_COIN_SHARE = 20
LONGEST_LULL_S = 5.0
"""Trading of a longer gap in the prices is not made up for."""
FUNDING_BASE = 1e-4
FUNDING_NOISE = 5e-5
FUNDING_CAP = 7.5e-4


@dataclass(frozen=True, slots=True)
class Pace:
    """Fills a second of ordinary trading, seconds of opening, microseconds between fundings."""

    fills_per_s: float
    opening_s: float
    funding_us: int


@dataclass(frozen=True, slots=True)
class Treasury:
    """Opening collateral in the valuation currency: the insurance fund, and each market maker.

    `fund_pace_ppm`: of the depth within 1 %, what the funds' executor trades out a second.
    """

    insurance_e8: int
    maker_e8: int
    fund_pace_ppm: int = 0


class Exchange:
    """One market, event for event the same for the same seed and the same answers.

    `opening()` once, then `step()` until it returns None; in between the risk engine's records
    are handed to `on_margin_call`, `on_liquidation`, `on_transfer` and `on_auction`. They are
    queued and take effect in the next step, in the order they came.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        population: Population,
        *,
        path: PricePath,
        pace: Pace,
        treasury: Treasury,
        seed: int,
    ) -> None:
        self.catalogue = catalogue
        self.population = population
        self._path: Iterator[Step] = iter(path)
        self._coming: Step | None = None
        self._pace = pace
        self._treasury = treasury
        self._rng = random.Random(f"{seed}/exchange")
        self._depth = Depth(catalogue.listings)
        self._quotes = Quotes(catalogue, self._depth)
        marks_e8 = self._quotes.marks_e8
        self.books = Books(catalogue, marks_e8)
        self._expiries = Expiries(catalogue, self.books, self._quotes)
        self._cashier = Cashier()
        tape = Tape(self.books)
        self._execution = Execution(
            catalogue, books=self.books, depth=self._depth, tape=tape, makers=population.makers
        )
        self._handovers = Handovers(self.books)
        self._fund_desk = FundDesk(
            catalogue,
            books=self.books,
            depth=self._depth,
            tape=tape,
            makers=population.makers,
            pace_ppm=treasury.fund_pace_ppm,
        )
        self._bidders = Bidders(
            catalogue, population.traders, books=self.books, marks_e8=marks_e8, seed=seed
        )
        self._flow = Flow(
            catalogue,
            population,
            books=self.books,
            tape=tape,
            cashier=self._cashier,
            marks_e8=marks_e8,
            seed=seed,
        )
        self._answers = Answers(
            catalogue,
            population.traders,
            books=self.books,
            cashier=self._cashier,
            marks_e8=marks_e8,
            seed=seed,
        )
        self._orders: list[Mapping[str, Any]] = []
        self._legs: list[Mapping[str, Any]] = []
        self._now_us = self._opened_us = self._funding_due_us = 0
        self._owed_trades = self._owed_arrivals = 0.0

    @property
    def now_us(self) -> int:
        """Event time of the last step."""
        return self._now_us

    @property
    def next_us(self) -> int | None:
        """Event time of the step to come; None when the path is over."""
        return self._coming.event_time_us if self._coming else None

    def opening(self) -> list[Event]:
        """Listings, accounts, insurance funds, deposits and the first prices."""
        first = next(self._path)
        self._coming = next(self._path, None)
        self._now_us = self._opened_us = now_us = first.event_time_us
        self._funding_due_us = self._next_funding_us()
        events = list(listing_events(self.catalogue, now_us))
        for maker_id in self.population.makers:
            events.append(account_event(now_us, maker_id))
        for trader in self.population.traders:
            events.append(account_event(now_us, trader.account_id, trader.mode))
        prices = self._quotes.take(first)
        events += self._deposits(now_us)
        return events + prices

    def step(self) -> list[Event] | None:
        """The events of the next time step; None when the path is over."""
        step = self._coming
        if step is None:
            return None
        self._coming = next(self._path, None)
        elapsed_s = (step.event_time_us - self._now_us) / 1e6
        assert elapsed_s >= 0, "time runs forward"
        self._now_us = now_us = step.event_time_us
        events = self._quotes.take(step)
        legs, self._legs = self._legs, []
        for leg in legs:
            self._handovers.book(leg)
        events += self._expiries.due(now_us)
        orders, self._orders = self._orders, []
        for order in orders:
            events += self._execution.execute(order, now_us, self._quotes.indices_e8)
        events += self._fund_desk.trade(now_us, self._quotes.indices_e8)
        events += self._bidders.due(now_us)
        events += self._answers.due(now_us)
        events += self._trading(now_us, min(elapsed_s, LONGEST_LULL_S))
        if now_us >= self._funding_due_us:
            events += self._funding(now_us)
        return events

    def on_margin_call(self, record: Mapping[str, Any]) -> None:
        """A margin call: the account may answer with a deposit."""
        self._answers.hear(record, self._now_us)

    def on_liquidation(self, record: Mapping[str, Any]) -> None:
        """An order of the risk engine, executed in the next step."""
        self._orders.append(record)

    def on_transfer(self, record: Mapping[str, Any]) -> None:
        """A leg of a transfer, booked once in the next step."""
        self._legs.append(record)

    def on_auction(self, record: Mapping[str, Any]) -> None:
        """An auction of a fund's position: accounts may bid until it ends."""
        self._fund_desk.hear(record)
        self._bidders.hear(record, self._now_us)

    def _deposits(self, now_us: int) -> list[Event]:
        insurance_e8, maker_e8 = self._treasury.insurance_e8, self._treasury.maker_e8
        events = self._funds(now_us, f"{FUND}{VALUATION_ASSET}", VALUATION_ASSET, insurance_e8)
        for coin in self.catalogue.settlement_coins():
            events += self._funds(now_us, f"{FUND}{coin}", coin, insurance_e8 // COIN_FUND_SHARE)
        for maker_id in self.population.makers:
            events += self._funds(now_us, maker_id, VALUATION_ASSET, maker_e8)
            for coin in self.catalogue.settlement_coins():
                events += self._funds(now_us, maker_id, coin, maker_e8 // MAKER_COIN_SHARE)
        for trader in self.population.traders:
            for asset, share in trader.mix.items():
                usd_e8 = round(trader.wealth_usd * share * E8)
                events += self._funds(now_us, trader.account_id, asset, usd_e8)
        return events

    def _funds(self, now_us: int, account_id: str, asset: str, usd_e8: int) -> list[Event]:
        """A deposit of an asset worth so much in the valuation currency."""
        price_e8 = self.catalogue.asset_price_e8(asset, self._quotes.marks_e8)
        amount_e8 = usd_e8 * E8 // price_e8
        if amount_e8 <= 0:
            return []
        self.books.account(account_id).add(CROSS, asset, amount_e8)
        return [self._cashier.deposit(now_us, account_id, asset, amount_e8)]

    def _trading(self, now_us: int, elapsed_s: float) -> list[Event]:
        self._owed_arrivals += len(self.population.traders) * elapsed_s / self._pace.opening_s
        self._owed_trades += self._pace.fills_per_s / 2 * elapsed_s
        arrivals, trades = int(self._owed_arrivals), int(self._owed_trades)
        self._owed_arrivals -= arrivals
        self._owed_trades -= trades
        events = self._flow.arrivals(now_us, arrivals)
        return events + self._flow.trades(now_us, trades)

    def _funding(self, now_us: int) -> list[Event]:
        """Every perpetual pays: a base rate, noise, and part of what its book is displaced by."""
        self._funding_due_us = self._next_funding_us()
        events = []
        for listing in self.catalogue.tradable():
            mark_e8 = self._quotes.marks_e8.get(listing.instrument_id)
            if mark_e8 is None or listing.kind not in PERPETUALS:
                continue
            premium = self._depth.displacement(listing.instrument_id, now_us)
            rate = FUNDING_BASE + 0.1 * premium + self._rng.gauss(0.0, FUNDING_NOISE)
            rate = round(min(max(rate, -FUNDING_CAP), FUNDING_CAP), 8)
            self.books.pay_funding(listing, rate, mark_e8)
            events.append(funding_event(now_us, listing.instrument_id, rate=rate, mark_e8=mark_e8))
        return events

    def _next_funding_us(self) -> int:
        """The next multiple of the interval, so that eight hours fall on 00:00, 08:00, 16:00."""
        interval_us = self._pace.funding_us
        return (self._now_us // interval_us + 1) * interval_us
