"""Recorded listed options: index options end of day, and American options on futures."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from risk.pricing import black76
from risk.pricing.implied import implied_volatility
from risk.pricing.surface import Surface
from risk.pricing.surface_fit import YEAR_US, parity_forward
from schemas.units import Floats
from tests.risk.pricing.chains import RECORDED, chain, floats, micros

pytestmark = RECORDED

SPX = "spx_eod_chain_2015-12-22_23"
ES = "cme_es_futures_options_30min_2020-01-06"
FUTURES = "cme_es_futures_quotes_1m_2020-01-06"
CLOSE = {date(2015, 12, 22): 2038.97, date(2015, 12, 23): 2064.29}
SPX_RATE = 0.01
ES_RATE = 0.0155


def spx_market(frame: pl.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Years, index and discount as the recording had them: 1%, no dividends, 365 days.

    Time runs from 15:15 on the day to midnight at the start of the day of expiry.
    """
    days = (frame["expiry"] - frame["date"]).dt.total_days().to_numpy()
    years = (days - 15.25 / 24) / 365
    index = frame["date"].replace_strict(CLOSE, return_dtype=pl.Float64).to_numpy()
    return years, index, np.exp(-SPX_RATE * years)


def spx_greeks(frame: pl.DataFrame) -> dict[str, Floats]:
    """Greeks on the index, from those on the forward = index / discount."""
    years, index, discount = spx_market(frame)
    volatility, call = floats(frame, "implied_volatility"), (frame["right"] == "C").to_numpy()
    g = black76.greeks(
        index / discount, floats(frame, "strike"), years, volatility, call, discount=discount
    )
    delta = g.delta / discount
    paid = delta * index - g.price  # of the strike, in today's money
    return {
        "delta": delta,
        "gamma": g.gamma / discount**2,
        "vega": g.vega / 100,
        "theta": (g.theta - SPX_RATE * paid) / 365,
        "rho": years * paid / 100,
    }


def test_index_option_greeks_to_their_seventh_decimal() -> None:
    frame = chain(SPX)
    for greek, found in spx_greeks(frame).items():
        gap = np.abs(found - floats(frame, greek))
        # Four puts deep in the money carry Greeks of another volatility than is printed.
        assert np.sum(gap > 5.1e-8) == 4, greek
        assert len(gap) == 505


def test_index_option_volatilities_come_from_the_price_out_of_the_money() -> None:
    frame = chain(SPX)
    years, index, discount = spx_market(frame)
    strike, call = floats(frame, "strike"), (frame["right"] == "C").to_numpy()
    venue, close = floats(frame, "implied_volatility"), floats(frame, "close")
    found = implied_volatility(close, index / discount, strike, years, call, discount=discount)
    outside = call == (strike >= index)
    gap = np.abs(found - venue)[outside]
    # Volatilities and closing prices are not of one instant.
    assert np.median(gap) < 5e-5
    assert np.mean(gap < 1e-3) > 0.95
    assert gap.max() < 6e-3
    both = frame.filter(pl.col("right") == "C").join(
        frame.filter(pl.col("right") == "P"), on=["date", "expiry", "strike"], suffix="_put"
    )
    assert len(both) == 27
    assert both["implied_volatility"].equals(both["implied_volatility_put"])


def test_parity_finds_the_dividends_that_the_recording_leaves_out() -> None:
    frame, yields = chain(SPX), []
    for _, part in frame.group_by("date", "expiry", maintain_order=True):
        years, index, discount = spx_market(part)
        forward = parity_forward(
            floats(part, "strike"),
            (part["right"] == "C").to_numpy(),
            floats(part, "close"),
            discount,
            False,
        )
        if np.isfinite(forward) and years[0] > 0.1:
            yields.append(SPX_RATE - np.log(forward / index[0]) / years[0])
    assert len(yields) == 13
    assert 0.015 < min(yields) < np.median(yields) < max(yields) < 0.032


def es_chain(expiry: date, month: str) -> pl.DataFrame:
    """Two-sided option quotes with the last mid of their future."""
    mid = (pl.col("bid") + pl.col("ask")) / 2
    future = chain(FUTURES).filter(pl.col("contract_month") == month).sort("ts")
    quotes = chain(ES).filter(pl.col("expiry") == expiry).sort("ts")
    forward = future.select("ts", mid.alias("forward"))
    return quotes.join_asof(forward, on="ts").drop_nulls(["bid", "ask", "forward"])


@pytest.mark.parametrize(
    ("expiry", "month", "bound"),
    [(date(2020, 3, 20), "202003", 5e-4), (date(2020, 6, 19), "202006", 1.3e-3)],
)
def test_early_exercise_is_worth_less_than_the_bound(
    expiry: date, month: str, bound: float
) -> None:
    """An American option on a future lies between discount x Black-76 and Black-76.

    So its volatility lies between the inversions with a discount of 1 and with the true one.
    """
    frame = es_chain(expiry, month)
    forward, strike = floats(frame, "forward"), floats(frame, "strike")
    call = (frame["option_type"] == "call").to_numpy()
    opening_us = pl.Series([expiry]).dt.epoch("us")[0] + int(13.5 * 3600e6)
    years = (opening_us - micros(frame, "ts")) / YEAR_US
    mid = (floats(frame, "bid") + floats(frame, "ask")) / 2
    low = implied_volatility(mid, forward, strike, years, call)
    high = implied_volatility(mid, forward, strike, years, call, discount=np.exp(-ES_RATE * years))
    outside = call == (strike >= forward)
    assert outside.sum() > 1500
    assert np.isfinite(low[outside]).all()
    assert (high > low)[outside].all()
    assert (high - low)[outside].max() < bound


def test_american_chain_as_a_surface_keeps_to_its_future() -> None:
    march = es_chain(date(2020, 3, 20), "202003")
    frame = march.filter(pl.col("ts").dt.strftime("%H:%M") == "14:59")
    opening_us = pl.Series([date(2020, 3, 20)]).dt.epoch("us")[0] + int(13.5 * 3600e6)
    surface = Surface.of_prices(
        opening_us,
        floats(frame, "strike"),
        frame["option_type"] == "call",
        floats(frame, "bid"),
        ask=floats(frame, "ask"),
        now_us=int(micros(frame, "ts").max()),
    )
    assert surface.forward[0] == pytest.approx(np.median(floats(frame, "forward")), abs=0.5)
    skew = surface.volatility(opening_us, [3050.0, 3150.0, 3250.0])
    assert (np.diff(skew) < 0).all()
    assert ((skew > 0.09) & (skew < 0.25)).all()
