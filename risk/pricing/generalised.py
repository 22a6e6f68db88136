"""Generalised Black-Scholes: options on a spot with a cost of carry, and interest.

A carry equal to the rate is a share without dividend, rate - q one that yields q (or a currency
with interest q), 0 a future. The value is that of Black-76 on the forward S e^(carry x years) times
e^(-rate x years) (Haug, The Complete Guide to Option Pricing Formulas, 1998).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from risk.pricing import black76
from risk.pricing.black76 import Floats


@dataclass(frozen=True, slots=True)
class SpotGreeks:
    """Value and sensitivities of each option with respect to its spot, of the inputs' shape."""

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    """Per 1.00 of volatility."""
    theta: Floats
    """Change of value for a year that passes."""
    rho: Floats
    """Per 1.00 of the rate, the yield (rate - carry) held."""
    dividend_rho: Floats
    """Per 1.00 of the yield, the rate held."""
    vanna: Floats
    """Change of delta per 1.00 of volatility."""
    volga: Floats
    """Change of vega per 1.00 of volatility."""
    charm: Floats
    """Change of delta for a year that passes."""
    d1: Floats
    d2: Floats
    """Arguments of the two normal distributions; infinite or nan without volatility."""


def generalised(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    call: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    carry: ArrayLike = 0.0,
) -> Floats:
    """Value of each option; arguments broadcast. Edges and errors as `black76.price`."""
    left = np.maximum(np.asarray(years, np.float64), 0.0)
    forward = np.asarray(spot, np.float64) * np.exp(np.multiply(carry, left))
    discount = np.exp(-np.multiply(rate, left))
    return black76.price(forward, strike, left, volatility, call, discount=discount)


def generalised_greeks(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    call: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    carry: ArrayLike = 0.0,
) -> SpotGreeks:
    """Value and Greeks of each option; arguments, edges and errors as `generalised`."""
    s, k, t, vol, r, b = (
        np.asarray(value, np.float64) for value in (spot, strike, years, volatility, rate, carry)
    )
    t = np.maximum(t, 0.0)
    growth, total = np.exp(b * t), vol * np.sqrt(t)
    held = black76.greeks(s * growth, k, t, vol, call, discount=np.exp(-r * t))
    delta = held.delta * growth
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = (np.log(s / k) + b * t) / total + total / 2
        d2 = d1 - total
        density = held.gamma * s * growth * growth * total
        drift = np.where(density > 0, density * (b / total - d2 / (2 * t)), 0.0)
    return SpotGreeks(
        price=held.price,
        delta=delta,
        gamma=held.gamma * growth * growth,
        vega=held.vega,
        theta=held.theta + r * held.price - b * s * delta,
        rho=t * (s * delta - held.price),
        dividend_rho=-t * s * delta,
        vanna=held.vanna * growth,
        volga=held.volga,
        charm=(r - b) * delta - drift,
        d1=d1,
        d2=d2,
    )
