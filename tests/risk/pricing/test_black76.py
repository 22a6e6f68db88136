"""Black-76 agrees with the textbook in sixty digits, with QuantLib and with itself."""

import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.pricing.black76 import CHUNK, WORTH_SHARING, Greeks, greeks, price
from tests.reference import black76 as textbook

NAMES = ("price", "delta", "gamma", "vega", "theta", "vanna", "volga")


def market(seed: int, count: int) -> tuple[np.ndarray, ...]:
    """Forwards, strikes within three deviations, an hour to five years, volatilities, kinds."""
    chance = np.random.default_rng(seed)
    forward = 10 ** chance.uniform(-3, 5, count)
    years = 10 ** chance.uniform(-4, 0.7, count)
    volatility = chance.uniform(0.05, 2.5, count)
    deviations = chance.uniform(-3, 3, count)
    strike = forward * np.exp(deviations * volatility * np.sqrt(years))
    return forward, strike, years, volatility, chance.random(count) < 0.5


def sizes(forward, strike, years, volatility) -> dict[str, np.ndarray]:
    """How large each number is before anything cancels: what errors are measured by."""
    total = volatility * np.sqrt(years)
    d1 = np.log(forward / strike) / total + total / 2
    d2 = d1 - total
    held = greeks(forward, strike, years, volatility, True)
    return {
        "vanna": held.vega / (forward * total) * (1 + abs(d2)),
        "volga": held.vega / volatility * (1 + abs(d1 * d2)),
    }


@settings(max_examples=300, deadline=None)
@given(
    forward=st.floats(1e-4, 1e6),
    deviations=st.floats(-36, 36),
    years=st.floats(1e-5, 30),
    volatility=st.floats(0.005, 4),
    call=st.booleans(),
)
def test_every_number_is_the_textbooks(forward, deviations, years, volatility, call) -> None:
    total = volatility * np.sqrt(years)
    strike = forward * np.exp(min(max(deviations * total, -400.0), 400.0))
    found = greeks(forward, strike, years, volatility, call)
    exact = textbook.black76(forward, strike, years, volatility, call=call)
    scale = sizes(forward, strike, years, volatility)
    # exp(-d^2/2) makes d^2 errors of one.
    d = abs(np.log(forward / strike)) / total + total
    for name in NAMES:
        expected = float(exact[name])
        slack = 3e-14 * (1 + d * d) * max(abs(expected), float(scale.get(name, 0.0))) + 1e-300
        assert float(getattr(found, name)) == pytest.approx(expected, rel=0, abs=slack), name


def test_ten_thousand_options_of_quantlib() -> None:
    forward, strike, years, volatility, call = market(76, 10_000)
    found = greeks(forward, strike, years, volatility, call)
    theirs = {name: np.empty(len(forward)) for name in NAMES}
    kinds = np.where(call, QuantLib.Option.Call, QuantLib.Option.Put).tolist()
    rows = zip(forward, strike, years, volatility, kinds, strict=True)
    for row, (f, k, t, v, kind) in enumerate(rows):
        payoff = QuantLib.PlainVanillaPayoff(kind, float(k))
        # Discount 1: the spot is the forward.
        one = QuantLib.BlackCalculator(payoff, float(f), float(v * np.sqrt(t)), 1.0)
        theirs["price"][row] = one.value()
        theirs["delta"][row] = one.deltaForward()
        theirs["gamma"][row] = one.gammaForward()
        theirs["vega"][row] = one.vega(t)
        theirs["theta"][row] = one.theta(f, t)
        theirs["vanna"][row] = one.vanna(f, t)
        # QuantLib divides volga by the total volatility, not by the volatility.
        theirs["volga"][row] = one.volga(t) * np.sqrt(t)
    # Its prices and deltas are differences, to the last place of what they are differences of.
    scale = sizes(forward, strike, years, volatility)
    scale |= {"price": np.maximum(forward, strike), "delta": np.ones(len(forward))}
    for name, expected in theirs.items():
        error = np.abs(getattr(found, name) - expected) / scale.get(name, np.abs(expected))
        assert error.max() < 1e-11, name


def test_a_call_less_a_put_is_the_forward_less_the_strike() -> None:
    forward, strike, years, volatility, _ = market(1, 5_000)
    discount = np.exp(-0.05 * years)
    call = greeks(forward, strike, years, volatility, True, discount=discount)
    put = greeks(forward, strike, years, volatility, False, discount=discount)
    ulp = 4 * np.spacing(np.maximum(forward, strike))
    assert (np.abs(call.price - put.price - discount * (forward - strike)) <= ulp).all()
    np.testing.assert_allclose(call.delta - put.delta, discount, rtol=1e-14)
    for name in ("gamma", "vega", "theta", "vanna", "volga"):
        assert (getattr(call, name) == getattr(put, name)).all()


