"""What a fill of a liquidation order pays to the insurance fund."""

import numpy as np

from risk.liquidation.partial import insurance_payment_e8
from risk.valuation import contract_value
from schemas.block import Int64s
from schemas.spans import Spans
from streams.state.ledger import Ledger


def penalties_e8(
    ledger: Ledger,
    buckets: Int64s,
    instruments: Int64s,
    liquidation_ids: Spans,
    trades: tuple[Int64s, Int64s],
) -> Int64s:
    """Penalty of each fill, e8 [n] in its settlement asset: 0 where it is of no open order.

    `trades` are signed quantity and value [n]. A fill that names the open order of its bucket pays
    `penalty_ppm` of its value, at most what it brings above the bankruptcy price of the order.
    """
    penalty_e8 = np.zeros(len(buckets), np.int64)
    rows = _of_open_orders(ledger, buckets, liquidation_ids)
    if not len(rows):
        return penalty_e8
    contracts, instrument = ledger.rules.contracts, instruments[rows]
    signed_e8, value_e8 = trades[0][rows], trades[1][rows]
    price_e8 = ledger.book.buckets["order_bankruptcy_e8"][buckets[rows]]
    multiplier_e8 = contracts.multiplier_e8[instrument]
    at_bankruptcy_e8, fits = contract_value(
        contracts.inverse[instrument], multiplier_e8, signed_e8, price_e8
    )  # 0 where there is no such price: all that the fill brings is the bucket's
    due_e8 = insurance_payment_e8(-value_e8, -at_bankruptcy_e8, ledger.penalty_ppm)
    penalty_e8[rows] = np.where(fits | (price_e8 == 0), due_e8.clip(min=0), 0)
    return penalty_e8


def _of_open_orders(ledger: Ledger, buckets: Int64s, liquidation_ids: Spans) -> Int64s:
    """The rows whose liquidation id is that of the open order of their bucket."""
    columns = ledger.book.buckets
    rows = np.flatnonzero(columns["order_number"][buckets])
    if not len(rows):
        return rows
    with_order = buckets[rows]
    numbers = (columns[name][with_order].tolist() for name in ("episode", "order_number"))
    told, _ = liquidation_ids[rows].texts()
    answers = [
        one == f"{account}/{pool}/{episode}/{number}"
        for one, (account, pool), episode, number in zip(
            told, ledger.whose(with_order), *numbers, strict=True
        )
    ]
    return rows[answers]
