"""How the numbers of one bucket came about, step by step, from the functions that made them."""

from collections.abc import Sequence
from dataclasses import fields, replace

from risk.book import Book, Evaluation, Market, OpenOrders
from risk.evaluation import evaluate
from risk.explaining import equity, margin
from risk.explaining.step import Names, Step
from risk.holdings import Balances, Positions, Rules, Terms
from risk.liquidation.stages import Ladder, health_level
from risk.profile import Profile
from risk.requirements.case import Case
from schemas.units import PPM, text

__all__ = ["Step", "explain"]


def explain(
    book: Book,
    market: Market,
    rules: Rules,
    terms: Terms,
    profile: Profile,
    *,
    bucket: int,
    instruments: Sequence[str] | None = None,
    assets: Sequence[str] | None = None,
) -> list[Step]:
    """The calculation of one bucket (row) from positions and balances to equity, margins, health.

    Parameters as of `risk.evaluation.evaluate`, and names of instruments and assets for the words
    of the steps. Nothing is computed here: every number is a column that goes in, or what a
    function of the evaluation returns for this bucket alone. Raises as `evaluate` does, IndexError
    where there is no such bucket.
    """
    if not 0 <= bucket < len(book.kind):
        raise IndexError(f"bucket row {bucket} is outside 0..{len(book.kind) - 1}")
    case = Case.of(_alone(book, bucket), market, rules, terms, profile)
    names = Names(
        instruments or [f"instrument {row}" for row in range(len(terms.side))],
        assets or [f"asset {row}" for row in range(len(rules.assets.price_e8))],
    )
    result = evaluate(case.book, market, rules, terms, profile)
    return [
        *equity.profits(case, result, names),
        *equity.collateral(case, result, names),
        equity.equity(result),
        *margin.tiers(case, result, names),
        *margin.options(case, names),
        *margin.portfolio(case, result, names),
        *_orders(case, result),
        _total(case, result),
        _levels(result),
    ]


def _orders(case: Case, result: Evaluation) -> list[Step]:
    """What open orders add to the initial margin."""
    if case.book.orders is None or not len(case.book.orders.bucket):
        return []
    without = evaluate(
        replace(case.book, orders=None), case.market, case.rules, case.terms, case.profile
    )
    with_e8, without_e8 = (one.state.initial_margin_e8[0] for one in (result, without))
    return [
        Step(
            "open orders",
            "initial margin with the worse of all bids or all asks filled - without",
            {
                "orders": str(int(case.book.orders.count.sum())),
                "initial margin without orders": text(without_e8),
                "initial margin with orders": text(with_e8),
                "added": text(with_e8 - without_e8),
            },
        )
    ]


def _total(case: Case, result: Evaluation) -> Step:
    legs = ", of long and short of one instrument the larger" if case.rules.larger_leg else ""
    return Step(
        "margin of the bucket",
        f"sum of the above{legs}",
        {
            "initial margin": text(result.state.initial_margin_e8[0]),
            "maintenance margin": text(result.state.maintenance_margin_e8[0]),
        },
    )


def _levels(result: Evaluation) -> Step:
    state, ladder = result.state, Ladder()
    margin_e8 = state.maintenance_margin_e8
    warning_ppm, call_ppm = ladder.warning_health_ppm, ladder.call_health_ppm
    return Step(
        "health",
        f"equity / maintenance margin; warned below {warning_ppm / PPM:g}, called below"
        f" {call_ppm / PPM:g}, liquidated below 1",
        {
            "warning level": text(health_level(margin_e8, warning_ppm)[0]),
            "call level": text(health_level(margin_e8, call_ppm)[0]),
            "missing to the initial margin": text(state.shortfall_initial_e8()[0]),
            "health": f"{state.health()[0]:.6f}" if margin_e8[0] else "nothing to maintain",
        },
    )


def _alone(book: Book, bucket: int) -> Book:
    """The book of one bucket."""
    positions, balances, orders = book.positions, book.balances, book.orders
    held, owned = positions.bucket == bucket, balances.bucket == bucket
    if orders is not None:
        placed = orders.bucket == bucket
        columns = [getattr(orders, field.name)[placed] for field in fields(OpenOrders)]
        orders = OpenOrders(columns[0] * 0, *columns[1:])
    return Book(
        Positions(
            positions.bucket[held] * 0,
            positions.instrument[held],
            positions.quantity_e8[held],
            positions.cost_e8[held],
        ),
        Balances(balances.bucket[owned] * 0, balances.asset[owned], balances.amount_e8[owned]),
        book.kind[[bucket]],
        orders,
    )
