"""Copies of buckets in which the prices of one underlying move."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

import numpy as np

from risk.book import Book, Market
from risk.holdings import Assets, Balances, Bools, Positions, Rules, Terms
from risk.margin.rounding import nearest_e8
from risk.pricing import black76
from risk.requirements.case import Case
from risk.requirements.view import View, forward_rows, view
from risk.scenarios.shock import PricedContracts
from schemas.units import E8, Floats, Int64s

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keys:
    """Distinct pairs of a copy and a row of what is copied, ascending."""

    copy: Int64s
    row: Int64s
    key: Int64s
    width: int

    @staticmethod
    def of(copy: Int64s, row: Int64s) -> "Keys":
        width = int(row.max(initial=0)) + 1
        key = np.unique(copy * width + row)
        return Keys(*np.divmod(key, width), key, width)

    def places(self, copy: Int64s, row: Int64s) -> Int64s:
        """Where pairs are, -1 where they are not."""
        if not len(self.key):
            return np.full(len(row), -1)
        wanted = copy * self.width + row
        place = np.searchsorted(self.key, wanted).clip(max=len(self.key) - 1)
        known = (row >= 0) & (row < self.width) & (self.key[place] == wanted)
        return np.where(known, place, -1)


@dataclass(frozen=True, slots=True)
class Tables:
    """Copies of the rules and the market, each with rows of all that is held in it."""

    case: Case
    instrument: Keys  # of each copy, those that are held and those whose marks price them
    asset: Keys  # those that are held or settle an instrument

    @staticmethod
    def of(case: Case, held: tuple[Int64s, Int64s], owned: tuple[Int64s, Int64s]) -> "Tables":
        """Of copies and rows of positions, and of balances."""
        positions, balances, settlement = (
            case.book.positions, case.book.balances, case.rules.contracts.settlement,
        )  # fmt: skip
        of_balance = owned[0], balances.asset[owned[1]]
        instrument = _behind(case, (held[0], positions.instrument[held[1]]), of_balance)
        settled = instrument.copy, settlement[instrument.row]
        asset = Keys.of(*map(np.concatenate, zip(of_balance, settled, strict=True)))
        return Tables(case, instrument, asset)

    def terms(self) -> Terms:
        terms = taken(self.case.terms, self.instrument.row)
        underlying = self.instrument.places(self.instrument.copy, terms.underlying)
        return replace(terms, underlying=underlying)

    def rules(self) -> Rules:
        rules, instrument = self.case.rules, self.instrument
        contracts = taken(rules.contracts, instrument.row)
        settlement = self.asset.places(instrument.copy, contracts.settlement)
        return replace(
            rules,
            contracts=replace(contracts, settlement=settlement),
            tiers=taken(rules.tiers, instrument.row),
            assets=taken(rules.assets, self.asset.row),
            profit_weight_ppm=taken(rules.profit_weight_ppm, instrument.row),
            profit_cap_e8=taken(rules.profit_cap_e8, instrument.row),
        )

    def market(self) -> Market:
        market, row, pricer = self.case.market, self.instrument.row, self.case.market.pricer
        if pricer is not None:
            pricer = self.instrument.places(self.asset.copy, pricer[self.asset.row])
        return Market(
            market.mark_e8[row],
            market.index_e8[row],
            market.volatility[row],
            market.time_us,
            pricer,
            taken(market.spot_range, row),
            taken(market.rate, row),
            None if market.moves is None else market.moves[:, row],
        )


@dataclass(frozen=True, slots=True)
class Moving:
    """Queries [Q], copies of buckets, in tables [T] in which an underlying's prices move."""

    book: Book
    market: Market
    rules: Rules
    terms: Terms
    option: Int64s  # rows of options among the instruments
    seen: View  # of these
    now: Floats  # what the options' volatilities make of them at present
    table: Int64s  # [E] of each instrument
    moves: Bools  # [E] it moves with the table's factor

    @staticmethod
    def of(case: Case, bucket: Int64s, table: Int64s, underlying: Int64s) -> "Moving":
        """Buckets [Q] in tables [Q]; in each table [T] all of an underlying moves, -1: of any."""
        positions, balances = case.book.positions, case.book.balances
        query, row = _rows_of(positions.bucket, bucket, case.size)
        owner, of_balance = _rows_of(balances.bucket, bucket, case.size)
        tables = Tables.of(case, (table[query], row), (table[owner], of_balance))
        instrument = tables.instrument.places(table[query], positions.instrument[row])
        asset = tables.asset.places(table[owner], balances.asset[of_balance])
        book = Book(
            Positions(query, instrument, positions.quantity_e8[row], positions.cost_e8[row]),
            Balances(owner, asset, balances.amount_e8[of_balance]),
            case.book.kind[bucket],
        )
        market, rules, terms = tables.market(), tables.rules(), tables.terms()
        option = np.flatnonzero(terms.side != 0)
        seen = view(option, market, rules, terms)
        # What an option's mark implies now stays as it moves.
        market.volatility[option] = seen.contracts.volatility
        copies = tables.instrument
        moving = underlying[copies.copy]
        moves = (moving < 0) | (case.terms.underlying[copies.row] == moving)
        now = _premium(seen.contracts, np.ones(len(option)))
        return Moving(book, market, rules, terms, option, seen, now, copies.copy, moves)

    def at(self, factor: Floats) -> tuple[Market, Rules]:
        """Prices where the instruments of each table have moved by its factor [T]."""
        each = np.where(self.moves, factor[self.table], 1.0)
        mark_e8 = _times(self.market.mark_e8, each)
        moves = self.moves[self.option]
        change = _premium(self.seen.contracts, each[self.option]) - self.now
        moved_e8 = self.market.mark_e8[self.option] + nearest_e8(change * E8)
        mark_e8[self.option[moves]] = moved_e8[moves].clip(min=0)
        index_e8 = _times(self.market.index_e8, each)
        market = replace(self.market, mark_e8=mark_e8, index_e8=index_e8)
        return market, replace(self.rules, assets=self._assets(each))

    def _assets(self, each: Floats) -> Assets:
        assets, pricer = self.rules.assets, self.market.pricer
        if pricer is None:
            return assets
        return replace(
            assets, price_e8=_times(assets.price_e8, np.where(pricer >= 0, each[pricer], 1))
        )


