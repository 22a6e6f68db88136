"""A move of the market, such as BTC=-15%,vol=+30%, and a document after it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from risk.holdings import Bools, Rules
from risk.margin.rounding import nearest_e8
from risk.pricing import black76
from risk.requirements.view import view
from schemas.units import E8, Floats, Int64s, e8, multiply_e8
from streams.run.desk.book_file import BookFile
from streams.run.desk.fields import BookError

MOVE = re.compile(r"\s*([^=,]+?)\s*=\s*([+-]?[0-9]{1,5}(?:\.[0-9]{1,6})?)%\s*")
VOLATILITY = "vol"


@dataclass(frozen=True, slots=True)
class Shock:
    """Factors on prices, by base asset or underlying instrument, and on all volatilities."""

    text: str
    factors_e8: Mapping[str, int]
    volatility_e8: int = E8

    @staticmethod
    def of(text: str) -> "Shock":
        """From BTC=-15%,ETH=-20%,vol=+30%. Raises BookError naming the part and the rule."""
        factors: dict[str, int] = {}
        for part in text.split(","):
            match = MOVE.fullmatch(part)
            if match is None:
                raise BookError(f"shock {part!r} is not NAME=PERCENT%, such as BTC=-15%")
            name, factor_e8 = match[1], E8 + e8(match[2]) // 100
            if factor_e8 <= 0:
                raise BookError(f"shock {part!r} leaves nothing: it must be above -100%")
            if name in factors:
                raise BookError(f"shock {part!r}: {name} moves twice")
            factors[name] = factor_e8
        volatility_e8 = factors.pop(VOLATILITY, E8)
        return Shock(text, factors, volatility_e8)


def shocked(document: BookFile, rules: Rules, shock: Shock) -> BookFile:
    """The document after the shock.

    A name moves the marks and indexes of all instruments that have it as their base or underlying,
    and the fixed price of the asset of that name. Options whose forward or volatility moves get
    their Black-76 price there, the others keep their marks.

    Raises BookError where nothing has the name, or a price does not fit.
    """
    market = document.market
    factor_e8 = _factors(document, shock)
    option = document.terms.side != 0
    mark_e8 = np.where(
        option, market.mark_e8, _times(market.mark_e8, np.where(option, E8, factor_e8))
    )
    fixed = np.array([shock.factors_e8.get(name, E8) for name in document.asset_names], np.int64)
    moved = replace(
        document,
        market=replace(market, mark_e8=mark_e8, index_e8=_times(market.index_e8, factor_e8)),
        fixed_e8=_times(document.fixed_e8, fixed),
    )
    return _repriced(document, moved, rules, shock.volatility_e8 / E8)


def _factors(document: BookFile, shock: Shock) -> Int64s:
    """int64[I]: what each instrument's mark is multiplied with, at 1e-8."""
    names, listings = document.instrument_names, document.instruments.listings
    underlying = [names[row] for row in document.terms.underlying.tolist()]
    factor_e8 = np.full(len(names), E8, np.int64)
    for name, value_e8 in shock.factors_e8.items():
        rows = [
            row for row, one in enumerate(listings) if one.base == name or underlying[row] == name
        ]
        if not rows and name not in document.asset_names:
            known = ", ".join(sorted({one.base for one in listings} | set(underlying)))
            raise BookError(f"shock {name!r} is no base and no underlying, known are {known}")
        if (factor_e8[rows] != E8).any():
            raise BookError(f"shock {name!r} moves what another part of the shock moves")
        factor_e8[rows] = value_e8
    return factor_e8


def _repriced(before: BookFile, after: BookFile, rules: Rules, factor: float) -> BookFile:
    rows = np.flatnonzero(before.terms.side)
    if not len(rows):
        return after
    volatility = before.market.volatility.copy()
    now = view(rows, before.market, rules, before.terms).contracts
    volatility[rows] = now.volatility * factor
    market = replace(after.market, volatility=volatility)
    then = view(rows, market, rules, before.terms).contracts
    premium = black76.price(
        then.forward,
        then.strike,
        then.years,
        then.volatility,
        then.side > 0,
        discount=then.discount,
    )
    price: Floats = np.where(then.inverse, premium / then.forward, premium) * E8
    repriced: Bools = (then.forward != now.forward) | (then.volatility != now.volatility)
    mark_e8 = market.mark_e8.copy()
    mark_e8[rows[repriced]] = nearest_e8(price[repriced])
    return replace(after, market=replace(market, mark_e8=mark_e8))


def _times(amount_e8: Int64s, factor_e8: Int64s) -> Int64s:
    product_e8, fits = multiply_e8(amount_e8, factor_e8)
    if not fits.all():
        raise BookError("after the shock a price is beyond 9,999,999,999.99999999")
    return product_e8
