"""Open orders: a row an order, and what they add up to by bucket and instrument."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s
from schemas.units import LIMIT_E8
from streams.state.columns import ColumnTable, PairTable
from streams.state.probing import EMPTY
from streams.state.recent_ids import UInt64s

MOST_ORDERS = 50_000
"""Of one account: its changelog record must fit into one message."""
_SHIFT = 40


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders as columns; accounts and buckets are rows of the book.

    An order is known by its account and the hash of its id, as the ids of fills are.
    """

    account: Int64s
    id_hash: UInt64s
    bucket: Int64s
    instrument: Int64s
    signed_e8: Int64s
    """What remains: positive for a bid, negative for an ask, 0 where the order is gone."""
    reduce_only: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.account)

    def chosen(self, places: Int64s) -> Self:
        return type(self)(*(getattr(self, field.name)[places] for field in fields(self)))

    def place(self) -> tuple[Int64s, Int64s]:
        """How they are found among the open ones."""
        return self.account, self.id_hash.view(np.int64)


@dataclass(frozen=True, slots=True)
class OrderSums:
    """What is open by bucket and instrument, as columns.

    Reduce-only orders are in `count` alone: filled or not, they ask for no margin.
    """

    bucket: Int64s
    instrument: Int64s
    bids_e8: Int64s
    asks_e8: Int64s
    count: Int64s


class OpenOrders:
    """Orders and their sums; what is gone leaves no row in either table."""

    def __init__(self) -> None:
        self.table = PairTable(
            account=np.int64,
            id_hash=np.uint64,
            bucket=np.int64,
            instrument=np.int64,
            signed_e8=np.int64,
            reduce_only=np.bool_,
        )
        self.sums = PairTable(
            bucket=np.int64,
            instrument=np.int64,
            account=np.int64,
            bids_e8=np.int64,
            asks_e8=np.int64,
            count=np.int64,
        )

    def put(self, new: Orders) -> Int64s:
        """Each in place of the order of the same id, in their order; returns buckets touched."""
        table = self.table
        rows, from_end = np.unique(table.rows(*new.place())[::-1], return_index=True)
        latest = new.chosen(len(new) - 1 - from_end)
        before = table["bucket"][rows[table["signed_e8"][rows] != 0]]
        self._add(rows, -1)
        for field in fields(latest):
            table[field.name][rows] = getattr(latest, field.name)
        self._add(rows, 1)
        self._release(rows[table["signed_e8"][rows] == 0])
        return np.union1d(before, new.bucket)

    def of(self, buckets: Int64s) -> tuple[Int64s, Int64s]:
        """Rows of the orders in these distinct buckets, and the place of the bucket of each."""
        return _among(self.table, buckets)

    def sums_of(self, buckets: Int64s) -> OrderSums:
        """What is open in these distinct buckets; `bucket` of each sum is a place in them."""
        rows, place = _among(self.sums, buckets)
        columns = (self.sums[field.name][rows] for field in fields(OrderSums)[1:])
        return OrderSums(place, *columns)

    def drop(self, rows: Int64s) -> Int64s:
        """Forget the orders in these rows; returns the buckets touched."""
        touched: Int64s = np.unique(self.table["bucket"][rows])
        self._add(rows, -1)
        self._release(rows)
        return touched

    def surely_fit(self, new: Orders) -> bool:
        """Whether no sum and no account can leave its limit, whatever the new ones replace."""
        if not len(new):
            return True
        counts = np.bincount(self.sums["account"], self.sums["count"], new.account.max() + 1)
        if (counts[new.account] + np.bincount(new.account)[new.account] > MOST_ORDERS).any():
            return False
        sums = self.sums
        keys = new.instrument << _SHIFT | new.bucket
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        at = sums.found(new.bucket[first], new.instrument[first])
        present_e8 = np.where(at == EMPTY, 0, sums["bids_e8"][at] + sums["asks_e8"][at])
        more_e8 = np.bincount(place, np.abs(new.signed_e8).astype(np.float64))
        return bool((present_e8.astype(np.float64) + more_e8 <= LIMIT_E8 * (1 - 1e-9)).all())

    def fault(self, one: Orders) -> str | None:
        """Which limit a single order would break in place of the one of its id."""
        signed_e8 = int(one.signed_e8[0])
        if not signed_e8:
            return None
        old, sums = int(self.table.found(*one.place())[0]), self.sums
        count = int(sums["count"][sums.live & (sums["account"] == one.account[0])].sum())
        if old == EMPTY and count >= MOST_ORDERS:
            return f"the account has {count} open orders: no more are kept"
        side, sign = ("bids", 1) if signed_e8 > 0 else ("asks", -1)
        at = sums.find(int(one.bucket[0]), int(one.instrument[0]))
        total_e8 = 0 if one.reduce_only[0] else sign * signed_e8
        total_e8 += 0 if at is None else int(sums[f"{side}_e8"][at])
        if old != EMPTY:
            row = np.array([old])
            if self._sum_rows(row)[0] == at:
                total_e8 -= max(sign * int(self._counted(row)[0]), 0)
        return f"the account's {side} would be beyond 18 digits" if total_e8 > LIMIT_E8 else None

    def _add(self, rows: Int64s, sign: int) -> None:
        """Add orders to their sums, or take them out; those of nothing are in none."""
        rows = rows[self.table["signed_e8"][rows] != 0]
        at, sums, counted_e8 = self._sum_rows(rows), self.sums, self._counted(rows)
        sums["account"][at] = self.table["account"][rows]
        np.add.at(sums["bids_e8"], at, sign * np.maximum(counted_e8, 0))
        np.add.at(sums["asks_e8"], at, sign * np.maximum(-counted_e8, 0))
        np.add.at(sums["count"], at, sign)

    def _sum_rows(self, rows: Int64s) -> Int64s:
        return self.sums.rows(self.table["bucket"][rows], self.table["instrument"][rows])

    def _counted(self, rows: Int64s) -> Int64s:
        return np.where(self.table["reduce_only"][rows], 0, self.table["signed_e8"][rows])

    def _release(self, rows: Int64s) -> None:
        self.table.release(rows)
        self.sums.release(np.flatnonzero(self.sums.live & (self.sums["count"] == 0)))


def _among(table: ColumnTable, buckets: Int64s) -> tuple[Int64s, Int64s]:
    """Rows in these buckets and the place of each: by place, then by row."""
    rows = table.live_rows()
    if not len(rows) or not len(buckets):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ascending, bucket = np.argsort(buckets), table["bucket"][rows]
    at = np.searchsorted(buckets, bucket, sorter=ascending).clip(max=len(buckets) - 1)
    place = ascending[at]
    inside = buckets[place] == bucket
    rows, place = rows[inside], place[inside]
    order = np.argsort(place, kind="stable")
    return rows[order], place[order]
