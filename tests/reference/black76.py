"""Black-76 by the textbook, in decimal arithmetic of sixty digits."""

from decimal import Decimal, localcontext
from functools import cache

DIGITS = 60
TAIL_FROM = 3
"""From here the distribution is a continued fraction; below, a power series."""
TAIL_DEPTH = 300


def pi() -> Decimal:
    """Machin: 16 atan(1/5) - 4 atan(1/239)."""
    return 16 * _arctangent_of_one_over(5) - 4 * _arctangent_of_one_over(239)


@cache
def _arctangent_of_one_over(n: int) -> Decimal:
    with localcontext(prec=DIGITS):
        power, total = Decimal(1) / n, Decimal(0)
        for k in range(1, 3 * DIGITS, 2):
            total += power / k if k % 4 == 1 else -power / k
            power /= n * n
        return total


def density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / (2 * pi()).sqrt()


def distribution(x: Decimal) -> Decimal:
    """N(x), the normal distribution."""
    if x < -TAIL_FROM:
        below = Decimal(0)
        for k in range(TAIL_DEPTH, 0, -1):
            below = k / (-x + below)
        return density(x) / (-x + below)
    if x > TAIL_FROM:
        return 1 - distribution(-x)
    # N(x) = 1/2 + n(x) (x + x^3/3 + x^5/(3 5) + ...)
    term = total = x
    for k in range(3, 500, 2):
        term *= x * x / k
        total += term
    return Decimal("0.5") + density(x) * total


def black76(
    forward: float, strike: float, years: float, volatility: float, *, call: bool
) -> dict[str, Decimal]:
    """Value and Greeks of one option with respect to its forward, undiscounted."""
    with localcontext(prec=DIGITS):
        f, k, t, v = (Decimal(number) for number in (forward, strike, years, volatility))
        root = t.sqrt()
        d1 = (f / k).ln() / (v * root) + v * root / 2
        d2 = d1 - v * root
        side = 1 if call else -1
        vega = f * density(d1) * root
        return {
            "price": side * (f * distribution(side * d1) - k * distribution(side * d2)),
            "delta": side * distribution(side * d1),
            "gamma": density(d1) / (f * v * root),
            "vega": vega,
            "theta": -f * density(d1) * v / (2 * root),
            "vanna": -density(d1) * d2 / v,
            "volga": vega * d1 * d2 / v,
        }


def implied_volatility(
    price: float, forward: float, strike: float, years: float, *, call: bool, near: float
) -> Decimal:
    """Newton from a volatility nearby, whose root this is to be."""
    volatility = Decimal(near)
    with localcontext(prec=DIGITS):
        for _ in range(4):
            there = black76(forward, strike, years, volatility, call=call)
            volatility += (Decimal(price) - there["price"]) / there["vega"]
        return volatility
