"""Options on a spot: the textbook's printed prices, and Greeks that are slopes of them."""

import numpy as np
import pytest

from risk.pricing import black76
from risk.pricing.generalised import generalised, generalised_greeks


def market(count: int = 1_000) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(9)
    spot = chance.uniform(50, 150, count)
    years, volatility = chance.uniform(0.05, 2, count), chance.uniform(0.1, 1.5, count)
    strike = spot * np.exp(chance.uniform(-2, 2, count) * volatility * np.sqrt(years))
    return {
        "spot": spot, "strike": strike, "years": years, "volatility": volatility,
        "call": chance.random(count) < 0.5, "rate": chance.uniform(-0.02, 0.1, count),
        "carry": chance.uniform(-0.1, 0.1, count),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "rate", "carry", "printed"),
    [
        ((60, 65, 0.25, 0.30, True), 0.08, 0.08, 2.1334),
        ((100, 95, 0.5, 0.20, False), 0.10, 0.05, 2.4648),
        ((19, 19, 0.75, 0.28, True), 0.10, 0.0, 1.7011),
        ((1.56, 1.60, 0.5, 0.12, True), 0.06, -0.02, 0.0291),
    ],
    ids=["share", "index", "future", "currency"],
)
def test_prices_that_haug_prints(inputs, rate, carry, printed):
    assert float(generalised(*inputs, rate=rate, carry=carry)) == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "of", "argument", "sign"),
    [
        ("delta", "price", "spot", 1),
        ("gamma", "delta", "spot", 1),
        ("vega", "price", "volatility", 1),
        ("theta", "price", "years", -1),
        ("vanna", "delta", "volatility", 1),
        ("volga", "vega", "volatility", 1),
        ("charm", "delta", "years", -1),
    ],
)
def test_greeks_are_slopes(name, of, argument, sign):
    inputs = market()
    step = 1e-5 * inputs[argument]
    up, down = (
        getattr(generalised_greeks(**(inputs | {argument: inputs[argument] + move})), of)
        for move in (step, -step)
    )
    found, slope = getattr(generalised_greeks(**inputs), name), sign * (up - down) / (2 * step)
    np.testing.assert_allclose(found, slope, rtol=2e-5, atol=2e-6 * np.abs(slope).max())


@pytest.mark.parametrize(("name", "carried", "sign"), [("rho", 1, 1), ("dividend_rho", 0, -1)])
def test_rates_move_the_value(name, carried, sign):
    """A higher rate raises the carry, the yield held; a higher yield lowers it, the rate held."""
    inputs, step = market(), 1e-6
    values = []
    for move in (step, -step):
        there = {"carry": inputs["carry"] + sign * move, "rate": inputs["rate"] + carried * move}
        values.append(generalised(**(inputs | there)))
    slope = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(
        getattr(generalised_greeks(**inputs), name), slope, rtol=1e-5, atol=1e-5
    )


def test_without_carry_it_is_black_76_on_the_spot():
    inputs = market() | {"carry": 0.0}
    held = generalised_greeks(**inputs)
    columns = [inputs[name] for name in ("spot", "strike", "years", "volatility", "call")]
    forward = black76.greeks(*columns, discount=np.exp(-inputs["rate"] * inputs["years"]))
    for name in ("price", "delta", "gamma", "vega", "vanna", "volga"):
        assert (getattr(held, name) == getattr(forward, name)).all()
    assert (generalised(**inputs) == held.price).all()


def test_a_call_less_a_put_is_the_spot_carried_less_the_strike():
    inputs = market()
    call, put = (generalised(**(inputs | {"call": kind})) for kind in (True, False))
    years, yielded = inputs["years"], inputs["rate"] - inputs["carry"]
    worth = inputs["spot"] * np.exp(-yielded * years)
    owed = inputs["strike"] * np.exp(-inputs["rate"] * years)
    np.testing.assert_allclose(call - put, worth - owed, atol=1e-12)


def test_at_expiry_only_the_intrinsic_value_is_left():
    held = generalised_greeks(100.0, [90.0, 110.0], 0.0, 0.5, True, rate=0.05, carry=0.02)
    assert held.price.tolist() == [10, 0]
    assert held.delta.tolist() == [1, 0]
    assert not held.gamma.any()
    assert not held.rho.any()
    assert np.isfinite(held.charm).all()
