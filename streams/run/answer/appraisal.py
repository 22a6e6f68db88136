"""What a bucket was worth at a moment, by the engine's own functions on the state of then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.book import Book, Evaluation, Kind, Market
from risk.evaluation import evaluate, liquidation_prices
from risk.explain import Step, explain
from risk.holdings import Balances, Positions
from risk.profile import Profile
from schemas.units import Int64s
from streams.audit.account import CROSS
from streams.audit.moments import Holdings
from streams.audit.rulebook import Record, Rulebook, Tick
from streams.state.rules import Rules

LOOK_BACK_US = 86_400_000_000
"""A mark that is older than a day is none."""


class UnknownPriceError(LookupError):
    """Something that the bucket rests on has no price on the topics; the message names it."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """A bucket evaluated; `instruments` and `assets` name the rows of its columns."""

    instruments: list[str]
    assets: list[str]
    marks_e8: Mapping[str, int]
    evaluation: Evaluation
    steps: list[Step]
    prices: list[float | None]
    """[P] Liquidation prices."""
    positions: Positions

    @property
    def equity_e8(self) -> int:
        return int(self.evaluation.state.equity_e8[0])

    @property
    def maintenance_e8(self) -> int:
        return int(self.evaluation.state.maintenance_margin_e8[0])


def appraise(
    held: Holdings,
    kind: Kind,
    rulebook: Rulebook,
    profile: Profile,
    time_us: int,
    *,
    marks_e8: Mapping[str, int],
) -> Appraisal:
    """Evaluate what a bucket holds by the rules in force at a time.

    `marks_e8` has the marks that are known; of what else the bucket rests on the last tick before
    that time counts. UnknownPriceError where there is none.
    """
    rules = _rules(held, rulebook, time_us)
    ticks = {name: _tick(rulebook, name, time_us) for name in rules.instruments}
    marks = {name: marks_e8.get(name) or ticks[name].mark_e8 for name in rules.instruments}
    mark_column = _column(marks[name] for name in rules.instruments)
    prices_e8 = rules.asset_prices(mark_column)
    in_force = rules.at_prices(prices_e8, prices_e8, profile)
    market = Market(
        mark_column,
        _column(ticks[name].index_e8 for name in rules.instruments),
        np.array([ticks[name].volatility for name in rules.instruments], np.float64),
        time_us,
        rules.asset_price_instruments(),
    )
    book = _book(held, kind, rules)
    result = evaluate(book, market, in_force, rules.terms, profile)
    columns = (book, market, in_force, rules.terms, profile)
    prices = liquidation_prices(*columns, evaluation=result).tolist()
    return Appraisal(
        rules.instruments,
        rules.assets,
        marks,
        result,
        explain(*columns, bucket=0, instruments=rules.instruments, assets=rules.assets),
        [price if np.isfinite(price) else None for price in prices],
        book.positions,
    )


def kind_of(bucket: str, *, portfolio: bool) -> Kind:
    """How a bucket is margined, by its name as records have it."""
    if bucket != CROSS:
        return Kind.ISOLATED
    return Kind.PORTFOLIO if portfolio else Kind.CROSS


def _rules(held: Holdings, rulebook: Rulebook, time_us: int) -> Rules:
    """Only what the bucket rests on, as it was in force."""
    balances, positions = held
    rules = Rules()
    wanted, assets = list(positions), dict.fromkeys(balances)
    for name in wanted:
        listing = _listing(rulebook, name, time_us)
        assets[listing["settlement_asset"]] = None
        if listing["underlying"] and listing["underlying"] not in wanted:
            wanted.append(listing["underlying"])
    told = [(asset, rulebook.asset_at(asset, time_us)) for asset in assets]
    for _, record in told:
        pricer = record["price_instrument_id"] if record else None
        if pricer and pricer not in wanted:
            wanted.append(pricer)
    for name in wanted:
        rules.take_instrument(_listing(rulebook, name, time_us))
        if params := rulebook.params_at(name, time_us):
            rules.take_risk_params(params, time_us)
    for asset, record in told:
        if record is None:
            raise UnknownPriceError(f"no record of `assets` describes {asset}")
        rules.take_asset(record)
    return rules


def _listing(rulebook: Rulebook, name: str, time_us: int) -> Record:
    told = rulebook.listings[name]
    if not told:
        raise UnknownPriceError(f"no record of `instruments` lists {name}")
    past = [one for one in told if one["event_time"] <= time_us]
    return (past or told[:1])[-1]


def _tick(rulebook: Rulebook, name: str, time_us: int) -> Tick:
    ticks = rulebook.ticks(name, time_us - LOOK_BACK_US, time_us)
    if not ticks:
        raise UnknownPriceError(f"{name} had no price then")
    return ticks[-1]


def _book(held: Holdings, kind: Kind, rules: Rules) -> Book:
    balances = [(rules.asset_number[asset], e8) for asset, e8 in held[0].items() if e8]
    positions = [(rules.number[name], *amounts) for name, amounts in held[1].items()]
    owned = np.array(balances, np.int64).reshape(-1, 2).T
    rows = np.array(positions, np.int64).reshape(-1, 3).T
    return Book(
        Positions(np.zeros(len(positions), np.int64), *rows.copy()),
        Balances(np.zeros(len(balances), np.int64), *owned.copy()),
        np.array([int(kind)], np.int64),
    )


def _column(values: Iterable[Any]) -> Int64s:
    return np.array(list(values), np.int64)
