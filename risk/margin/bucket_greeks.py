"""Greeks of contracts, and their sums by bucket and underlying."""

from dataclasses import fields

import numpy as np

from risk.margin.rounding import nearest_e8
from risk.pricing import black76
from risk.pricing.black76 import Greeks
from risk.scenarios.shock import PricedContracts, value
from risk.valuation import sum_by
from schemas.units import Int64s


def contract_greeks(contracts: PricedContracts) -> Greeks:
    """Greeks of one contract of each instrument, in the quote currency, per unit of its forward.

    A linear future has a delta of its multiplier; an inverse one is worth a fixed amount of quote
    in coin, so its delta is multiplier / price and it has no gamma. An option paid in coin has
    the Greeks of the same option paid in quote, as venues print them.
    """
    units = np.where(contracts.inverse, 1 / contracts.forward, 1.0)
    columns = {field.name: np.zeros(len(contracts)) for field in fields(Greeks)}
    columns |= {"price": value(contracts), "delta": contracts.multiplier * units}
    option = np.flatnonzero(contracts.side)
    if len(option):
        held = black76.greeks(
            contracts.forward[option],
            contracts.strike[option],
            contracts.years[option],
            contracts.volatility[option],
            contracts.side[option] == 1,
            discount=contracts.discount[option],
        )
        for name, column in columns.items():
            if name != "price":
                column[option] = getattr(held, name) * contracts.multiplier[option]
    return Greeks(**columns)


def bucket_greeks(
    bucket: Int64s,
    instrument: Int64s,
    quantity_e8: Int64s,
    greeks: Greeks,
    underlying: Int64s,
    *,
    size: int,
    underlyings: int,
) -> dict[str, Int64s]:
    """Sums of quantity x Greek by bucket and underlying, e8 [size, underlyings] each, by name.

    Parameters: `bucket`, `instrument`, `quantity_e8` [P] in any order; `greeks` of one contract
    [I]; `underlying` [I]. Each term is rounded to 1e-8, so the order of positions does not matter.

    Raises OverflowError where a sum does not fit.
    """
    cell = bucket * underlyings + underlying[instrument]
    return {
        field.name: sum_by(
            cell,
            nearest_e8(quantity_e8 * getattr(greeks, field.name)[instrument]),
            size * underlyings,
        ).reshape(size, underlyings)
        for field in fields(Greeks)
    }
