"""Equity and margin of every bucket from its positions, balances, marks and rules.

Cross and isolated margin are this one function on different buckets: a cross bucket holds many
positions and all free collateral, an isolated one a single position and what was set aside for it.
"""

import numpy as np

from risk.holdings import (
    Balances,
    Bools,
    MarginState,
    Positions,
    PositionState,
    Rules,
)
from risk.margin.haircuts import counted
from risk.margin.tiers import requirement
from risk.valuation import contract_value, exact_sums, sum_by
from schemas.units import LIMIT_E8, Int64s, multiply_e8


def evaluate(
    positions: Positions, balances: Balances, marks_e8: Int64s, rules: Rules, size: int
) -> tuple[MarginState, PositionState]:
    """Margin state of buckets 0..size-1 and of every position.

    Parameters: `marks_e8` [I], the mark of each instrument; a mark of an instrument without a
    position is not read.

    Net balance of an asset in a bucket = balance + profits settled in it, so that a loss meets the
    balance of its own asset first; x asset price; less haircut, or times borrow weight; summed over
    assets: equity. Initial and maintenance margin are sums over positions. All of it in integers:
    the result does not depend on the order of rows, nor on how balances are split into rows.

    Raises OverflowError naming the lowest bucket row of an amount that does not fit.
    """
    state = _value_positions(positions, marks_e8, rules)
    equity_e8 = _equity(positions, state.profit_e8, balances, rules, size)
    initial_e8, fits = exact_sums(positions.bucket, state.initial_margin_e8, size)
    _refuse(fits, np.arange(size), "initial margin")
    # No tier has a maintenance rate above its initial rate, so these fit where those did.
    maintenance_e8 = sum_by(positions.bucket, state.maintenance_margin_e8, size)
    return MarginState(equity_e8, initial_e8, maintenance_e8), state


def _value_positions(positions: Positions, marks_e8: Int64s, rules: Rules) -> PositionState:
    contracts, instrument = rules.contracts, positions.instrument
    value_e8, fits = contract_value(
        contracts.inverse[instrument],
        contracts.multiplier_e8[instrument],
        positions.quantity_e8,
        marks_e8[instrument],
    )
    _refuse(fits, positions.bucket, "value of a position")
    profit_e8 = value_e8 - positions.cost_e8
    _refuse(np.abs(profit_e8) <= LIMIT_E8, positions.bucket, "profit of a position")
    price_e8 = rules.assets.price_e8[contracts.settlement[instrument]]
    notional_e8, fits = multiply_e8(np.abs(value_e8), price_e8)
    _refuse(fits, positions.bucket, "notional of a position")
    initial_e8, maintenance_e8, fits = requirement(notional_e8, instrument, rules.tiers)
    _refuse(fits, positions.bucket, "margin of a position")
    return PositionState(profit_e8, notional_e8, initial_e8, maintenance_e8)


def _equity(
    positions: Positions, profit_e8: Int64s, balances: Balances, rules: Rules, size: int
) -> Int64s:
    assets = len(rules.assets.price_e8)
    settlement = rules.contracts.settlement[positions.instrument]
    cell = np.concatenate(
        (positions.bucket * assets + settlement, balances.bucket * assets + balances.asset)
    )
    amount_e8 = np.concatenate((profit_e8, balances.amount_e8))
    net_e8, fits = exact_sums(cell, amount_e8, size * assets)
    _refuse(fits, np.arange(size * assets) // max(assets, 1), "net balance of an asset")
    # Most cells are empty, and an empty one counts 0.
    held = np.flatnonzero(net_e8)
    bucket, asset = held // max(assets, 1), held % max(assets, 1)
    value_e8, fits = multiply_e8(net_e8[held], rules.assets.price_e8[asset])
    _refuse(fits, bucket, "value of an asset")
    equity_e8, fits = exact_sums(bucket, counted(value_e8, asset, rules.assets), size)
    _refuse(fits, np.arange(size), "equity")
    return equity_e8


def _refuse(fits: Bools, bucket: Int64s, what: str) -> None:
    if not fits.all():
        row = int(bucket[~fits].min())
        raise OverflowError(f"bucket row {row}: {what} is beyond 9,999,999,999.99999999")
