"""What buckets are worth at the board's marks, and whether that may be relied on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.evaluation import Book, Evaluation, Kind, Market, OpenOrders
from risk.evaluation import evaluate as evaluate_book
from risk.holdings import Balances, MarginState, Positions, PositionState, Rules
from risk.liquidation.stages import Stage
from schemas.block import Int64s
from schemas.units import E8, Floats
from streams.processors.entries import amounts_owned, open_positions
from streams.state.account_book import CROSS
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

Bools = NDArray[np.bool_]
LARGEST_VALUE = 1e9
"""A position worth more, in the valuation currency, is taken for a wrong mark."""


@dataclass(frozen=True)
class Evaluated:
    """Buckets (rows of the book) and their positions (rows of the book) at the marks in force.

    `state` and `guard` are by bucket; `position_rows`, `positions` and `position_state` by
    position, whose bucket is a place in `buckets`, ascending; `mark_guard` by instrument.
    `incomplete` are places of buckets with a position that counts for nothing.
    """

    buckets: Int64s
    state: MarginState
    guard: NDArray[np.int8]
    mark_guard: NDArray[np.int8]
    incomplete: Int64s
    position_rows: Int64s
    positions: Positions
    position_state: PositionState
    rules: Rules
    book: Book
    market: Market
    evaluation: Evaluation

    def averaged(self) -> Bools:
        """bool[P]: positions whose margin does not follow from the tiers of their instrument."""
        portfolio = self.book.kind[self.positions.bucket] == Kind.PORTFOLIO
        averaged: Bools = portfolio | ~self.rules.tiers.known[self.positions.instrument]
        return averaged

    def positions_of(self, place: int) -> Int64s:
        """Places of the positions of the bucket at this place."""
        first, end = np.searchsorted(self.positions.bucket, (place, place + 1)).tolist()
        return np.arange(first, end)


@dataclass(frozen=True, slots=True)
class Quotes:
    """What every evaluation rests on while the board stands still, and no rule is put in force."""

    prices_e8: Int64s  # [A]
    rules: Rules
    most_e8: Floats  # [I] contracts that are worth LARGEST_VALUE; 0: none can be valued
    mark_guard: NDArray[np.int8]  # [I]
    position_guard: NDArray[np.int8]  # [I] with what a position in it rests on besides
    asset_guard: NDArray[np.int8]  # [A]


def quotes(ledger: Ledger, board: MarkBoard) -> Quotes:
    """Kept until the board or the rules in force change."""
    key = ledger, ledger.rules.revision
    found: Quotes | None = board.kept.get(key)
    if found is None:
        board.kept[key] = found = _quotes(ledger, board)
    return found


def _quotes(ledger: Ledger, board: MarkBoard) -> Quotes:
    rules = ledger.rules
    prices_e8, slow_e8 = (rules.asset_prices(marks) for marks in (board.mark_e8, board.slow_e8))
    mark_guard = board.guards()
    by_instrument = _guards(ledger, mark_guard)
    by_asset = _asset_guards(ledger, by_instrument)
    by_settlement = by_asset[rules.contracts.settlement]
    return Quotes(
        prices_e8,
        rules.at_prices(prices_e8, slow_e8, ledger.profile),
        _most_e8(ledger, board, prices_e8),
        mark_guard,
        np.maximum(by_instrument, by_settlement),
        by_asset,
    )


def evaluate(ledger: Ledger, board: MarkBoard, buckets: Int64s) -> Evaluated:
    """Margin of these buckets at the board's marks, and the worst guard among what they rest on.

    A position without a mark, or with one at which its value does not fit 18 digits, counts for
    nothing; the guard of its bucket is STALE, so nothing is decided on what cannot be right.
    """
    book, rules, at = ledger.book, ledger.rules, quotes(ledger, board)
    held, table = book.held.of(buckets), book.positions
    columns = table["instrument"], table["quantity_e8"], table["cost_e8"]
    (held_rows, *held_columns), incomplete = open_positions(*held, columns, at.most_e8)
    positions = Positions(*held_columns)
    owned, table = book.owned.of(buckets), book.balances
    balances = Balances(*amounts_owned(*owned, table["asset"], table["amount_e8"]))
    orders = _open_orders(ledger, board, at.prices_e8, buckets)
    of_buckets = Book(positions, balances, _kinds(ledger, buckets), orders)
    pricer = rules.asset_price_instruments()
    market = Market(board.mark_e8, board.index_e8, board.volatility, board.clock_us, pricer)
    evaluation = evaluate_book(of_buckets, market, at.rules, rules.terms, ledger.profile)
    guard = np.zeros(len(buckets), np.int8)
    guard[incomplete] = Guard.STALE
    _worsen(guard, positions.bucket, at.position_guard[positions.instrument])
    _worsen(guard, balances.bucket, at.asset_guard[balances.asset])
    return Evaluated(
        buckets,
        evaluation.state,
        guard,
        at.mark_guard,
        incomplete,
        held_rows,
        positions,
        evaluation.positions,
        at.rules,
        of_buckets,
        market,
        evaluation,
    )


def _worsen(guard: NDArray[np.int8], bucket: Int64s, by_row: NDArray[np.int8]) -> None:
    """Raise the guards of buckets to those of their rows; most are LIVE."""
    rows = np.flatnonzero(by_row)
    np.maximum.at(guard, bucket[rows], by_row[rows])


def _kinds(ledger: Ledger, buckets: Int64s) -> Int64s:
    """int64[N]: how each bucket is margined."""
    columns, accounts = ledger.book.buckets, ledger.book.accounts
    portfolio = accounts["portfolio"][columns["account"][buckets]]
    pool = np.where(portfolio, Kind.PORTFOLIO, Kind.CROSS)
    isolated = columns["instrument"][buckets] != CROSS
    return np.where(isolated, Kind.ISOLATED, pool).astype(np.int64)


def _open_orders(
    ledger: Ledger, board: MarkBoard, prices_e8: Int64s, buckets: Int64s
) -> OpenOrders | None:
    """What is open on contracts that have a mark; pairs ask for no margin.

    An order worth more than any position may be counts as the largest: nobody could afford that.
    """
    rules, sums = ledger.rules, ledger.book.orders.sums_of(buckets)
    if not len(sums.bucket):
        return None
    mark = board.mark_e8[sums.instrument]
    driven = board.mark_e8[rules.terms.underlying[sums.instrument]]
    rows = np.flatnonzero((mark > 0) & (driven > 0) & ~rules.spot[sums.instrument])
    instrument, contracts = sums.instrument[rows], rules.contracts
    price = np.maximum(prices_e8[contracts.settlement[instrument]] / E8, 1)
    inverse = contracts.inverse[instrument]
    unit = np.where(inverse, E8 / mark[rows], mark[rows] / E8) * price
    unit *= contracts.multiplier_e8[instrument] / E8
    most_e8 = np.minimum(LARGEST_VALUE / unit, LARGEST_VALUE) * E8
    bids_e8, asks_e8 = (
        np.minimum(side[rows], most_e8).astype(np.int64) for side in (sums.bids_e8, sums.asks_e8)
    )
    return OpenOrders(sums.bucket[rows], instrument, bids_e8, asks_e8, sums.count[rows])


def _most_e8(ledger: Ledger, board: MarkBoard, prices_e8: Int64s) -> Floats:
    """float64[I]: contracts below which value and notional are far within 18 digits; 0 without a
    mark."""
    contracts = ledger.rules.contracts
    mark = board.mark_e8 / E8
    known = (mark > 0) & (board.mark_e8[ledger.rules.terms.underlying] > 0)
    with np.errstate(divide="ignore"):
        unit = np.where(contracts.inverse, 1 / mark, mark) * (contracts.multiplier_e8 / E8)
        unit *= np.maximum(prices_e8[contracts.settlement] / E8, 1)
        most_e8: Floats = np.where(known, LARGEST_VALUE * E8 / unit, 0)
    return most_e8


def _guards(ledger: Ledger, guards: NDArray[np.int8]) -> NDArray[np.int8]:
    """int8[I]: guards of the marks, of an option the worse of its own and its underlying's.

    An instrument without margin tiers cannot be decided upon; options need none.
    """
    rules = ledger.rules
    guards = np.maximum(guards, guards[rules.terms.underlying])
    known = rules.tiers.known | (rules.terms.side != 0)
    return np.where(known, guards, Guard.STALE).astype(np.int8)


def _asset_guards(ledger: Ledger, by_instrument: NDArray[np.int8]) -> NDArray[np.int8]:
    pricer = ledger.rules.asset_price_instruments()
    guards = np.zeros(len(pricer), np.int8)
    guards[pricer == -2] = Guard.STALE
    guards[pricer >= 0] = by_instrument[pricer[pricer >= 0]]
    return guards


def affords(ledger: Ledger, board: MarkBoard, bucket: int, position: tuple[int, int, int]) -> bool:
    """Whether a bucket meets its initial margin with a position more: instrument, quantity, cost.

    Only a bucket that was neither called nor quarantined at the last decision, and on live marks.
    """
    book, (instrument, quantity_e8, cost_e8) = ledger.book, position
    at = np.array([bucket])
    called = book.buckets["stage"][bucket] >= Stage.CALLED
    if called or ledger.exempt(book.buckets["account"][at])[0]:
        return False
    row = book.position_rows(at, np.array([instrument]))[0]
    held = book.positions
    held["quantity_e8"][row] += quantity_e8
    held["cost_e8"][row] += cost_e8
    evaluated = evaluate(ledger, board, at)
    held["quantity_e8"][row] -= quantity_e8
    held["cost_e8"][row] -= cost_e8
    state = evaluated.state
    meets = state.initial_equity_e8[0] >= state.initial_margin_e8[0]
    return bool(meets and evaluated.guard[0] == Guard.LIVE)
