"""What an amount counts for: weights that move with size and crowding, prices, capped profits.

Weights, rates and prices are float64 fractions and broadcast; what becomes a requirement is int64
at 1e-8, rounded once. `grain` is the unit in which a venue keeps its weights (Drift v2: 1e-4, every
part rounded down to it); 0 keeps them as they are.
"""

from dataclasses import dataclass

import numpy as np

from schemas.units import LIMIT_E8, PPM, Floats, Int64s

Number = Floats | float


@dataclass(frozen=True, slots=True)
class Weighing:
    """Price and weight of each asset when it is owned and when it is owed, [T] each, float64."""

    asset_price: Floats
    liability_price: Floats
    asset_weight: Floats
    liability_weight: Floats

    def of(self, rows: Int64s) -> "Weighing":
        """The same columns, one row for each of `rows`."""
        return Weighing(
            self.asset_price[rows],
            self.liability_price[rows],
            self.asset_weight[rows],
            self.liability_weight[rows],
        )

    def value(self, amount: Floats) -> Floats:
        """Weighted value of one signed amount for each row."""
        owned: Floats = amount * self.asset_price * self.asset_weight
        return np.where(amount < 0, amount * self.liability_price * self.liability_weight, owned)


def size_premium(
    weight: Number, size: Number, factor: Number, *, kept: float = 0.8, grain: float = 0
) -> Floats:
    """Weight of a liability, or rate of a position, of a size: max(w, kept w + factor sqrt(size)).

    Never below `weight`, never falling with size. Size in units of the asset. Source: Drift v2.
    """
    base = np.asarray(weight, np.float64)
    premium = _down(factor * np.sqrt(size), grain)
    return np.maximum(base, base - _down((1 - kept) * base, grain) + premium)


def size_discount(
    weight: Number, size: Number, factor: Number, *, ceiling: float = 1.1, grain: float = 0
) -> Floats:
    """Weight of an asset of a size: min(w, ceiling / (1 + factor sqrt(size))).

    Never above `weight`, never rising with size. Size in units of the asset, or, for unrealised
    profit, of its value. Source: Drift v2.
    """
    return np.minimum(weight, _down(ceiling / (1 + factor * np.sqrt(size)), grain))


def linear_rate(minimum: Number, size: Number, depth: Number, slope: Number) -> Floats:
    """Rate of a position that grows with its share of a market's depth: min + slope x size / depth.

    Size and depth in units of the underlying. Source: Synthetix v3.
    """
    return np.asarray(minimum + slope * np.divide(size, depth))


def deposit_scaled(weight: Number, deposits: Number, cap: Number) -> Floats:
    """Asset weight once all deposits of an asset outgrow a cap: w x min(1, cap / deposits).

    Deposits and cap in value; an infinite cap changes nothing. So the asset never counts for more
    than weight x cap in total.
    """
    crowded = np.asarray(deposits, np.float64) > cap
    share = np.divide(cap, deposits, out=np.ones(crowded.shape), where=crowded)
    return weight * share


def borrow_scaled(weight: Number, borrows: Number, cap: Number) -> Floats:
    """Liability weight once all borrows of an asset outgrow a cap: w x max(1, borrows / cap).

    Infinite where something is borrowed against a cap of 0.
    """
    crowded = np.asarray(borrows, np.float64) > cap
    with np.errstate(divide="ignore"):
        excess = np.divide(borrows, cap, out=np.ones(crowded.shape), where=crowded)
    return weight * excess


def strict_prices(spot: Floats, slow: Floats) -> tuple[Floats, Floats]:
    """(asset price, liability price): the lower and the higher of spot and slow average.

    For the initial requirement: nobody opens on a price that has just moved in their favour.
    """
    return np.minimum(spot, slow), np.maximum(spot, slow)


def counted_profit(profit: Number, weight: Number, cap: Number = np.inf) -> Floats:
    """What unrealised profit adds to equity: a loss in full, a gain at its weight, up to a cap."""
    gain = np.minimum(np.multiply(profit, weight), cap)
    return np.where(np.less(profit, 0), profit, gain)


def worst_payoff(
    quantity: Number, price: Number, *, floor: Number = 0.0, cap: Number = 1.0
) -> Floats:
    """Most that a contract with a bounded payoff can lose: a long down to the floor, a short up to
    the cap. For prediction markets and capped futures, whose margin is a share of it.
    """
    long = np.multiply(quantity, np.subtract(price, floor))
    return np.where(np.less(quantity, 0), np.multiply(quantity, np.subtract(price, cap)), long)


def required_e8(
    notional_e8: Int64s, rate: Number, *, scalar: Number = 1.0, fixed_e8: Int64s | int = 0
) -> Int64s:
    """notional x rate x scalar + fixed as a requirement, int64: rounded up to 1e-8, once."""
    return rounded_up_e8(np.asarray(notional_e8 * np.multiply(rate, scalar) + fixed_e8))


def rounded_up_e8(amount_e8: Floats) -> Int64s:
    """The next integer; an amount >= 0 within 2^-50 of itself above one is that one: noise.

    Never falls as the amount rises. Raises OverflowError naming the value where it is not below the
    limit of an amount.
    """
    fits = np.abs(amount_e8) <= LIMIT_E8
    if not fits.all():
        raise OverflowError(f"{amount_e8[~fits].flat[0]} is beyond {LIMIT_E8} units of 1e-8")
    above: Int64s = np.ceil(amount_e8 * (1 - 2**-50)).astype(np.int64)
    return above


def portion_e8(amount_e8: Int64s, ppm: Int64s | int) -> Int64s:
    """amount x ppm / 1e6, exact, rounded down; a rate up to 9e6 ppm stays within 64 bits."""
    high, low = np.divmod(amount_e8, PPM)
    return np.asarray(high * ppm + low * ppm // PPM)


def _down(value: Number, grain: float) -> Floats:
    """The value rounded down to the grain; within 1e-9 of a grain above it, it lies on it."""
    exact = np.asarray(value, np.float64)
    return np.asarray(np.floor(exact / grain + 1e-9) * grain) if grain else exact