@pytest.mark.parametrize(
    ("name", "of", "argument"),
    [
        ("delta", "price", 0),
        ("gamma", "delta", 0),
        ("vega", "price", 3),
        ("theta", "price", 2),
        ("vanna", "delta", 3),
        ("volga", "vega", 3),
    ],
)
def test_greeks_are_slopes(name: str, of: str, argument: int) -> None:
    inputs = list(market(2, 2_000))
    forward, _, years, volatility, _ = inputs
    # A forward moves against its deviation.
    step = 1e-5 * (forward * volatility * np.sqrt(years) if argument == 0 else inputs[argument])
    moved = []
    for sign in (1, -1):
        there = inputs.copy()
        there[argument] = inputs[argument] + sign * step
        moved.append(getattr(greeks(*there, discount=0.9), of))
    slope = (moved[0] - moved[1]) / (2 * step) * (-1 if name == "theta" else 1)
    found = getattr(greeks(*inputs, discount=0.9), name)
    np.testing.assert_allclose(found, slope, rtol=2e-5, atol=2e-6 * np.abs(slope).max())


def test_the_wings_keep_their_digits() -> None:
    deviations = np.array([5.0, 10.0, 20.0, 36.0])
    for total in (0.005, 0.05, 0.5, 4.0):
        strike = np.exp(deviations * total)
        found = price(1.0, strike, 1.0, total, True)
        exact = [float(textbook.black76(1.0, k, 1.0, total, call=True)["price"]) for k in strike]
        assert min(exact) < 1e-280 or total == 4.0
        np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_a_second_before_expiry_keeps_its_digits() -> None:
    years, strike = 1 / (365 * 86400), np.array([59_999.0, 60_000.0, 60_001.0, 60_010.0])
    found = price(60_000.0, strike, years, 0.5, strike >= 60_000)
    exact = [
        float(textbook.black76(60_000.0, k, years, 0.5, call=bool(k >= 60_000))["price"])
        for k in strike
    ]
    np.testing.assert_allclose(found, exact, rtol=1e-13)


@pytest.mark.parametrize(("years", "volatility"), [(0, 0.5), (-1, 0.5), (1, 0), (0, 0)])
def test_without_time_or_volatility_it_is_the_intrinsic_value(years, volatility) -> None:
    strike = np.array([90.0, 100.0, 110.0])
    call = greeks(100.0, strike, years, volatility, True, discount=0.5)
    put = greeks(100.0, strike, years, volatility, False, discount=0.5)
    assert call.price.tolist() == [5, 0, 0]
    assert put.price.tolist() == [0, 0, 5]
    assert call.delta.tolist() == [0.5, 0.25, 0]
    assert put.delta.tolist() == [0, -0.25, -0.5]
    for held in (call, put):
        for name in ("gamma", "vega", "theta", "vanna", "volga"):
            assert not getattr(held, name).any()


def test_a_worthless_forward_or_strike_is_certain() -> None:
    nothing, free = greeks([0.0], 5.0, 1.0, 0.5, [[True], [False]]), price(7.0, 0.0, 1.0, 0.5, True)
    assert nothing.price.tolist() == [[0], [5]]
    assert nothing.delta.tolist() == [[0], [-1]]
    assert free == 7.0


def test_extremes_give_finite_numbers() -> None:
    forward = [1e-12, 1e10, 1e-300, 1e300, 1.0, 1.0]
    volatility = [1e-9, 50.0, 1.0, 1.0, 1e-160, 1e5]
    held = greeks(forward, 1.0, 1.0, volatility, True)
    assert all(np.isfinite(getattr(held, name)).all() for name in NAMES)
    assert held.price[1] == pytest.approx(1e10)
    assert held.price[5] == 1.0


def test_arguments_broadcast_and_the_result_has_their_shape() -> None:
    inputs = market(3, 60)
    column = greeks(*inputs)
    table = greeks(*(values.reshape(5, 12) for values in inputs))
    for name in NAMES:
        assert (getattr(table, name) == getattr(column, name).reshape(5, 12)).all()
    assert price(100, [[90], [110]], 1, [0.1, 0.2, 0.3], True).shape == (2, 3)
    assert price(100, 90, 1, 0.2, True).shape == ()
    assert price([], 90, 1, 0.2, True).shape == (0,)


def test_many_at_once_are_each_as_alone() -> None:
    inputs = market(4, WORTH_SHARING + 77)
    together = greeks(*inputs)
    backwards = greeks(*(values[::-1] for values in inputs))
    parts = [greeks(*(values[i : i + 100] for values in inputs)) for i in range(0, CHUNK, 100)]
    for name in NAMES:
        alone = np.concatenate([getattr(part, name) for part in parts])
        assert (getattr(together, name)[: len(alone)] == alone).all()
        assert (getattr(backwards, name)[::-1] == getattr(together, name)).all()
    assert (price(*inputs) == together.price).all()


@pytest.mark.parametrize("count", [1, WORTH_SHARING])
@pytest.mark.parametrize(
    ("name", "value"),
    [("forward", -1.0), ("strike", np.inf), ("years", np.nan), ("volatility", -0.2),
     ("volatility", np.nan), ("discount", -1.0)],
)  # fmt: skip
def test_an_impossible_input_is_named(name: str, value: float, count: int) -> None:
    inputs = dict.fromkeys(("forward", "strike", "years", "volatility", "discount"), 1.0)
    column = np.ones(count)
    column[-1] = value
    with pytest.raises(ValueError, match=f"{name} {value}: must be finite"):
        greeks(**(inputs | {name: column}), call=True)


def test_greeks_are_told_by_name() -> None:
    assert tuple(Greeks.__dataclass_fields__) == NAMES
