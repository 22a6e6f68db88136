"""Standard margin: option by option, but never more than what an expiry can lose.

A short option requires its value and a share of the underlying's price; a long one nothing. The
options of one bucket, underlying and expiry together require the smaller of the sum of these and
the largest loss of their payoffs over the prices 0 and every strike, calls sold beyond those
bought taken at a multiple of the forward. So a spread, which is covered, costs its largest loss.

Amounts are in the valuation currency, quantities in units of the underlying.
"""

from dataclasses import dataclass, fields

import numpy as np

from risk.compiled import compiled
from risk.holdings import Bools
from risk.valuation import exact_sums
from schemas.units import E8, LIMIT_E8, Floats, Int64s


@dataclass(frozen=True, slots=True)
class StandardTerms:
    """Rates of the standard margin; the defaults are Derive's (its `StandardManager`).

    Raises ValueError where a rate is negative.
    """

    short_initial: float = 0.15
    """Share of spot for a short option at the money; less what it is out of the money ..."""
    short_initial_floor: float = 0.10
    """... down to this share."""
    call_maintenance: float = 0.075
    put_maintenance: float = 0.075
    put_maintenance_of_value: float = 0.075
    """A short put maintains the larger of this share of its value and the share of spot."""
    put_initial_of_maintenance: float = 1.05
    """A short put's initial margin is at least so many times its maintenance margin."""
    unpaired_initial: float = 1.2
    unpaired_maintenance: float = 1.1
    """Multiples of the forward for each call sold beyond those bought, above every strike."""
    offset_spreads: bool = True
    """False: every short option is naked, whatever covers it."""
    perpetual_initial: float = 0.065
    perpetual_maintenance: float = 0.05
    base_initial: float = 0.10
    base_maintenance: float = 0.10
    """Share of its value for which a holding of the underlying counts as collateral."""
    confidence_threshold: float = 0.4
    confidence_factor: float = 0.4
    """Below the threshold, initial only: (1 - confidence) x factor x spot for every short option,
    perpetual and unit of base."""
    peg_threshold: float = 0.98
    peg_factor: float = 1.2
    """Below the threshold, initial only: (threshold - price of the stable coin) x factor x spot for
    every short option and perpetual."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if getattr(self, one.name) < 0:
                raise ValueError(f"{one.name} {getattr(self, one.name)} must not be negative")


FLOORED_TERMS = StandardTerms(put_initial_of_maintenance=1.0)
"""Deribit's terms of naked options: initial at least maintenance. The venue itself does not offset
spreads: for its own numbers `replace(FLOORED_TERMS, offset_spreads=False)`."""
_DEFAULT = StandardTerms()


@dataclass(frozen=True, slots=True)
class Options:
    """Options held; rows of one option in one bucket are netted."""

    bucket: Int64s  # [P] bucket row
    underlying: Int64s  # [P] row of what they are written on
    expiry_us: Int64s  # [P]
    side: Int64s  # [P] 1 call, -1 put
    strike: Floats  # [P]
    quantity_e8: Int64s  # [P] signed
    value: Floats  # [P] of one long option, never negative
    forward: Floats  # [P] of the underlying to the expiry
    spot: Floats  # [P] of the underlying, positive
    confidence: Floats  # [P] least of the feeds that price it, 1 where none says


@dataclass(frozen=True, slots=True)
class Linears:
    """Perpetuals held, or holdings of the underlyings themselves: what moves one to one."""

    bucket: Int64s  # [P] bucket row
    quantity_e8: Int64s  # [P] signed
    price: Floats  # [P] mark of the perpetual, spot of the underlying
    spot: Floats  # [P] of the underlying
    confidence: Floats  # [P]


@dataclass(frozen=True, slots=True)
class StandardMargin:
    """Where each bucket stands under the standard rules, rounded once, against the account."""

    collateral_initial_e8: Int64s  # [N] cash and counted holdings, for the initial requirement
    collateral_maintenance_e8: Int64s  # [N]
    initial_e8: Int64s  # [N] required
    maintenance_e8: Int64s  # [N] required

    def excess_initial_e8(self) -> Int64s:
        """Collateral beyond the initial requirement [N]; negative: what is missing."""
        return self.collateral_initial_e8 - self.initial_e8

    def excess_maintenance_e8(self) -> Int64s:
        """Collateral beyond the maintenance requirement [N]; negative: what is missing."""
        return self.collateral_maintenance_e8 - self.maintenance_e8


def standard_margin(
    options: Options,
    perpetuals: Linears,
    bases: Linears,
    cash_e8: Int64s,
    *,
    terms: StandardTerms = _DEFAULT,
    stable_price: float = 1.0,
) -> StandardMargin:
    """Collateral and requirements of buckets 0..N-1.

    `cash_e8` [N]: balances of the valuation currency with the profits of the perpetuals;
    options count for what they require alone, `bases` for a share of their value. `stable_price`
    is that of the valuation currency in what it is pegged to.

    Raises OverflowError naming the lowest bucket row of an amount that does not fit.
    """
    size = len(cash_e8)
    depeg = max(terms.peg_threshold - stable_price, 0.0) * terms.peg_factor
    initial, maintenance = option_requirement(options, size, terms=terms, depeg=depeg)
    units = np.abs(perpetuals.quantity_e8) / E8
    notional = units * perpetuals.price
    perpetual = units * perpetuals.spot * (_doubt(perpetuals.confidence, terms) + depeg)
    value = bases.quantity_e8 / E8 * bases.price
    base = np.abs(value) * _doubt(bases.confidence, terms)
    initial += _by(perpetuals.bucket, notional * terms.perpetual_initial + perpetual, size)
    initial += _by(bases.bucket, base, size)
    maintenance += _by(perpetuals.bucket, notional * terms.perpetual_maintenance, size)
    shares = (terms.base_initial, terms.base_maintenance)
    counted = [_by(bases.bucket, value * np.where(value < 0, 1.0, share), size) for share in shares]
    collateral = [cash_e8 + _rounded(np.floor(one * E8), "collateral") for one in counted]
    required = [_rounded(np.ceil(one * E8), "requirement") for one in (initial, maintenance)]
    return StandardMargin(*collateral, *required)


def option_requirement(
    options: Options, size: int, *, terms: StandardTerms = _DEFAULT, depeg: float = 0.0
) -> tuple[Floats, Floats]:
    """Initial and maintenance requirement of the options of each bucket [size].

    `depeg` is what the initial requirement adds for each short option, as a share of spot. The
    result does not depend on the order of rows, nor on how positions are split into rows.
    """
    held, quantity = _netted(options)
    short = (-quantity).clip(min=0)
    initial, maintenance = _naked(held, short, terms)
    begins = _begins(held.bucket, held.underlying, held.expiry_us)
    bucket = held.bucket[begins]
    initial, maintenance = (_sums(one, begins) for one in (initial, maintenance))
    if terms.offset_spreads:
        ends = np.append(begins[1:], len(quantity))
        loss, net_calls = _largest_losses(begins, ends, held.side, held.strike, quantity)
        unpaired = (-net_calls).clip(min=0) * held.forward[begins]
        initial = np.minimum(initial, loss + terms.unpaired_initial * unpaired)
        maintenance = np.minimum(maintenance, loss + terms.unpaired_maintenance * unpaired)
    contingency = short * held.spot * (_doubt(held.confidence, terms) + depeg)
    initial = _by(bucket, initial, size) + _by(held.bucket, contingency, size)
    return initial, _by(bucket, maintenance, size)


def _naked(held: Options, short: Floats, terms: StandardTerms) -> tuple[Floats, Floats]:
    """What each option requires by itself; `short` is how much of it is sold."""
    out_of_money = (held.side * (held.strike - held.spot)).clip(min=0) / held.spot
    rate = np.maximum(terms.short_initial - out_of_money, terms.short_initial_floor)
    call = held.side > 0
    by_spot = np.where(call, terms.call_maintenance, terms.put_maintenance) * held.spot
    by_value = np.where(call, 0.0, terms.put_maintenance_of_value) * held.value
    maintenance = (held.value + np.maximum(by_spot, by_value)) * short
    initial = (held.value + rate * held.spot) * short
    least = np.where(call, 0.0, terms.put_initial_of_maintenance) * maintenance
    return np.maximum(initial, least), maintenance


def _netted(options: Options) -> tuple[Options, Floats]:
    """One row for each option held, by bucket, underlying, expiry, strike and side; quantities."""
    keys = (options.bucket, options.underlying, options.expiry_us, options.strike, options.side)
    order = np.lexsort(keys[::-1])
    begins = _begins(*(key[order] for key in keys))
    row = np.zeros(len(order), np.int64)
    row[begins] = 1
    net_e8, fits = exact_sums(np.cumsum(row) - 1, options.quantity_e8[order], len(begins))
    rows = order[begins]
    if not fits.all():
        bucket = int(options.bucket[rows[~fits]].min())
        raise OverflowError(f"bucket row {bucket}: a quantity is beyond 9,999,999,999.99999999")
    held = net_e8 != 0
    rows = rows[held]
    columns = {one.name: getattr(options, one.name)[rows] for one in fields(Options)}
    return Options(**columns), net_e8[held] / E8


def _begins(*keys: Int64s | Floats) -> Int64s:
    """Where a run of rows with the same keys begins."""
    differs: Bools = np.ones(len(keys[0]), np.bool_)
    differs[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(differs)


def _sums(values: Floats, begins: Int64s) -> Floats:
    return np.add.reduceat(values, begins) if len(begins) else values


def _by(bucket: Int64s, values: Floats, size: int) -> Floats:
    sums = np.bincount(bucket, weights=values, minlength=size)
    return sums.astype(np.float64, copy=False)  # of no rows they are integers


def _doubt(confidence: Floats, terms: StandardTerms) -> Floats:
    """Share of spot that an oracle without confidence adds."""
    weak = confidence < terms.confidence_threshold
    return np.where(weak, (1 - confidence) * terms.confidence_factor, 0.0)


def _rounded(amount: Floats, what: str) -> Int64s:
    fits = np.abs(amount) <= LIMIT_E8
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise OverflowError(f"bucket row {row}: {what} is beyond 9,999,999,999.99999999")
    return amount.astype(np.int64)


@compiled
def _largest_losses(
    begins: Int64s, ends: Int64s, side: Int64s, strike: Floats, quantity: Floats
) -> tuple[Floats, Floats]:
    """Largest loss of the payoffs of each run over 0 and its strikes, and its calls net of sold.

    One sweep upward through the strikes, which ascend: the payoff is linear between them, and each
    option turns it by its quantity, a put from -quantity to flat, a call from flat to quantity.
    """
    loss, net_calls = np.zeros(len(begins)), np.zeros(len(begins))
    for group in range(len(begins)):
        payoff = slope = price = 0.0
        for row in range(begins[group], ends[group]):
            if side[row] < 0:
                payoff += quantity[row] * strike[row]
                slope -= quantity[row]
            else:
                net_calls[group] += quantity[row]
        worst = min(payoff, 0.0)
        for row in range(begins[group], ends[group]):
            payoff += slope * (strike[row] - price)
            price = strike[row]
            slope += quantity[row]
            worst = min(worst, payoff)
        loss[group] = -worst
    return loss, net_calls
