"""What options require in buckets that are margined position by position."""

from dataclasses import replace

import numpy as np

from risk.margin.options import Options, option_requirement
from risk.margin.rounding import nearest_e8
from risk.margin.weights import rounded_up_e8
from risk.profile import OptionRule
from risk.requirements.rows import Held, Required
from risk.requirements.view import View
from risk.valuation import sum_by
from schemas.units import E8, Floats, Int64s


def required(held: Held, view: View, rule: OptionRule, size: int) -> Required:
    """Requirement of the options of buckets 0..size-1; a holding's weight is what it needs alone.

    The standard margin of a bucket is meant to be met by what it has beside its options, these are
    in the equity with their value V, so that margin + V is required; of a V > 0 only shares of it.
    """
    options, quote = _options(held, view), view.quote_price[view.place[held.instrument]]
    initial, maintenance = option_requirement(options, size, terms=rule.terms)
    worth_e8 = nearest_e8(options.quantity_e8 * options.value)
    value_e8 = sum_by(held.bucket, worth_e8, size)
    return Required(
        _with_value(initial, value_e8, rule.long_initial),
        _with_value(maintenance, value_e8, rule.long_maintenance),
        np.full(size, -1, np.int64),
        _alone(options, rule, quote),
    )


def _with_value(margin: Floats, value_e8: Int64s, long_share: float) -> Int64s:
    counted = np.where(value_e8 > 0, value_e8 * long_share, value_e8)
    return rounded_up_e8((margin * E8 + counted).clip(min=0))


def _options(held: Held, view: View) -> Options:
    """Holdings in units of the underlying, values and prices in the valuation currency."""
    row = view.place[held.instrument]
    contracts, quote = view.contracts, view.quote_price[row]
    return Options(
        bucket=held.bucket,
        underlying=view.underlying[row],
        expiry_us=view.expiry_us[row],
        side=contracts.side[row],
        strike=contracts.strike[row] * quote,
        quantity_e8=nearest_e8(held.quantity_e8 * contracts.multiplier[row]),
        value=view.mark[row],
        forward=contracts.forward[row] * quote,
        spot=view.spot[row] * quote,
        confidence=np.ones(len(row)),
    )


def _alone(options: Options, rule: OptionRule, quote: Floats) -> Int64s:
    """What each row would maintain by itself."""
    rows = np.arange(len(quote))
    terms = replace(rule.terms, offset_spreads=False)
    _, short = option_requirement(replace(options, bucket=rows), len(rows), terms=terms)
    long = options.quantity_e8.clip(min=0) * options.value * rule.long_maintenance
    return nearest_e8(short * E8 + long)
