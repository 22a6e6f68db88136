"""Instruments as options and scenarios need them: forwards, volatilities, one currency."""

from dataclasses import dataclass, fields

import numpy as np

from risk.book import Market
from risk.holdings import Bools, Rules, Terms
from risk.pricing.implied import implied_volatility
from risk.scenarios.grid import ScenarioSet
from risk.scenarios.shock import PricedContracts, unit_profit, unit_profit_of_moves
from schemas.units import E8, Floats, Int64s

YEAR_US = 365 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """The instruments at hand, a row each [V]."""

    place: Int64s  # [I + A] row of an instrument, or of a coin, here; -1 where it is not at hand
    contracts: PricedContracts
    underlying: Int64s  # [V] instrument row
    expiry_us: Int64s  # [V]
    spot: Floats  # [V] of the underlying, in its quote
    mark: Floats  # [V] of one unit, valuation currency
    quote_price: Floats  # [V] of the quote, valuation currency
    paid: Floats  # [V] price of what profit is paid in, valuation currency
    follows: Bools  # [V] that price moves with the spot
    spot_range: Floats  # [V] nan: that of the scenarios
    rate: Floats  # [V] interest a year
    coin: Bools  # [V] an asset that is held, not a contract

    def unit_profit(self, scenarios: ScenarioSet) -> Floats:
        """Weighted profit of one contract in each scenario, valuation currency [V, S]."""
        reach = np.where(np.isnan(self.spot_range), scenarios.spot_range, self.spot_range)
        profit = unit_profit(self.contracts, scenarios, spot_range=reach)
        return self._valued(profit, np.multiply.outer(reach, scenarios.spot)) * scenarios.weight

    def unit_profit_of_days(self, moves: Floats) -> Floats:
        """The same on each day of joint moves [D, I] of the underlyings: [V, D]."""
        profit = unit_profit_of_moves(self.contracts, moves, self.underlying)
        return self._valued(profit, moves.T[self.underlying])

    def _valued(self, profit: Floats, moves: Floats) -> Floats:
        result: Floats = profit * self.paid[:, None] * np.where(self.follows[:, None], 1 + moves, 1)
        return result


def view(instruments: Int64s, market: Market, rules: Rules, terms: Terms) -> View:
    """What is known of these instruments (rows, distinct).

    An option's forward is the mark of a future of its underlying and expiry, else that of its
    underlying; a future's or perpetual's its own. An option without a volatility has the one that
    its mark implies, and none, which makes it worth its intrinsic value, where none does.

    Raises ValueError naming an instrument whose forward has no mark.
    """
    row, priced = instruments, _priced(instruments, market, rules, terms)
    underlying, settlement = terms.underlying[row], rules.contracts.settlement[row]
    coin = _paid_in_coin(row, market, rules, terms)
    paid = rules.assets.price_e8[settlement] / E8
    index_e8 = market.index_e8[underlying]
    place = np.full(len(market.mark_e8) + len(rules.assets.price_e8), -1, np.int64)
    place[row] = np.arange(len(row))
    ranges = market.spot_range
    return View(
        place=place,
        contracts=priced,
        underlying=underlying,
        expiry_us=terms.expiry_us[row],
        spot=np.where(index_e8 > 0, index_e8, market.mark_e8[underlying]) / E8,
        mark=market.mark_e8[row] / E8 * paid,
        quote_price=np.where(coin, 1.0, paid),
        paid=paid,
        follows=coin & (True if market.pricer is None else market.pricer[settlement] >= 0),
        spot_range=np.full(len(row), np.nan) if ranges is None else ranges[underlying],
        rate=_rate(row, market, terms),
        coin=np.zeros(len(row), np.bool_),
    )


