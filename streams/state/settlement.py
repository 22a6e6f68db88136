"""The end of a contract: positions are closed at the settlement price, open orders are gone."""

import numpy as np

from risk.valuation import contract_value
from schemas.block import Int64s
from streams.state.ledger import Ledger
from streams.state.postings import add_positions


def apply_settlement(ledger: Ledger, partition: int, instrument: int, price_e8: int) -> Int64s:
    """Close every position of an instrument in a partition; returns the buckets touched.

    Its open orders are gone. Each position is traded at `price_e8` against the partition's
    `@settlement:` slice, so that its profit is realised in the settlement asset, and sums of
    quantity, cost and balances are kept. OverflowError where a value is beyond 18 digits.
    """
    book, rules = ledger.book, ledger.rules
    positions, ordered = book.positions, book.drop_orders(partition, instrument)
    rows: Int64s = np.flatnonzero(
        positions.live & (positions["instrument"] == instrument) & (positions["quantity_e8"] != 0)
    )
    owner = book.buckets["account"][positions["bucket"][rows]]
    rows = rows[book.accounts["partition"][owner] == partition]
    if not len(rows):
        return ordered
    numbers = np.full(len(rows), instrument)
    quantity_e8, buckets = positions["quantity_e8"][rows], positions["bucket"][rows]
    value_e8, fits = contract_value(
        rules.contracts.inverse[numbers],
        rules.contracts.multiplier_e8[numbers],
        quantity_e8,
        np.full(len(rows), price_e8),
    )
    if not fits.all():
        raise OverflowError(
            f"{rules.instruments[instrument]} at {price_e8} e8: the value of a position is beyond "
            "9,999,999,999.99999999"
        )
    book.touch(buckets)
    add_positions(book, rules, partition, rows, (-quantity_e8, -value_e8))
    slice_ = book.system_bucket(f"@settlement:{rules.instruments[instrument]}", partition)
    row = book.position_rows(np.array([slice_]), numbers[:1])
    book.positions["quantity_e8"][row] += quantity_e8.sum()
    book.positions["cost_e8"][row] += value_e8.sum()
    return np.union1d(buckets, ordered)
