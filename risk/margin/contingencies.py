"""Contingencies: what scenarios that move all expiries alike leave out, in money.

Every charge is a sum of terms rounded to 1e-8, and is rounded up once: none depends on the order of
positions. Exposures are per contract, [I]; with `bucket_greeks.contract_greeks` they are
delta x forward and vega.
"""

from dataclasses import dataclass

import numpy as np

from risk.margin.rounding import nearest_e8, up_e8
from risk.valuation import sum_by
from schemas.units import Floats, Int64s

Positions = tuple[Int64s, Int64s, Int64s]
"""(bucket, instrument, quantity_e8), [P] each, in any order."""


@dataclass(frozen=True, slots=True)
class ContingencyRule:
    """Rates of the charges; a rate of 0 charges nothing."""

    spread: float = 0.0
    """Of the value that is long in one expiry and short in another of the same underlying."""
    basis_a_year: float = 0.0
    """Annualised move of each expiry's basis, all against the account."""
    vega: float = 0.0
    """Points of volatility by which tenors move apart, on the vega that offsets between them."""
    naked_short: float = 0.0
    """Of the underlying's price, for each short option that nothing at its strike covers."""
    liquidity: float = 0.0
    """Of the value of a net delta above `liquidity_from`, per underlying."""
    liquidity_from: float = 0.0


@dataclass(frozen=True, slots=True)
class Exposures:
    """What one contract of each instrument is exposed to."""

    underlying: Int64s  # [I]
    expiry: Int64s  # [I] row of the expiry, the same for all that end together; 0 for none
    years: Floats  # [I] to expiry, 0 without one
    tenor: Int64s  # [I] row of the tenor bucket
    strike_e8: Int64s  # [I]
    option: Int64s  # [I] contracts of the underlying in one option, e8; 0 for no option
    price: Floats  # [I] of the underlying
    delta_value: Floats  # [I] change of value where the underlying doubles, at today's delta
    vega: Floats  # [I] per 1.00 of volatility


def contingencies(
    positions: Positions, exposures: Exposures, rule: ContingencyRule, size: int
) -> Int64s:
    """All charges of buckets 0..size-1 together, e8 [size]."""
    return (
        expiry_charge(positions, exposures, rule, size)
        + vega_charge(positions, exposures, rule, size)
        + naked_charge(positions, exposures, rule, size)
        + liquidity_charge(positions, exposures, rule, size)
    )


def expiry_charge(
    positions: Positions, exposures: Exposures, rule: ContingencyRule, size: int
) -> Int64s:
    """Basis between expiries: spread x min(long, short) + basis x sum |delta value| x years.

    Both over the net delta value of each expiry, per bucket and underlying.
    """
    bucket, instrument, quantity_e8 = positions
    value_e8 = nearest_e8(quantity_e8 * exposures.delta_value[instrument])
    key = np.stack((bucket, exposures.underlying[instrument], exposures.expiry[instrument]))
    held, net_e8, first = _net(key, value_e8)
    matched = _matched(held[:2], net_e8, size)
    years = exposures.years[instrument[first]]
    aged_e8 = _sum_up(held[0], np.abs(net_e8) * (rule.basis_a_year * years), size)
    return up_e8(matched * rule.spread) + aged_e8


def vega_charge(
    positions: Positions, exposures: Exposures, rule: ContingencyRule, size: int
) -> Int64s:
    """Vega that offsets between tenor buckets, times the points by which these may part."""
    bucket, instrument, quantity_e8 = positions
    vega_e8 = nearest_e8(quantity_e8 * exposures.vega[instrument])
    key = np.stack((bucket, exposures.underlying[instrument], exposures.tenor[instrument]))
    held, net_e8, _ = _net(key, vega_e8)
    return up_e8(_matched(held[:2], net_e8, size) * rule.vega)


def naked_charge(
    positions: Positions, exposures: Exposures, rule: ContingencyRule, size: int
) -> Int64s:
    """Rate x price of the underlying x short options that no long one of their strike covers."""
    rows = np.flatnonzero(exposures.option[positions[1]])
    bucket, instrument, quantity_e8 = (column[rows] for column in positions)
    contracts_e8 = nearest_e8(quantity_e8 * (exposures.option[instrument] / 1e8))
    key = (exposures.underlying, exposures.expiry, exposures.strike_e8)
    held, naked_e8, first = naked_shorts(
        np.stack((bucket, *(column[instrument] for column in key))), contracts_e8
    )
    price = exposures.price[instrument[first]]
    return _sum_up(held[0], naked_e8 * (rule.naked_short * price), size)


def naked_shorts(key: Int64s, contracts_e8: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Net short options by key [K, P]: bucket, expiry, strike; calls and puts cover each other.

    Returns the distinct keys [K, G], what is naked of each, e8 [G], and a row of each [G].
    """
    held, net_e8, first = _net(key, contracts_e8)
    return held, np.maximum(0, -net_e8), first


def liquidity_charge(
    positions: Positions, exposures: Exposures, rule: ContingencyRule, size: int
) -> Int64s:
    """Rate x the net delta value of each underlying above the threshold."""
    bucket, instrument, quantity_e8 = positions
    value_e8 = nearest_e8(quantity_e8 * exposures.delta_value[instrument])
    held, net_e8, _ = _net(np.stack((bucket, exposures.underlying[instrument])), value_e8)
    beyond = np.maximum(0, np.abs(net_e8) - rule.liquidity_from * 1e8)
    return _sum_up(held[0], beyond * rule.liquidity, size)


def price_charge(quantity_e8: Int64s, price: Floats, rate: float) -> Int64s:
    """rate x price x |quantity| of each position, rounded up (a future's contingency)."""
    return up_e8(np.abs(quantity_e8) * (rate * price))


def _net(key: Int64s, amount_e8: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Distinct columns of a key [K, P], the sum of the amounts of each, and a row of each."""
    order = np.lexsort(key[::-1])
    change = np.ones(len(order), np.bool_)
    change[1:] = (np.diff(key[:, order], axis=1) != 0).any(axis=0)
    first = order[change]
    return key[:, first], sum_by(np.cumsum(change) - 1, amount_e8[order], len(first)), first


def _matched(held: Int64s, net_e8: Int64s, size: int) -> Int64s:
    """min(sum of what is long, sum of what is short) by bucket and underlying, by bucket [size]."""
    pairs, long_e8, _ = _net(held, np.maximum(0, net_e8))
    _, short_e8, _ = _net(held, np.maximum(0, -net_e8))
    return sum_by(pairs[0], np.minimum(long_e8, short_e8), size)


def _sum_up(bucket: Int64s, amounts: Floats, size: int) -> Int64s:
    return sum_by(bucket, up_e8(amounts), size)
