"""How the surplus, equity less maintenance margin, of a book depends on its marks.

Everything is written in the factor f on the moving marks, 1 at present. A linear position is worth
f times its value, an inverse one 1 / f, and either is worth f times that where the price of its
settlement asset moves as well; an inverse contract settled in its own coin has therefore a constant
notional in the valuation currency.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from risk.holdings import Balances, Bools, MarginState, Positions, PositionState, Rules
from risk.margin.boundary import Boundaries, Curves, Lines, boundaries, line_values, scanned
from risk.margin.rule_lines import rule_lines, sized_lines, stacked
from risk.valuation import exact_sums
from schemas.units import E8, Floats, Int64s


@dataclass(frozen=True, slots=True)
class Book:
    """An evaluated book: what `risk.margin.buckets.evaluate` took and gave."""

    positions: Positions
    balances: Balances
    marks_e8: Int64s  # [I]
    rules: Rules
    margin: MarginState
    state: PositionState
    pricer: Int64s  # [A] row of the instrument whose mark is the asset's price, negative: none


@dataclass(frozen=True, slots=True)
class Parts:
    """Amounts of queries, of which a linear and an inverse part move, and maybe the price."""

    query: Int64s
    line: Int64s  # row of the rules' lines
    total: Floats
    linear: Floats
    inverse: Floats
    priced: Bools  # the price of the asset moves
    leg: Int64s  # row of the position, -1: an asset

    def where(self, chosen: Bools | Int64s) -> "Parts":
        return Parts(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Exposure:
    """Surplus of queries: what is fixed, and what moves."""

    book: Book
    lines: Lines  # of the book's rules
    fixed: Floats  # [Q]
    parts: Parts  # in the order of their queries

    def boundaries(self) -> Boundaries:
        """The factors nearest to 1 at which the surplus changes sign [Q].

        In closed form, but for three kinds of queries, which are scanned: linear contracts settled
        in an asset whose price moves along (f squared), linear and inverse ones settled in one
        fixed asset, and inverse ones whose rate depends on their size.
        """
        parts, sized = self.parts, self._sized()
        mixed = (parts.linear != 0) & (parts.priced | (parts.inverse != 0))
        mixed |= sized & (parts.inverse != 0)
        hard = np.zeros(len(self.fixed), np.bool_)
        hard[parts.query[mixed]] = True
        easy = self._chosen(~hard)._closed_form()
        below, above = (np.full(len(hard), np.nan) for _ in range(2))
        below[~hard], above[~hard] = easy.below, easy.above
        if hard.any():
            rest = scanned(self._chosen(hard).surplus, int(hard.sum()))
            below[hard], above[hard] = rest.below, rest.above
        return Boundaries(below, above)

    def surplus(self, factor: Floats) -> Floats:
        """Surplus of each query at its own factor, both [Q]."""
        parts, sized = self.parts, self._sized()
        f = factor[parts.query]
        rest = parts.total - parts.linear - parts.inverse
        amount = (rest + parts.linear * f + parts.inverse / f) * np.where(parts.priced, f, 1.0)
        value = line_values(self.lines, parts.line, amount)
        lines = self._leg_lines(sized, np.where(parts.inverse != 0, f, 1.0))
        value[sized] = line_values(lines, np.arange(len(lines.floor)), amount[sized])
        return self.fixed + np.bincount(parts.query, value, len(self.fixed))

    def _closed_form(self) -> Boundaries:
        parts, sized = self.parts, self._sized()
        lines = stacked(self.lines, self._leg_lines(sized, np.ones(len(sized))))
        line = parts.line.copy()
        line[sized] = len(self.lines.floor) + np.arange(np.count_nonzero(sized))
        rest = parts.total - parts.linear - parts.inverse
        queries = len(self.fixed)
        curves = Curves(
            first=np.searchsorted(parts.query, np.arange(queries + 1)),
            line=line,
            constant=np.where(parts.priced, parts.inverse, rest),
            slope=np.where(parts.priced, rest, parts.linear),
            pole=np.where(parts.priced, 0.0, parts.inverse),
        )
        return boundaries(np.ones(queries), self.fixed, curves, lines)

    def _sized(self) -> Bools:
        """Parts whose rate depends on their size."""
        sized = self.parts.leg >= 0
        instrument = self.book.positions.instrument[self.parts.leg[sized]]
        sized[sized] = self.book.rules.tiers.maintenance_factor_ppb[instrument] > 0
        return sized

    def _leg_lines(self, sized: Bools, factor: Floats) -> Lines:
        positions, contracts = self.book.positions, self.book.rules.contracts
        row = self.parts.leg[sized]
        instrument = positions.instrument[row]
        units = np.abs(positions.quantity_e8[row] / E8) * contracts.multiplier_e8[instrument] / E8
        mark = self.book.marks_e8[instrument] / E8 * factor[sized]
        size = np.where(contracts.inverse[instrument], units / mark, units)
        return sized_lines(self.book.rules.tiers, instrument, size)

    def _chosen(self, query: Bools) -> "Exposure":
        number = np.cumsum(query) - 1
        parts = self.parts.where(query[self.parts.query])
        parts = Parts(number[parts.query], *(getattr(parts, f.name) for f in fields(parts)[1:]))
        return Exposure(self.book, self.lines, self.fixed[query], parts)


def by_mark(book: Book, bucket: Int64s, instrument: Int64s) -> Exposure:
    """The buckets [Q] as the mark of an instrument [Q] moves; pairs are distinct and ascend.

    What moves: the positions in the instrument, and what is settled or held in an asset whose
    price is its mark.
    """
    positions, contracts, pricer = book.positions, book.rules.contracts, book.pricer
    assets, instruments = len(pricer), len(book.marks_e8)
    key = bucket * instruments + instrument
    own = _find(key, positions.bucket * instruments + positions.instrument)
    coin = pricer[contracts.settlement[positions.instrument]]
    direct = _legs(book, own, coin == positions.instrument, moving=True)
    other = np.where(coin == positions.instrument, -1, coin)
    by_coin = np.where(other >= 0, _find(key, positions.bucket * instruments + other), -1)
    indirect = _legs(book, by_coin, coin >= 0, moving=False)
    cell, net = _cells(book)
    cell_bucket, cell_asset = cell // assets, cell % assets
    settlement = contracts.settlement[instrument]
    place = _find(cell, bucket * assets + settlement)
    query = np.flatnonzero(place >= 0)
    moved = np.bincount(own[own >= 0], position_values(book)[own >= 0], len(key))[query]
    inverse = contracts.inverse[instrument[query]]
    settled = Parts(
        query=query,
        line=settlement[query],
        total=net[place[query]],
        linear=np.where(inverse, 0.0, moved),
        inverse=np.where(inverse, moved, 0.0),
        priced=(pricer[settlement] == instrument)[query],
        leg=np.full(len(query), -1),
    )
    mover = pricer[cell_asset]
    holder = np.where(mover >= 0, _find(key, cell_bucket * instruments + mover), -1)
    still = np.zeros(len(cell))
    held = Parts(holder, cell_asset, net, still, still, mover >= 0, np.full(len(cell), -1)).where(
        (holder >= 0) & (settlement[holder] != cell_asset)
    )
    return _exposure(book, bucket, (direct, indirect, settled, held))


def by_all_marks(book: Book) -> Exposure:
    """Every bucket [N] as all marks, and the asset prices that are marks, move by one factor."""
    positions, contracts, assets = book.positions, book.rules.contracts, len(book.pricer)
    asset = contracts.settlement[positions.instrument]
    inverse = contracts.inverse[positions.instrument]
    legs = _legs(book, positions.bucket, book.pricer[asset] >= 0, moving=True)
    cell, net = _cells(book)
    at, value = _find(cell, positions.bucket * assets + asset), position_values(book)
    linear, pole = np.zeros(len(cell)), np.zeros(len(cell))
    np.add.at(linear, at[~inverse], value[~inverse])
    np.add.at(pole, at[inverse], value[inverse])
    held = cell % assets
    parts = Parts(
        cell // assets, held, net, linear, pole, book.pricer[held] >= 0, np.full(len(cell), -1)
    )
    return _exposure(book, np.arange(len(book.margin.equity_e8)), (legs, parts))


def _exposure(book: Book, bucket: Int64s, every: tuple[Parts, ...]) -> Exposure:
    """The parts in the order of their queries, and what of the buckets [Q] they leave fixed."""
    parts = Parts(
        *(np.concatenate([getattr(one, field.name) for one in every]) for field in fields(Parts))
    )
    parts = parts.where(np.argsort(parts.query, kind="stable"))
    surplus_e8 = book.margin.equity_e8 - book.margin.maintenance_margin_e8
    moving = Exposure(book, rule_lines(book.rules), np.zeros(len(bucket)), parts)
    return replace(moving, fixed=surplus_e8[bucket] / E8 - moving.surplus(np.ones(len(bucket))))


def _find(key: Int64s, wanted: Int64s) -> Int64s:
    """Place of each wanted value in an ascending key, -1 where it is not."""
    if not len(key):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where(key[place] == wanted, place, -1)


def position_values(book: Book) -> Floats:
    """Signed value of each position [P], valuation currency."""
    inverse = book.rules.contracts.inverse[book.positions.instrument]
    sign = np.sign(book.positions.quantity_e8) * np.where(inverse, -1, 1)
    values: Floats = sign * (book.state.notional_e8 / E8)
    return values


def _legs(book: Book, query: Int64s, priced: Bools, *, moving: bool) -> Parts:
    """Notionals of the charged positions with a query >= 0; `moving`: with their own marks."""
    instrument = book.positions.instrument
    notional = book.state.notional_e8 / E8
    inverse = book.rules.contracts.inverse[instrument]
    line = len(book.pricer) + instrument
    linear, pole = (np.where(kind & moving, notional, 0.0) for kind in (~inverse, inverse))
    row = np.arange(len(instrument))
    parts = Parts(query, line, notional, linear, pole, priced, row)
    return parts.where((query >= 0) & charged_positions(book))


def charged_positions(book: Book) -> Bools:
    """Positions [P] whose margin counts: all, or those of the larger leg of their instrument."""
    positions, count = book.positions, len(book.positions.bucket)
    if not book.rules.larger_leg or not count:
        return np.ones(count, np.bool_)
    key = positions.bucket * len(book.marks_e8) + positions.instrument
    _, group = np.unique(key, return_inverse=True)
    long = positions.quantity_e8 > 0
    margin = book.state.maintenance_margin_e8.astype(np.float64)
    longs, shorts = (np.bincount(group[of], margin[of], group.max() + 1) for of in (long, ~long))
    larger: Bools = np.where(long, (longs >= shorts)[group], (longs < shorts)[group])
    return larger


def _cells(book: Book) -> tuple[Int64s, Floats]:
    """Keys (bucket x assets + asset, ascending) and values of all net balances."""
    positions, balances, assets = book.positions, book.balances, len(book.pricer)
    settlement = book.rules.contracts.settlement[positions.instrument]
    cell, place = np.unique(
        np.concatenate(
            (positions.bucket * assets + settlement, balances.bucket * assets + balances.asset)
        ),
        return_inverse=True,
    )
    amount_e8 = np.concatenate((book.state.profit_e8, balances.amount_e8))
    net_e8, _ = exact_sums(place, amount_e8, len(cell))
    return cell, net_e8 / E8 * (book.rules.assets.price_e8[cell % assets] / E8)