def _premium(contracts: PricedContracts, factor: Floats) -> Floats:
    """Value of options in what they are paid in, their forwards moved by a factor each."""
    forward = contracts.forward * factor
    premium = black76.price(
        forward,
        contracts.strike,
        contracts.years,
        contracts.volatility,
        contracts.side > 0,
        discount=contracts.discount,
    )
    return np.where(contracts.inverse, premium / forward, premium)


def taken(columns: T, rows: Int64s) -> T:
    """Those rows of a column, or of all columns of a record; None stays None."""
    if isinstance(columns, np.ndarray):
        return cast(T, columns[rows])
    if columns is None:
        return columns
    record: Any = columns
    return cast(
        T, type(record)(*(taken(getattr(record, field.name), rows) for field in fields(record)))
    )


def _times(amount_e8: Int64s, factor: Floats) -> Int64s:
    product: Floats = amount_e8 * factor
    return nearest_e8(product)


def _rows_of(owner: Int64s, bucket: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """All rows of each bucket [Q]: the query and the row of each."""
    order = np.argsort(owner, kind="stable")
    start = np.searchsorted(owner[order], np.arange(size + 1))
    count = start[bucket + 1] - start[bucket]
    query = np.repeat(np.arange(len(bucket)), count)
    first = np.repeat(start[bucket] - (np.cumsum(count) - count), count)
    return query, order[first + np.arange(len(query))]


def _behind(case: Case, held: tuple[Int64s, Int64s], owned: tuple[Int64s, Int64s]) -> Keys:
    """Copies and instruments that are held, and all whose marks their prices rest on.

    `held` are copies and instruments, `owned` copies and assets.
    """
    terms, pricer = case.terms, case.market.pricer
    copy, instrument = held
    if pricer is not None:
        settlement = case.rules.contracts.settlement[instrument]
        prices = pricer[np.concatenate((settlement, owned[1]))]
        priced = prices >= 0
        copy = np.concatenate((copy, np.concatenate((copy, owned[0]))[priced]))
        instrument = np.concatenate((instrument, prices[priced]))
    option = case.option[instrument]
    forwards = forward_rows(instrument[option], case.market, terms)
    copy = np.concatenate((copy, copy[option]))
    instrument = np.concatenate((instrument, forwards))
    return Keys.of(np.tile(copy, 2), np.concatenate((instrument, terms.underlying[instrument])))
