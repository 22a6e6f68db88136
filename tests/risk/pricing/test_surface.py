"""The volatility surface: its points come back, it interpolates as it says, arbitrage is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from risk.pricing import black76
from risk.pricing.surface import Surface
from risk.pricing.surface_fit import YEAR_US
from schemas.units import Floats

MONTH_US = YEAR_US // 12
EXPIRIES = np.array([1, 3, 12]) * MONTH_US
STRIKES = np.array([60.0, 80, 90, 100, 110, 130, 170])


def smile(moneyness: Floats, years: Floats) -> Floats:
    """Natural SVI, the same in total variance at every expiry but for its level: no arbitrage."""
    k = moneyness
    w = 0.25 * years * (1 - 0.1 * k + np.sqrt((0.8 * k - 0.2) ** 2 + 0.5))
    return np.asarray(np.sqrt(w / years))


def grid() -> tuple[Floats, Floats, Floats, Floats]:
    """Expiry, strike, forward and volatility of every point of a surface without arbitrage."""
    expiry, strike = (a.ravel() for a in np.meshgrid(EXPIRIES, STRIKES, indexing="ij"))
    forward = 100 * np.exp(0.05 * expiry / YEAR_US)
    return expiry, strike, forward, smile(np.log(strike / forward), expiry / YEAR_US)


def sent(repair: bool = False) -> Surface:
    expiry, strike, forward, volatility = grid()
    return Surface.of_volatilities(
        expiry, strike, volatility, now_us=0, forward=forward, repair=repair
    )


def test_every_point_comes_back() -> None:
    expiry, strike, forward, volatility = grid()
    assert sent().volatility(expiry, strike, forward) == pytest.approx(volatility, rel=1e-14)
    assert sent().volatility(expiry, strike) == pytest.approx(volatility, rel=1e-14)


def test_the_order_of_rows_does_not_matter() -> None:
    expiry, strike, forward, volatility = grid()
    rows = np.random.default_rng(7).permutation(len(expiry))
    shuffled = Surface.of_volatilities(
        expiry[rows], strike[rows], volatility[rows], now_us=0, forward=forward[rows]
    )
    assert np.array_equal(shuffled.variance, sent().variance)
    assert np.array_equal(shuffled.slope, sent().slope)


def test_within_an_expiry_total_variance_is_the_monotone_cubic() -> None:
    expiry, strike, forward, volatility = grid()
    k = np.linspace(-0.4, 0.4, 4001)
    for one in EXPIRIES:
        rows = expiry == one
        years, f = one / YEAR_US, forward[rows][0]
        curve = PchipInterpolator(np.log(strike[rows] / f), volatility[rows] ** 2 * years)
        found = sent().volatility(one, f * np.exp(k), f) ** 2 * years
        assert found == pytest.approx(curve(k), rel=1e-12)
        assert np.ptp(found) <= np.ptp(volatility[rows] ** 2 * years) + 1e-15


@given(st.floats(0, 1), st.floats(-0.5, 0.5), st.integers(0, 1))
def test_between_expiries_total_variance_is_linear_in_time(
    share: float, moneyness: float, e: int
) -> None:
    early, late = (int(us) for us in EXPIRIES[e : e + 2])
    between = early + round(share * (late - early))
    strike = 100 * np.exp(moneyness)
    w = sent().volatility([early, between, late], strike, 100.0) ** 2
    w = w * np.array([early, between, late]) / YEAR_US
    expected = w[0] + (w[2] - w[0]) * (between - early) / (late - early)
    assert w[1] == pytest.approx(expected, rel=1e-12)


def test_volatility_is_flat_beyond_the_wings_and_the_expiries() -> None:
    surface, month = sent(), int(EXPIRIES[0])
    f = surface.forward_at(month)
    edges = surface.volatility(month, [60.0, 170.0], f)
    assert np.array_equal(surface.volatility(month, [1e-6, 1e9], f), edges)
    ends = surface.volatility(EXPIRIES[[0, -1]], 95.0, 100.0)
    beyond = surface.volatility([1, 5 * YEAR_US], 95.0, 100.0)
    assert beyond == pytest.approx(ends, rel=1e-15)
    assert surface.volatility(-MONTH_US, 95.0, 100.0) == pytest.approx(ends[0], rel=1e-15)


def test_one_point_is_a_flat_surface() -> None:
    surface = Surface.of_volatilities(MONTH_US, 100.0, 0.6, now_us=0, forward=100.0)
    found = surface.volatility([1, MONTH_US, YEAR_US], [[50.0], [100.0], [300.0]], 120.0)
    assert found == pytest.approx(np.full((3, 3), 0.6), rel=1e-15)
    assert surface.violations() == ()


def test_thousands_of_instruments_and_scenarios_at_once() -> None:
    random = np.random.default_rng(3)
    expiry = random.integers(1, 2 * YEAR_US, 5000)[:, None]
    strike = random.uniform(20, 400, 5000)[:, None]
    moved = 100 * np.array([0.5, 0.9, 1.0, 1.1, 2.0])
    surface = sent()
    found = surface.volatility(expiry, strike, 100.0, moved=moved, sticky="moneyness")
    assert found.shape == (5000, 5)
    for i in range(0, 5000, 499):
        for s in range(5):
            alone = surface.volatility(int(expiry[i, 0]), float(strike[i, 0]), float(moved[s]))
            assert alone == found[i, s]


def test_what_is_sticky_when_the_forward_moves() -> None:
    surface, month = sent(), int(EXPIRIES[0])
    at = surface.volatility(month, 90.0, 100.0)
    assert surface.volatility(month, 90.0, 100.0, moved=80.0) == at
    along = surface.volatility(month, 90.0, 100.0, moved=80.0, sticky="moneyness")
    assert along == surface.volatility(month, 90.0 / 0.8, 100.0)
    with pytest.raises(ValueError, match="'delta' is neither 'strike' nor 'moneyness'"):
        surface.volatility(month, 90.0, 100.0, sticky="delta")  # type: ignore[arg-type]


@pytest.mark.parametrize("in_coin", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_prices_give_the_volatilities_that_they_were_made_with(in_coin: bool, known: bool) -> None:
    expiry, strike, forward, volatility = (np.tile(column, 2) for column in grid())
    call = np.arange(len(expiry)) < len(expiry) // 2
    years = expiry / YEAR_US
    discount = np.exp(-0.03 * years)
    price = black76.price(forward, strike, years, volatility, call, discount=discount)
    unit = forward if in_coin else 1.0
    surface = Surface.of_prices(
        expiry, strike, call, price / unit * 0.999,
        ask=price / unit * 1.001, now_us=0, forward=forward if known else None,
        discount=discount, in_coin=in_coin,
    )  # fmt: skip
    assert surface.left_out == ()
    assert surface.forward == pytest.approx(np.unique(forward), rel=1e-12)
    assert surface.volatility(expiry, strike) == pytest.approx(volatility, rel=1e-9)


def test_the_option_out_of_the_money_counts_and_the_other_where_it_is_missing() -> None:
    price = black76.price(100.0, [90.0, 90.0, 110.0], 1.0, [0.5, 0.7, 0.6], [False, True, False])
    surface = Surface.of_prices(
        YEAR_US, [90.0, 90.0, 110.0], [False, True, False], price, now_us=0, forward=100.0
    )
    found = surface.volatility(YEAR_US, [90.0, 110.0], 100.0)
    assert found == pytest.approx([0.5, 0.6], rel=1e-9)


def test_rows_that_are_not_usable_are_named() -> None:
    rows = [
        # expiry, strike, call, bid, ask, forward
        (YEAR_US, 100.0, True, 10.0, 10.0, 100.0),
        (YEAR_US, 120.0, True, 5.5, 5.0, 100.0),
        (YEAR_US, 130.0, True, 0.0, 5.0, 100.0),
        (YEAR_US, 140.0, True, 3.0, np.nan, 100.0),
        (YEAR_US, 150.0, True, 160.0, 160.0, 100.0),
        (YEAR_US, -1.0, True, 5.0, 5.0, 100.0),
        (0, 100.0, True, 5.0, 5.0, 100.0),
        (2 * YEAR_US, 100.0, True, 5.0, 5.0, np.nan),
    ]
    expiry, strike, call, bid, ask, forward = (np.array(c) for c in zip(*rows, strict=True))
    surface = Surface.of_prices(expiry, strike, call, bid, ask=ask, now_us=0, forward=forward)
    assert dict(surface.left_out) == {
        1: "bid 5.5 is above ask 5.0",
        2: "bid or mark 0.0 is not positive and finite",
        3: "ask nan is not positive and finite",
        4: "no volatility gives price 160.0 at forward 100.0",
        5: "strike -1.0 is not positive and finite",
        6: "expiry 0 is not after 0",
        7: f"no forward: no strike of expiry {2 * YEAR_US} has a call and a put",
    }
    assert surface.expiry_us.tolist() == [YEAR_US]


def test_volatilities_that_are_not_usable_are_named() -> None:
    surface = Surface.of_volatilities(
        YEAR_US, [90.0, 100.0, 110.0], [0.0, 0.5, np.inf], now_us=0, forward=100.0
    )
    assert dict(surface.left_out) == {
        0: "volatility 0.0 is not positive and finite",
        2: "volatility inf is not positive and finite",
    }
    with pytest.raises(ValueError, match=r"none of 1 rows .* volatility -0.5 is not positive"):
        Surface.of_volatilities(YEAR_US, 100.0, -0.5, now_us=0, forward=100.0)
    with pytest.raises(ValueError, match="none of 0 rows"):
        Surface.of_volatilities([], [], [], now_us=0, forward=100.0)


@pytest.mark.parametrize(("strike", "forward"), [(0.0, 100.0), (np.nan, 100.0), (100.0, -1.0)])
def test_a_strike_or_forward_that_is_not_positive_is_refused(strike: float, forward: float) -> None:
    with pytest.raises(ValueError, match="is not positive and finite"):
        sent().volatility(MONTH_US, strike, forward)


def test_a_surface_without_arbitrage_has_no_violations_and_no_repair() -> None:
    assert sent().violations() == ()
    assert np.array_equal(sent(repair=True).variance, sent().variance)


def test_a_butterfly_is_named_and_repaired_where_it_is() -> None:
    expiry, strike, forward, volatility = grid()
    volatility[10] *= 1.05
    surface = Surface.of_volatilities(expiry, strike, volatility, now_us=0, forward=forward)
    (found,) = surface.violations()
    assert (found.kind, found.expiry_us) == ("butterfly", EXPIRIES[1])
    assert found.strike == pytest.approx(100.0)
    three = slice(9, 12)
    c = (
        black76.price(
            forward[three], strike[three], expiry[three] / YEAR_US, volatility[three], True
        )
        / forward[10]
    )
    assert found.amount == pytest.approx(c[1] - (c[0] + c[2]) / 2, rel=1e-9)
    repaired = Surface.of_volatilities(
        expiry, strike, volatility, now_us=0, forward=forward, repair=True
    )
    assert repaired.violations() == ()
    changed = np.abs(repaired.volatility(expiry, strike) / volatility - 1) > 1e-6
    assert np.flatnonzero(changed).tolist() == [10]


def test_a_calendar_is_named_and_repaired() -> None:
    expiry, strike, forward, volatility = grid()
    volatility[expiry == EXPIRIES[0]] *= 2
    surface = Surface.of_volatilities(expiry, strike, volatility, now_us=0, forward=forward)
    found = [one for one in surface.violations() if one.kind == "calendar"]
    assert {one.expiry_us for one in found} == {int(EXPIRIES[1])}
    assert all(one.amount > 1e-9 for one in found)
    repaired = Surface.of_volatilities(
        expiry, strike, volatility, now_us=0, forward=forward, repair=True
    )
    assert repaired.violations() == ()
    early = expiry == EXPIRIES[0]
    assert repaired.volatility(expiry, strike)[early] == pytest.approx(volatility[early])


@given(st.integers(0, 10**6))
def test_any_noisy_chain_can_be_repaired(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(1, 40))
    expiry = random.choice(EXPIRIES, size)
    strike = np.round(100 * np.exp(random.normal(0, 0.3, size)), int(random.integers(0, 3)))
    volatility = np.exp(random.normal(-0.5, random.choice([0.01, 0.1, 0.5]), size))
    surface = Surface.of_volatilities(
        expiry, strike, volatility, now_us=0, forward=100.0, repair=True
    )
    assert surface.violations(1e-8) == ()
    assert np.isfinite(surface.volatility(expiry, strike)).all()