def with_coins(seen: View, coins: Int64s, market: Market, rules: Rules, terms: Terms) -> View:
    """The same and assets (rows) that a mark prices: one of them is one unit of its underlying.

    An asset counts as the instrument I + its row.
    """
    count, instruments = len(coins), len(market.mark_e8)
    pricer = np.zeros(0, np.int64) if market.pricer is None else market.pricer[coins]
    underlying, price = terms.underlying[pricer], rules.assets.price_e8[coins] / E8
    place = seen.place.copy()
    place[instruments + coins] = len(seen.underlying) + np.arange(count)
    one, ranges = np.ones(count), market.spot_range
    contracts, held = PricedContracts.of(price), seen.contracts
    both = [
        np.concatenate((getattr(held, name.name), getattr(contracts, name.name)))
        for name in fields(PricedContracts)
    ]
    columns = {
        "underlying": underlying,
        "expiry_us": np.zeros(count, np.int64),
        "spot": price,
        "mark": price,
        "quote_price": one,
        "paid": one,
        "follows": np.zeros(count, np.bool_),
        "spot_range": one * np.nan if ranges is None else ranges[underlying],
        "rate": np.zeros(count),
        "coin": np.ones(count, np.bool_),
    }
    joined = {name: np.concatenate((getattr(seen, name), new)) for name, new in columns.items()}
    return View(place=place, contracts=PricedContracts(*both), **joined)


def _priced(row: Int64s, market: Market, rules: Rules, terms: Terms) -> PricedContracts:
    """What the instruments are worth, now and shocked."""
    option, coin = terms.side[row] != 0, _paid_in_coin(row, market, rules, terms)
    forward_row = forward_rows(row, market, terms)
    forward = market.mark_e8[forward_row] / E8
    if not (forward > 0).all():
        wrong = int(np.flatnonzero(~(forward > 0))[0])
        raise ValueError(f"instrument row {row[wrong]}: row {forward_row[wrong]} has no mark")
    left_us = np.where(terms.expiry_us[row] > 0, terms.expiry_us[row] - market.time_us, 0)
    years, strike = left_us.clip(min=0) / YEAR_US, terms.strike_e8[row] / E8
    discount = np.exp(-_rate(row, market, terms) * years)
    volatility = np.where(option, market.volatility[row], 0.0)
    premium = market.mark_e8[row] / E8 * np.where(option & coin, forward, 1.0)
    unknown = np.flatnonzero(np.isnan(volatility))
    implied = implied_volatility(
        premium[unknown],
        forward[unknown],
        strike[unknown],
        years[unknown],
        terms.side[row[unknown]] > 0,
        discount=discount[unknown],
    )
    volatility[unknown] = np.nan_to_num(implied)
    return PricedContracts.of(
        forward,
        side=terms.side[row],
        strike=strike,
        years=years,
        volatility=volatility,
        discount=discount,
        inverse=np.where(option, coin, rules.contracts.inverse[row]),
        multiplier=rules.contracts.multiplier_e8[row] / E8,
    )


def _rate(row: Int64s, market: Market, terms: Terms) -> Floats:
    if market.rate is None:
        return np.zeros(len(row))
    return np.where(terms.side[row] != 0, market.rate[row], 0.0)


def forward_rows(row: Int64s, market: Market, terms: Terms) -> Int64s:
    """The instrument whose mark is the forward of each: its own, a future's, its underlying's."""
    futures = np.flatnonzero((terms.side == 0) & (terms.expiry_us > 0) & (market.mark_e8 > 0))
    ends = zip(terms.underlying[futures].tolist(), terms.expiry_us[futures].tolist(), strict=True)
    # The first of several futures of one expiry.
    future_of = dict(reversed(list(zip(ends, futures.tolist(), strict=True))))
    keys = zip(terms.underlying[row].tolist(), terms.expiry_us[row].tolist(), strict=True)
    of_option = np.array([future_of.get(key, key[0]) for key in keys], np.int64)
    return np.where(terms.side[row] != 0, of_option, row)


def _paid_in_coin(row: Int64s, market: Market, rules: Rules, terms: Terms) -> Bools:
    """Whether profit is paid in the coin of the underlying: always so of inverse contracts."""
    contracts, pricer = rules.contracts, market.pricer
    coins = np.full(len(rules.assets.price_e8), -1, np.int64)  # the underlying of each, or none
    inverse = contracts.inverse & (terms.side == 0)
    coins[contracts.settlement[inverse]] = terms.underlying[inverse]
    if pricer is not None:
        priced = pricer >= 0
        coins[priced] = terms.underlying[pricer[priced]]
    in_coin: Bools = coins[contracts.settlement[row]] == terms.underlying[row]
    in_coin |= contracts.inverse[row] & (terms.side[row] == 0)
    return in_coin
