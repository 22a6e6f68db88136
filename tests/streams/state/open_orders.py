"""Reads the open orders off a book, as a clerk would list them."""

import numpy as np

from streams.processors.cycle import Cycle
from tests.reference.open_orders import Open, Sums


def open_orders_of(cycle: Cycle, partition: int | None = None) -> tuple[Open, Sums]:
    """The orders of a cycle, of one partition or of all, and what its book says of their sums."""
    book, listed = cycle.ledger.book, cycle.ledger.rules.instruments
    chosen = book.buckets.live.copy()
    if partition is not None:
        chosen &= book.accounts["partition"][book.buckets["account"]] == partition

    def place(bucket: int) -> tuple[str, str]:
        pool = int(book.buckets["instrument"][bucket])
        return book.account_of_bucket(bucket), "cross" if pool < 0 else listed[pool]

    table, orders = book.orders.table, {}
    for row in np.flatnonzero(table.live & chosen[table["bucket"]]).tolist():
        account, bucket = place(int(table["bucket"][row]))
        assert account == book.accounts.name(int(table["account"][row]))
        orders[account, int(table["id_hash"][row])] = (
            bucket, listed[int(table["instrument"][row])], int(table["signed_e8"][row]),
            bool(table["reduce_only"][row]),
        )  # fmt: skip
    buckets = np.flatnonzero(chosen)
    told = book.orders.sums_of(buckets)
    columns = (told.bucket, told.instrument, told.bids_e8, told.asks_e8, told.count)
    sums = {
        (*place(int(buckets[bucket])), listed[instrument]): (bids_e8, asks_e8, count)
        for bucket, instrument, bids_e8, asks_e8, count in zip(
            *(column.tolist() for column in columns), strict=True
        )
    }
    return orders, sums
