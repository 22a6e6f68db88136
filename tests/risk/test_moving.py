"""How far prices may move: books with options, and portfolios."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from risk.evaluation import Kind, evaluate, shock_distances
from risk.pricing.black76 import price
from risk.pricing.implied import implied_volatility
from tests.risk.desks import Desk
from tests.risk.random_desks import KINDS, LISTED, desk, desks


def moved(book: Desk, base: str, factor: float) -> Desk:
    """The desk after a move of an underlying: options at the volatilities that they had."""
    listed = {}
    for name, one in book.listed.items():
        if (one.underlying or name) != base:
            listed[name] = one
            continue
        mark = one.mark * factor
        if one.side:
            years, call = one.days / 365, one.side > 0
            forward, coin = book.forward(name), one.settlement == "BTC"
            premium = one.mark * (forward if coin else 1)
            volatility = implied_volatility(premium, forward, one.strike, years, call)
            mark = price(forward * factor, one.strike, years, float(volatility), call)
            mark = float(mark) / (forward * factor if coin else 1)
        listed[name] = replace(one, mark=mark, index=one.index * factor)
    assets = {
        name: replace(one, price=one.price * factor) if one.pricer == base else one
        for name, one in book.assets.items()
    }
    return book.with_(listed=listed, assets=assets)


@settings(deadline=None, max_examples=15)
@given(desks())
def test_at_the_liquidation_price_the_sign_of_the_surplus_turns(book: Desk) -> None:
    listed = {name: replace(one, volatility=np.nan) for name, one in LISTED.items()}
    paid = [(*row[:3], listed[row[1]].mark) for row in book.positions]
    book = book.with_(orders=None, listed=listed, positions=paid)
    state, prices = book.evaluate().state, book.liquidation_prices()
    options = {row[0] for row in book.positions if listed[row[1]].side}
    for place, (bucket, name, _, _) in enumerate(book.positions):
        if np.isnan(prices[place]) or not (KINDS[bucket] == Kind.PORTFOLIO or bucket in options):
            continue
        base = listed[name].underlying or name
        shown = base if listed[name].side else name
        factor = prices[place] / listed[shown].mark
        beyond = moved(book, base, 1 + (factor - 1) * 1.00001).evaluate().state
        left_e8 = beyond.equity_e8[bucket] - beyond.maintenance_margin_e8[bucket]
        safe = state.equity_e8[bucket] >= state.maintenance_margin_e8[bucket]
        assert (left_e8 < 0) == safe or abs(left_e8) < 100


def test_a_short_strangle_has_a_distance_on_either_side() -> None:
    held = [(0, "BTC-C", -1, None), (0, "BTC-P", -1, None)]
    book = desk(positions=held, balances=[(0, "USD", 20_000)])
    inputs = (book.book(), book.market(), book.rules(), book.terms(), book.profile)
    found = shock_distances(*inputs, evaluation=evaluate(*inputs))
    assert -0.5 < found.down[0] < 0 < found.up[0] < 0.5
