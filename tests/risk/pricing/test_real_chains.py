"""Recorded crypto options: the venues' own volatilities, Greeks and marks are reproduced."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from scipy.optimize import least_squares

from risk.pricing import black76
from risk.pricing.implied import implied_volatility
from risk.pricing.surface import Surface
from risk.pricing.surface_fit import YEAR_US
from schemas.units import Floats
from tests.risk.pricing.chains import RECORDED, chain, floats, micros

pytestmark = RECORDED

ETHER = "deribit_eth_chain_2024-01-08"
BITCOIN = "deribit_btc_mark_iv_2024-05-24"
OKX = "okx_btc_option_quotes_2025-10-10"
OKX_NAMES = {"80000-C": (80_000, "call"), "80000-P": (80_000, "put"), "135000-C": (135_000, "call")}
DAY_US = 1_716_508_800_000_000  # 2024-05-24
HOUR_US = 3_600_000_000


def ether(repair: bool = False) -> Surface:
    """Every option of one instant: marks to 1e-6 ETH, no volatilities, no forward used."""
    frame = chain(ETHER)
    return Surface.of_prices(
        micros(frame, "expiry"),
        floats(frame, "strike"),
        frame["option_type"] == "C",
        floats(frame, "mark_price"),
        now_us=int(micros(frame, "ts").max()),
        in_coin=True,
        repair=repair,
    )


def test_ether_options_out_of_the_money_price_those_in_the_money() -> None:
    frame, surface = chain(ETHER), ether()
    expiry, strike = micros(frame, "expiry"), floats(frame, "strike")
    forward, years = surface.forward_at(expiry), (expiry - surface.now_us) / YEAR_US
    call = (frame["option_type"] == "C").to_numpy()
    mark = black76.price(forward, strike, years, surface.volatility(expiry, strike), call)
    # Two marks rounded to half a millionth each, and the forward from such marks.
    assert np.abs(mark / forward - floats(frame, "mark_price")).max() < 2e-6
    # The forward that priced the marks is a moment older than the one sent beside them.
    assert np.abs(forward / floats(frame, "underlying_forward") - 1).max() < 4e-5


def test_ether_rows_left_out_and_arbitrages() -> None:
    frame, surface = chain(ETHER), ether()
    worthless, deep = ((frame["symbol"][one.row], one.why) for one in surface.left_out)
    assert worthless == ("ETH-9JAN24-2900-C", "bid or mark 0.0 is not positive and finite")
    assert deep[0] == "ETH-9JAN24-2900-P"
    assert deep[1].startswith("no volatility gives price 0.30447")
    found = sorted(surface.violations(), key=lambda one: -one.amount)
    december = int(datetime(2024, 12, 27, 8, tzinfo=UTC).timestamp() * 1e6)
    assert (found[0].kind, found[0].expiry_us) == ("butterfly", december)
    assert found[0].strike == pytest.approx(2500)
    assert len(found) == 15
    assert [one for one in found if one.amount > 1e-3] == found[:1]


def test_ether_repaired_is_nearly_as_it_was() -> None:
    given, repaired = ether(), ether(repair=True)
    assert repaired.violations() == ()
    expiry, strike = micros(chain(ETHER), "expiry"), floats(chain(ETHER), "strike")
    change = np.abs(repaired.volatility(expiry, strike) - given.volatility(expiry, strike))
    assert np.median(change) < 1e-9
    assert np.mean(change < 1e-3) > 0.9


def okx(name: str) -> pl.DataFrame:
    strike, kind = OKX_NAMES[name]
    picked = (pl.col("strike") == strike) & (pl.col("type") == kind)
    return chain(OKX).filter(picked).sort("ts")


def okx_market() -> tuple[Floats, Floats, Floats]:
    """Years, forward and discount of each instant, from the Greeks of the call and put at 80000.

    delta(C) - delta(P) = D K / F and theta(C) - theta(P) = r (D - D K / F) / 365.
    """
    call, put = okx("80000-C"), okx("80000-P")
    years = (micros(call, "expiry") - micros(call, "ts")) / YEAR_US
    strikes = floats(call, "delta") - floats(put, "delta")
    thetas = 365 * (floats(call, "theta") - floats(put, "theta"))
    rate = np.zeros_like(years)
    for _ in range(10):
        rate = thetas / (np.exp(-rate * years) - strikes)
    discount = np.exp(-rate * years)
    return years, 80_000 * discount / strikes, discount


def okx_greeks(name: str) -> dict[str, Floats]:
    """Value and Greeks of one option in BTC: V = discount x Black-76 / forward."""
    years, forward, discount = okx_market()
    strike, kind = OKX_NAMES[name]
    volatility = floats(okx(name), "mark_iv")
    g = black76.greeks(forward, strike, years, volatility, kind == "call")
    rate = -np.log(discount) / years
    value = discount * g.price / forward
    delta = discount * g.delta - value
    return {
        "mark_price": value,
        "delta": delta,
        "gamma": discount * g.gamma * forward - 2 * delta,
        "vega": discount * g.vega / forward / 100,
        "theta": (discount * g.theta / forward + rate * value) / 365,
    }


@pytest.mark.parametrize("name", OKX_NAMES)
def test_okx_greeks_through_the_crash_to_single_precision(name: str) -> None:
    """The option at 135000 knows nothing of the two that gave the forward and the rate."""
    within = {"delta": 3e-7, "gamma": 2e-6, "vega": 1e-9, "theta": 1e-9}
    found = okx_greeks(name)
    for greek, tolerance in within.items():
        gap = np.abs(found[greek] - floats(okx(name), greek))
        assert len(gap) == 7396
        assert gap.max() < tolerance, greek


@pytest.mark.parametrize("name", OKX_NAMES)
def test_okx_marks_and_their_volatilities(name: str) -> None:
    years, forward, discount = okx_market()
    pair = floats(okx("80000-C"), "mark_price") - floats(okx("80000-P"), "mark_price")
    # Marks come by another channel: of one instant where they obey parity with the Greeks.
    together = np.abs(pair - discount * (1 - 80_000 / forward)) < 1e-7
    assert together.mean() > 0.5
    mark = floats(okx(name), "mark_price")
    gap = np.abs(okx_greeks(name)["mark_price"] - mark)
    assert np.quantile(gap[together], 0.99) < 5e-8
    assert np.nanquantile(gap, 0.5) < 5e-8
    strike, kind = OKX_NAMES[name]
    found = implied_volatility(
        mark * forward, forward, strike, years, kind == "call", discount=discount
    )
    # A call worth 0.34, deep in the money: single precision leaves five digits of volatility.
    within = 2e-5 if name == "80000-C" else 5e-7
    assert np.quantile(np.abs(found - floats(okx(name), "mark_iv"))[together], 0.99) < within


def test_okx_discounts_at_nothing_to_one_percent() -> None:
    years, _, discount = okx_market()
    rate = -np.log(discount) / years
    assert (rate.min(), rate.max()) == pytest.approx((0.0, 0.01), abs=2e-7)
    assert abs(np.median(rate)) < 1e-6


def bitcoin_misses(part: pl.DataFrame, now_us: float, premium: float) -> Floats:
    """Price of the sent volatility less the mark, in half ticks; forward = index x premium."""
    forward = floats(part, "index_price") * premium
    value = black76.price(
        forward,
        floats(part, "strike"),
        (micros(part, "expiry") - now_us) / YEAR_US,
        floats(part, "mark_iv") / 100,
        (part["option_type"] == "call").to_numpy(),
    )
    return np.asarray((value / forward - floats(part, "mark_price")) / 5e-5)


def test_bitcoin_expiries_agree_on_the_time_that_was_not_recorded() -> None:
    hours = []
    for _, part in chain(BITCOIN).group_by("expiry", maintain_order=True):
        fit = least_squares(
            lambda x, part=part: bitcoin_misses(part, DAY_US + x[0] * HOUR_US, x[1]),
            [18.0, 1.02],
            bounds=([0.0, 0.9], [31.0, 1.3]),
            x_scale=[1.0, 1e-3],
            loss="soft_l1",
        )
        hours.append(fit.x[0])
    assert len(hours) == 11
    assert np.median(hours) == pytest.approx(19.25, abs=0.1)
    assert np.abs(np.array(hours) - 19.25).max() < 0.7


def test_bitcoin_marks_follow_from_the_sent_volatilities() -> None:
    now_us = DAY_US + 19.25 * HOUR_US
    misses = []
    for _, part in chain(BITCOIN).group_by("expiry", maintain_order=True):
        fit = least_squares(
            lambda x, part=part: bitcoin_misses(part, now_us, x[0]),
            [1.02],
            bounds=(0.9, 1.3),
            loss="soft_l1",
        )
        misses.append(np.abs(bitcoin_misses(part, now_us, fit.x[0])))
    found = np.concatenate(misses)
    assert len(found) == 578
    # Half a tick is the rounding; the chain was read over minutes, in which the forward moved.
    assert np.mean(found <= 1.0) > 0.92
    assert np.sum(found > 2.1) == 2
