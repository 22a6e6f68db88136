"""The book: accounts, their buckets, and the balances and positions in them, as columns.

Money is int64 e8. A bucket is what margin is evaluated on: the cross pool of an account, or one
isolated position with its own collateral. Accounts whose id begins with "@" belong to the system;
those that collect the other side of many accounts (fees, funding, settlement) have one slice a
partition, named `@fees:USDT#3`, so that every posting stays inside its partition.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from schemas.block import Int64s
from streams.state.chains import LINKS, Chains
from streams.state.columns import PairTable
from streams.state.name_table import NameList, NameTable
from streams.state.open_orders import OpenOrders
from streams.state.touched import Touched

WITH_IDS = ("collateral", "transfers", "fills")
"""Topics whose records have an id, by which one that comes again is known."""
OFFSETS = (*WITH_IDS, "orders")
"""Topics whose records change accounts; an account knows of each how far it has applied it."""
CROSS = -1
"""The `instrument` of a bucket that is an account's cross pool."""
_AT_ONCE = 100_000
"""Rows of a digest."""


class AccountBook:
    """Tables that point upward: position, balance and open order -> bucket -> account."""

    def __init__(self) -> None:
        self.portfolios: set[str] = set()
        """Accounts that are margined as a portfolio, whether they have a row yet or not."""
        self.accounts = NameTable(
            partition=np.int32,
            system=np.bool_,
            portfolio=np.bool_,
            quarantined=np.bool_,
            quarantined_at_us=np.int64,
            published_us=np.int64,
            dirty=np.bool_,
            seal=np.uint64,
            first_bucket=np.int32,
            **dict.fromkeys(OFFSETS, np.int64),
        )
        self.touched = Touched(self.accounts)
        self.buckets = PairTable(
            account=np.int32,
            instrument=np.int32,
            stage=np.int8,
            episode=np.int64,
            outputs=np.int64,
            breaches=np.int64,
            deadline_us=np.int64,
            escalated=np.bool_,
            step=np.int64,
            step_deadline_us=np.int64,
            order_number=np.int64,
            order_bankruptcy_e8=np.int64,
            reach=np.float32,
            first_balance=np.int32,
            first_position=np.int32,
            **LINKS,
        )
        self.balances = PairTable(bucket=np.int32, asset=np.int32, amount_e8=np.int64, **LINKS)
        self.positions = PairTable(
            bucket=np.int32, instrument=np.int32, quantity_e8=np.int64, cost_e8=np.int64, **LINKS
        )
        self.pools = Chains(self.accounts, "first_bucket", self.buckets)
        self.owned = Chains(self.buckets, "first_balance", self.balances)
        self.held = Chains(self.buckets, "first_position", self.positions)
        self.orders = OpenOrders()
        self.rebuilt = 0
        """Grows where buckets may change that nobody says were touched."""
        self.system: dict[str, int] = {}
        """Rows of the system's accounts by name: asked for in every turn."""
        self.system_of: dict[str, dict[str, int]] = {}
        """The same by kind, what stands before the colon: of some kinds there is one an
        instrument."""

    def account_rows(self, ids: NameList, partition: int) -> Int64s:
        """Rows of accounts of one partition, one an id, to be written to; opened where new."""
        before = len(self.accounts)
        rows = self.accounts.rows(ids)
        self.touched.add(rows)
        if len(self.accounts) > before:
            names = self.accounts.encoded(rows)
            self.accounts["partition"][rows] = partition
            system = {
                name.decode(): row
                for name, row in zip(names, rows.tolist(), strict=True)
                if name[:1] == b"@"
            }
            self.accounts["system"][list(system.values())] = True
            self._name_system(system)
            if self.portfolios:
                portfolio = [name.decode() in self.portfolios for name in names]
                self.accounts["portfolio"][rows] = portfolio
        return rows

    def set_portfolio(self, name: str, portfolio: bool) -> None:
        """Margin an account's cross pool as a portfolio, or position by position."""
        (self.portfolios.add if portfolio else self.portfolios.discard)(name)
        row = self.accounts.find(name)
        self.rebuilt += 1
        if row is not None:
            self.accounts["portfolio"][row] = portfolio
            self.buckets["reach"][self.buckets["account"] == row] = 0

    def bucket_rows(self, accounts: Int64s, instruments: Int64s) -> Int64s:
        """Rows of buckets; `instruments` is CROSS for the pool, else the isolated instrument."""
        return self.pools.rows(accounts, instruments)

    def balance_rows(self, buckets: Int64s, assets: Int64s) -> Int64s:
        return self.owned.rows(buckets, assets)

    def position_rows(self, buckets: Int64s, instruments: Int64s) -> Int64s:
        return self.held.rows(buckets, instruments)

    def drop_orders(self, partition: int, instrument: int) -> Int64s:
        """Forget all open orders of an instrument in a partition; returns the buckets touched."""
        table = self.orders.table
        mine = table.live & (table["instrument"] == instrument)
        rows = np.flatnonzero(mine & (self.accounts["partition"][table["account"]] == partition))
        touched = self.orders.drop(rows)
        self.touch(touched)
        return touched

    def system_bucket(self, name: str, partition: int) -> int:
        """The cross bucket of a system account's slice in a partition, to be written to."""
        return int(self.system_buckets([name], partition)[0])

    def system_buckets(self, names: Sequence[str], partition: int) -> Int64s:
        """The same of several accounts."""
        names = [f"{name}#{partition}" for name in names]
        if missing := [name for name in names if name not in self.system]:
            self.account_rows(missing, partition)
        accounts = np.array([self.system[name] for name in names], np.int64)
        self.touched.add(accounts)
        return self.bucket_rows(accounts, np.full(len(accounts), CROSS))

    def cross_bucket(self, account: int) -> int:
        """The cross bucket of an account, opened where there is none yet."""
        return self.pools.row(account, CROSS)

    def post(self, buckets: Int64s, assets: Int64s, amounts_e8: Int64s) -> None:
        """Add amounts to balances; rows may repeat."""
        self.touch(buckets)
        rows = self.balance_rows(buckets, assets)  # may put longer columns in place
        np.add.at(self.balances["amount_e8"], rows, amounts_e8)

    def touch(self, buckets: Int64s) -> None:
        """The accounts of these buckets differ from what the changelog has of them."""
        self.touched.add(self.buckets["account"][buckets].astype(np.int64))

    def applied(self, topic: str, accounts: Int64s, offsets: Int64s) -> None:
        """Records of `topic` at these offsets are applied to these accounts; rows may repeat."""
        np.maximum.at(self.accounts[topic], accounts, offsets + 1)

    def account_of_bucket(self, bucket: int) -> str:
        return self.accounts.name(int(self.buckets["account"][bucket]))

    def partition_of_bucket(self, bucket: int) -> int:
        return int(self.accounts["partition"][self.buckets["account"][bucket]])

    def drop_partition(self, partition: int) -> None:
        """Forget the accounts of a partition that is someone else's now, or is read anew."""
        self.rebuilt += 1
        gone = self.accounts.live & (self.accounts["partition"] == partition)
        self.clear(np.flatnonzero(gone))
        self.accounts.release(np.flatnonzero(gone))
        left = {name: row for name, row in self.system.items() if not gone[row]}
        self.system, self.system_of = {}, {}
        self._name_system(left)

    def clear(self, accounts: Int64s) -> None:
        """Forget all that these accounts have, so that they have no bucket any more."""
        gone = np.zeros(self.accounts.capacity, np.bool_)
        gone[accounts] = True
        gone_buckets = self.buckets.live & gone[self.buckets["account"]]
        for table in (self.positions, self.balances, self.orders.table, self.orders.sums):
            table.release(np.flatnonzero(table.live & gone_buckets[table["bucket"]]))
        self.buckets.release(np.flatnonzero(gone_buckets))
        self.accounts["first_bucket"][accounts] = 0

    def _name_system(self, rows: Mapping[str, int]) -> None:
        self.system |= rows
        for name, row in rows.items():
            self.system_of.setdefault(name.partition(":")[0], {})[name] = row

    def digest(self, assets: Sequence[str], instruments: Sequence[str]) -> str:
        """A fingerprint of all ledger entries, whatever the order of rows, blocks or workers.

        The sum (mod 2^128) of a hash an entry that is not zero, so that the digests of workers
        that share an exchange add up.
        """
        total = 0
        for table, names, fields in (
            (self.balances, assets, ("asset", "amount_e8")),
            (self.positions, instruments, ("instrument", "quantity_e8", "cost_e8")),
        ):
            live = table.live_rows()
            for rows in np.array_split(live, len(live) // _AT_ONCE + 1):
                bucket = table["bucket"][rows]
                owners = self.accounts.encoded(self.buckets["account"][bucket])
                pools = self.buckets["instrument"][bucket].tolist()
                columns = (table[field][rows].tolist() for field in fields)
                for owner, pool, what, *amounts in zip(owners, pools, *columns, strict=True):
                    if any(amounts):
                        place = "cross" if pool == CROSS else instruments[pool]
                        total += _hash(f"{owner.decode()}|{place}|{names[what]}|{amounts}")
        return f"{total % 2**128:032x}"


def _hash(entry: str) -> int:
    return int.from_bytes(hashlib.blake2b(entry.encode(), digest_size=16).digest())
