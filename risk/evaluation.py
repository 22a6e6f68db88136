"""What every bucket is worth and requires by the rules of a profile: the whole book in one call.

Read `evaluate` from top to bottom; each step is a function of its own.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from risk.book import Book, BucketGreeks, Evaluation, Kind, Market, OpenOrders
from risk.holdings import Rules, Terms
from risk.margin import buckets, exposures, liquidation_price
from risk.margin.boundary import Boundaries
from risk.margin.portfolio import NO_SCENARIO
from risk.margin.shock_distance import Distances, shock_distance
from risk.profile import Profile
from risk.requirements import option_rule, portfolio_rule
from risk.requirements.case import Case
from risk.requirements.greeks import bucket_greeks
from risk.requirements.merging import margin_sum, with_fills, with_shares, without_tiers
from risk.requirements.moving import Moving
from risk.requirements.open_orders import tiered_addition
from risk.requirements.rows import Held, Required
from risk.requirements.search import boundaries
from risk.requirements.view import View
from risk.valuation import sum_by
from schemas.units import E8, Floats, Int64s

__all__ = [
    "Book",
    "BucketGreeks",
    "Evaluation",
    "Kind",
    "Market",
    "OpenOrders",
    "evaluate",
    "liquidation_prices",
    "shock_distances",
]


def evaluate(
    book: Book, market: Market, rules: Rules, terms: Terms, profile: Profile
) -> Evaluation:
    """Equity, margins, worst scenarios and Greeks of all buckets, and what each position requires.

    Parameters: what buckets hold; prices; contracts, tiers and assets (`profile.rules` makes them
    of tables); what each instrument is written on; the profile.

    Equity: balances and positions at their marks, assets less their haircuts.
    Cross and isolated buckets: perpetuals and futures by their tiers, options by the profile's
    standard margin. Portfolios: all positions by the profile's scenarios. Open orders add to the
    initial margin what the worst of all bids or all asks filled would.

    Money is exact: no result depends on the order of rows, nor on which other buckets are in the
    call. Without options and portfolios this is `risk.margin.buckets.evaluate`.

    Raises ValueError where a bucket holds what the profile has no rule for, or where the underlying
    of an option has no mark; OverflowError naming the lowest bucket row of an amount that does not
    fit; IndexError where a row names what is not there.

    5,000 in cash and two contracts bought at 59,000, the mark at 60,000, margin 2% and 1%:

    >>> import numpy as np
    >>> from risk import evaluate
    >>> from risk.book import Book, Kind, Market
    >>> from risk.holdings import Assets, Balances, Contracts, Positions, StepTable, Terms
    >>> from risk.profile import Profile
    >>> tier = {"floor": 0, "initial": 0.02, "maintenance": 0.01}
    >>> profile, row, one = Profile.of({"tiers": {"table": [tier]}}), np.array([0]), np.array([1])
    >>> contracts = Contracts(row > 0, one * 10**8, settlement=row, lot_e8=one, tick_e8=one)
    >>> dollars = Assets(one * 10**8, borrow_weight_ppm=row, haircuts=StepTable.of([[]]))
    >>> rules = profile.rules(contracts, profile.tiers([None], scalars_ppm=[10**6]), dollars)
    >>> held = Positions(row, row, quantity_e8=one * 2 * 10**8, cost_e8=one * 118_000 * 10**8)
    >>> book = Book(held, Balances(row, row, one * 5_000 * 10**8), kind=row + Kind.CROSS)
    >>> market = Market(one * 60_000 * 10**8, row, volatility=row * np.nan, time_us=0)
    >>> state = evaluate(book, market, rules, Terms(row, row, row, row), profile).state
    >>> print(state.equity_e8 / 1e8, state.maintenance_margin_e8 / 1e8, state.health())
    [7000.] [1200.] [5.83333333]
    """
    case = Case.of(book, market, rules, terms, profile)
    result = _tiered(case)
    chosen = case.with_options_or_scenarios()
    if chosen.any():
        seen = case.view(chosen)
        result = _with_options(case, seen, result)
        result = _with_portfolios(case, seen, result)
        held = case.held()
        greeks = bucket_greeks(held.where(chosen[held.bucket]), seen, case.size)
        result = replace(result, greeks=greeks)
    return _with_order_fees(case, result)


def liquidation_prices(
    book: Book,
    market: Market,
    rules: Rules,
    terms: Terms,
    profile: Profile,
    *,
    evaluation: Evaluation,
    searched: bool = True,
) -> Floats:
    """The nearest mark of each position at which its bucket's equity is its maintenance margin [P].

    nan where there is none. Exact where tiers alone require margin: the position's mark moves, all
    else is fixed. In buckets with options and in portfolios everything of the underlying moves
    together, options at their volatilities, and that of an option is the mark of its underlying; it
    is looked for from a hundredth to a hundredfold, some thirty evaluations; not `searched`: nan.
    """
    case, positions = Case.of(book, market, rules, terms, profile), book.positions
    found = np.full(len(positions.bucket), np.nan)
    chosen = case.with_options_or_scenarios()
    apart = chosen[positions.bucket]
    bucket, instrument = positions.bucket[~apart], positions.instrument[~apart]
    if len(bucket):
        exact = liquidation_price.liquidation_prices(
            _tiered_book(case, evaluation), bucket, instrument
        )
        found[~apart] = exact.nearest(market.mark_e8[instrument] / E8)
    if searched and apart.any():
        bucket, instrument = positions.bucket[apart], positions.instrument[apart]
        count, underlying = len(case.option), terms.underlying[instrument]
        pair, of_row = np.unique(bucket * count + underlying, return_inverse=True)
        factors = _factors(case, *np.divmod(pair, count))
        shown = np.where(case.option[instrument], underlying, instrument)
        nearest = factors.nearest(np.ones(len(pair)))[of_row]
        found[apart] = nearest * (market.mark_e8[shown] / E8)
    return found


def shock_distances(
    book: Book,
    market: Market,
    rules: Rules,
    terms: Terms,
    profile: Profile,
    *,
    evaluation: Evaluation,
) -> Distances:
    """How far all marks can move together until equity is the maintenance margin, by bucket [N]."""
    case = Case.of(book, market, rules, terms, profile)
    exact = shock_distance(_tiered_book(case, evaluation))
    chosen = np.flatnonzero(case.with_options_or_scenarios())
    if len(chosen):
        factors = _factors(case, chosen, np.full(len(chosen), -1))
        exact.down[chosen], exact.up[chosen] = factors.below - 1, factors.above - 1
    return exact


def _factors(case: Case, bucket: Int64s, underlying: Int64s) -> Boundaries:
    """Factors on the marks of an underlying [Q], -1: of all, at which buckets [Q] reach MM."""

    def surplus_of(rows: Int64s, table: Int64s) -> Callable[[Floats], Floats]:
        _, first = np.unique(table, return_index=True)
        moving = Moving.of(case, bucket[rows], table, underlying[rows[first]])

        def surplus(factor: Floats) -> Floats:
            market, rules = moving.at(factor)
            state = evaluate(moving.book, market, rules, moving.terms, case.profile).state
            return (state.equity_e8 - state.maintenance_margin_e8).astype(np.float64)

        return surplus

    return boundaries(surplus_of, underlying)


def _tiered_book(case: Case, evaluation: Evaluation) -> exposures.Book:
    book, market = case.book, case.market
    assets = len(case.rules.assets.price_e8)
    return exposures.Book(
        book.positions,
        book.balances,
        market.mark_e8,
        case.rules,
        evaluation.state,
        evaluation.positions,
        np.full(assets, -1, np.int64) if market.pricer is None else market.pricer,
    )


def _tiered(case: Case) -> Evaluation:
    """All equities, and the margins of what has tiers, with its open orders."""
    book, market = case.book, case.market
    rules = case.rules if case.plain else without_tiers(case.rules, case.option)
    state, positions = buckets.evaluate(
        book.positions, book.balances, market.mark_e8, rules, case.size
    )
    orders = case.orders(case.order_rows("tiers"))
    if orders is not None:
        added_e8 = tiered_addition(case.held(), orders, market, rules, case.size)
        state = replace(state, initial_margin_e8=margin_sum(state.initial_margin_e8, added_e8))
    return Evaluation(state, positions, np.full(case.size, NO_SCENARIO, np.int64))


def _with_options(case: Case, seen: View, result: Evaluation) -> Evaluation:
    """Add the standard margin of options in buckets that are no portfolios."""
    rule, held = case.profile.options, case.held()
    chosen = case.standard_options(held.bucket, held.instrument)
    orders = case.orders(case.order_rows("options"))
    if rule is None or (orders is None and not chosen.any()):
        return result

    def required(rows: Held) -> Required:
        return option_rule.required(rows, seen, rule, case.size)

    now, initial_e8 = with_fills(required, held.where(chosen), orders)
    state = replace(
        result.state,
        initial_margin_e8=margin_sum(result.state.initial_margin_e8, initial_e8),
        maintenance_margin_e8=margin_sum(result.state.maintenance_margin_e8, now.maintenance_e8),
    )
    return with_shares(replace(result, state=state), now, held.where(chosen), chosen)


def _with_portfolios(case: Case, seen: View, result: Evaluation) -> Evaluation:
    """Put the requirement by scenarios in the place of the tiers' in portfolios."""
    rule, portfolio = case.profile.portfolio, case.portfolio
    if rule is None or not portfolio.any():
        return result
    chosen = portfolio[case.book.positions.bucket]
    held = case.held().where(chosen)
    rows = held.and_also(case.coins(seen, result.positions)) if case.moving_coins() else held
    required = portfolio_rule.recipe(rule, seen, case.market.moves, case.size)
    now, initial_e8 = with_fills(required, rows, case.orders(case.order_rows("portfolios")))
    before = result.state
    state = replace(
        before,
        initial_margin_e8=np.where(portfolio, initial_e8, before.initial_margin_e8),
        maintenance_margin_e8=np.where(portfolio, now.maintenance_e8, before.maintenance_margin_e8),
    )
    return with_shares(replace(result, state=state, worst=now.worst), now, held, chosen)


def _with_order_fees(case: Case, result: Evaluation) -> Evaluation:
    """Add what the profile charges for each open order."""
    orders, fee_e8 = case.book.orders, case.profile.order_fee_e8
    if orders is None or not fee_e8:
        return result
    fees_e8 = sum_by(orders.bucket, orders.count * fee_e8, case.size)
    initial_e8 = margin_sum(result.state.initial_margin_e8, fees_e8)
    return replace(result, state=replace(result.state, initial_margin_e8=initial_e8))
