"""Health of a cross account: one sum, each token at a price and a weight that depend on its sign.

health = sum over tokens of balance x price x (asset weight, or liability weight where it is owed),
after the profit of each perpetual, weighted by itself, has joined its settlement token, plus what
the funds reserved by spot orders add in whichever token they are worth less. All float64.
Initial: weights scaled by crowding, strict prices; at or above 0 an account may open.
Liquidation end: weights without scaling, plain prices; where a liquidation stops.
Maintenance: maintenance weights, plain prices; below 0 an account is liquidated.
So initial <= liquidation end <= maintenance. Source: Mango v4.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from risk.margin.orders import summed, worst_fill
from risk.margin.weights import (
    Weighing,
    borrow_scaled,
    counted_profit,
    deposit_scaled,
    strict_prices,
)
from schemas.units import Floats, Int64s


class Kind(Enum):
    """Which health is asked for."""

    INITIAL = "initial"
    LIQUIDATION_END = "liquidation end"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Weights:
    """Prices and weights of tokens, or of what perpetuals are written on, [T] each."""

    price: Floats
    slow_price: Floats
    initial_asset: Floats
    initial_liability: Floats
    maintenance_asset: Floats
    maintenance_liability: Floats


@dataclass(frozen=True, slots=True)
class Crowding:
    """How much of each token everybody has deposited and borrowed, [T] each, and the soft caps."""

    deposits: Floats  # in tokens, with those that open orders may still bring
    deposit_cap: Floats  # in value; inf: none
    borrows: Floats  # in tokens
    borrow_cap: Floats  # in value; inf: none


@dataclass(frozen=True, slots=True)
class TokenBalances:
    """Free balances; several rows of one (bucket, token) add up, [B] each."""

    bucket: Int64s
    token: Int64s
    amount: Floats


@dataclass(frozen=True, slots=True)
class Perpetuals:
    """Positions in perpetuals with their open orders, [P] each; amounts in the settlement token."""

    bucket: Int64s
    settlement: Int64s  # token row
    quantity: Floats  # units of the underlying
    quote: Floats  # what was paid (negative) or received for it
    bids: Floats  # units still to be bought by open orders
    asks: Floats
    base: Weighing  # price and weight of the underlying
    profit_weight: Floats  # of a positive sum


@dataclass(frozen=True, slots=True)
class ReservedFunds:
    """What spot orders hold, one row for each (bucket, market), [R] each."""

    bucket: Int64s
    base: Int64s  # token row
    quote: Int64s  # token row
    reserved_base: Floats  # held by sell orders
    reserved_quote: Floats  # held by buy orders


def weighing(weights: Weights, kind: Kind, crowding: Crowding | None = None) -> Weighing:
    """Prices and weights of one kind of health; crowding matters to the initial one."""
    spot = weights.price
    if kind is Kind.MAINTENANCE:
        return Weighing(spot, spot, weights.maintenance_asset, weights.maintenance_liability)
    asset, liability = weights.initial_asset, weights.initial_liability
    if kind is Kind.LIQUIDATION_END:
        return Weighing(spot, spot, asset, liability)
    low, high = strict_prices(spot, weights.slow_price)
    if crowding is not None:
        asset = deposit_scaled(asset, crowding.deposits * low, crowding.deposit_cap)
        liability = borrow_scaled(liability, crowding.borrows * high, crowding.borrow_cap)
    return Weighing(low, high, asset, liability)


def health(
    balances: TokenBalances,
    perpetuals: Perpetuals,
    reserved: ReservedFunds,
    tokens: Weighing,
    size: int,
) -> Floats:
    """Health of buckets 0..size-1, [N], in the currency of the token prices."""
    count = len(tokens.asset_price)
    profit = counted_profit(_perpetual_profit(perpetuals), perpetuals.profit_weight)
    cell = np.concatenate(
        (
            balances.bucket * count + balances.token,
            perpetuals.bucket * count + perpetuals.settlement,
        )
    )
    net = summed(cell, np.concatenate((balances.amount, profit)), size * count)
    held = np.flatnonzero(net)
    value = tokens.of(held % count).value(net[held])
    plain = summed(held // count, value, size)
    orders = _reserved_value(reserved, net, tokens)
    return plain + summed(reserved.bucket, orders, size)


def _perpetual_profit(perpetuals: Perpetuals) -> Floats:
    fill = worst_fill(perpetuals.quantity, perpetuals.bids, perpetuals.asks, perpetuals.base)
    return perpetuals.quote + fill.total()


def _reserved_value(reserved: ReservedFunds, net: Floats, tokens: Weighing) -> Floats:
    """What each market's reserved funds add, all of them turned into the token that adds less.

    Every market supposes that all others resolve against it: the funds of all of a bucket's markets
    that may turn into a token are on top of its balance, and its own come last.
    """
    low, high = tokens.asset_price, tokens.liability_price
    base, quote = reserved.base, reserved.quote
    as_base = reserved.reserved_base + reserved.reserved_quote * low[quote] / high[base]
    as_quote = reserved.reserved_quote + reserved.reserved_base * low[base] / high[quote]
    row = reserved.bucket * len(low)
    funds = np.concatenate((as_base, as_quote))
    most = net + summed(np.concatenate((row + base, row + quote)), funds, len(net))
    return np.minimum(
        _last_value(as_base, most[row + base], tokens.of(base)),
        _last_value(as_quote, most[row + quote], tokens.of(quote)),
    )


def _last_value(amount: Floats, balance: Floats, tokens: Weighing) -> Floats:
    """Weighted value of the last `amount` of a balance: what of it is owned, what repays a debt."""
    owned = np.clip(balance, 0, amount)
    repaid = amount - owned
    return tokens.value(owned) - tokens.value(-repaid)
