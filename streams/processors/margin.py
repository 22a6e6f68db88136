"""Which buckets to look at, and what they are worth at the board's marks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from risk.evaluation import Book, Evaluation, Kind, Market, OpenOrders
from risk.evaluation import evaluate as evaluate_book
from risk.holdings import Balances, MarginState, Positions, PositionState, Rules
from risk.liquidation.stages import Stage
from schemas.block import Int64s
from schemas.units import E8
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
    position, whose bucket is a place in `buckets`; `mark_guard` by instrument.
    """

    buckets: Int64s
    state: MarginState
    guard: NDArray[np.int8]
    mark_guard: NDArray[np.int8]
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
        order, first = self._by_bucket
        return order[first[place] : first[place + 1]]

    @cached_property
    def _by_bucket(self) -> tuple[Int64s, Int64s]:
        """Places of positions in order of their buckets, and where each bucket's begin [N + 1]."""
        order = np.argsort(self.positions.bucket, kind="stable")
        buckets = np.arange(len(self.buckets) + 1)
        return order, np.searchsorted(self.positions.bucket[order], buckets)


def buckets_to_evaluate(ledger: Ledger, changed: Bools, touched: Int64s) -> Int64s:
    """Rows of the buckets that were touched, are repriced by `changed` bool[I], or are watched.

    System accounts are not margined.
    """
    book = ledger.book
    chosen = np.zeros(book.buckets.capacity, np.bool_)
    chosen[touched] = True
    positions, balances = book.positions, book.balances
    if len(changed):
        changed = changed | changed[ledger.rules.terms.underlying[: len(changed)]]
        repriced = positions.live & changed[positions["instrument"]]
        chosen[positions["bucket"][repriced]] = True
        pricer = ledger.rules.asset_price_instruments()
        asset_changed = (pricer >= 0) & changed[np.maximum(pricer, 0)]
        chosen[balances["bucket"][balances.live & asset_changed[balances["asset"]]]] = True
    chosen |= book.buckets["stage"] != Stage.HEALTHY
    chosen &= book.buckets.live & ~book.accounts["system"][book.buckets["account"]]
    return np.flatnonzero(chosen)


def evaluate(ledger: Ledger, board: MarkBoard, buckets: Int64s) -> Evaluated:
    """Margin of these buckets at the board's marks, and the worst guard among what they rest on.

    A position without a mark, or with one at which its value does not fit 18 digits, counts for
    nothing; the guard of its bucket is STALE, so nothing is decided on what cannot be right.
    """
    book, rules = ledger.book, ledger.rules
    place = np.full(book.buckets.capacity, -1, np.int64)
    place[buckets] = np.arange(len(buckets))
    positions, balances = book.positions, book.balances
    prices_e8 = rules.asset_prices(board.mark_e8)
    open_rows = np.flatnonzero(
        positions.live & (positions["quantity_e8"] != 0) & (place[positions["bucket"]] >= 0)
    )
    marked = _valued(ledger, board, prices_e8, open_rows)
    held, unmarked = open_rows[marked], open_rows[~marked]
    owned = np.flatnonzero(
        balances.live & (balances["amount_e8"] != 0) & (place[balances["bucket"]] >= 0)
    )
    position_bucket = place[positions["bucket"][held]]
    balance_bucket = place[balances["bucket"][owned]]
    instruments, assets = positions["instrument"][held], balances["asset"][owned]
    open_positions = Positions(
        bucket=position_bucket,
        instrument=instruments,
        quantity_e8=positions["quantity_e8"][held],
        cost_e8=positions["cost_e8"][held],
    )
    slow_e8 = rules.asset_prices(board.slow_e8)
    in_force = rules.at_prices(prices_e8, slow_e8, ledger.profile)
    owned_balances = Balances(balance_bucket, assets, balances["amount_e8"][owned])
    orders = _open_orders(ledger, board, prices_e8, place)
    of_buckets = Book(open_positions, owned_balances, _kinds(ledger, buckets), orders)
    pricer = rules.asset_price_instruments()
    market = Market(board.mark_e8, board.index_e8, board.volatility, board.clock_us, pricer)
    evaluation = evaluate_book(of_buckets, market, in_force, rules.terms, ledger.profile)
    guard = np.zeros(len(buckets), np.int8)
    mark_guard = board.guards()
    by_instrument = _guards(ledger, mark_guard)
    by_asset = _asset_guards(ledger, by_instrument)
    guard[place[positions["bucket"][unmarked]]] = Guard.STALE
    np.maximum.at(guard, position_bucket, by_instrument[instruments])
    np.maximum.at(guard, position_bucket, by_asset[rules.contracts.settlement[instruments]])
    np.maximum.at(guard, balance_bucket, by_asset[assets])
    return Evaluated(
        buckets,
        evaluation.state,
        guard,
        mark_guard,
        held,
        open_positions,
        evaluation.positions,
        in_force,
        of_buckets,
        market,
        evaluation,
    )


def _kinds(ledger: Ledger, buckets: Int64s) -> Int64s:
    """int64[N]: how each bucket is margined."""
    columns, accounts = ledger.book.buckets, ledger.book.accounts
    portfolio = accounts["portfolio"][columns["account"][buckets]]
    pool = np.where(portfolio, Kind.PORTFOLIO, Kind.CROSS)
    isolated = columns["instrument"][buckets] != CROSS
    return np.where(isolated, Kind.ISOLATED, pool).astype(np.int64)


def _open_orders(
    ledger: Ledger, board: MarkBoard, prices_e8: Int64s, place: Int64s
) -> OpenOrders | None:
    """What is open on contracts that have a mark; pairs ask for no margin.

    An order worth more than any position may be counts as the largest: nobody could afford that.
    """
    rules, sums = ledger.rules, ledger.book.open_orders(place)
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


def _valued(ledger: Ledger, board: MarkBoard, prices_e8: Int64s, rows: Int64s) -> Bools:
    """bool[n]: positions with a mark at which value and notional are far within 18 digits."""
    contracts, positions = ledger.rules.contracts, ledger.book.positions
    instruments = positions["instrument"][rows]
    mark = board.mark_e8[instruments] / E8
    units = np.abs(positions["quantity_e8"][rows] / E8) * contracts.multiplier_e8[instruments] / E8
    with np.errstate(divide="ignore"):
        value = np.where(contracts.inverse[instruments], units / mark, units * mark)
    price = np.maximum(prices_e8[contracts.settlement[instruments]] / E8, 1)
    driven = board.mark_e8[ledger.rules.terms.underlying[instruments]] > 0
    valued: Bools = (mark > 0) & driven & (value * price < LARGEST_VALUE)
    return valued


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


def pool_name(ledger: Ledger, bucket: int) -> str:
    """How records name a bucket: cross, or its isolated instrument."""
    instrument = int(ledger.book.buckets["instrument"][bucket])
    return "cross" if instrument == CROSS else ledger.rules.instruments[instrument]


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
