"""The accounts of a document, checked, as the buckets they hold."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from risk.book import Book, Kind, OpenOrders
from risk.holdings import Balances, Positions
from risk.valuation import contract_value
from schemas.units import LIMIT_E8
from streams.run.desk.fields import Field
from streams.run.desk.listings import AssetList, Instruments, column, find

MODES = ("CROSS", "ISOLATED", "PORTFOLIO")
BUCKETS = ("CROSS", "ISOLATED")
POOL = "cross"
SIDES = ("BUY", "SELL")


class BucketName(NamedTuple):
    """A bucket as records name it."""

    account: str
    bucket: str  # "cross", or the isolated instrument

    def __str__(self) -> str:
        return f"{self.account}/{self.bucket}"


class Holding(NamedTuple):
    """A position, or an open order, as it is written."""

    field: Field
    bucket: int
    instrument: int
    quantity_e8: int
    cost_e8: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """What all accounts hold; buckets in the order of the document, an account's pool first."""

    buckets: list[BucketName]
    kinds: list[Kind]
    positions: list[Holding]
    balances: list[tuple[int, int, int]]  # bucket, asset, amount_e8
    orders: list[Holding]  # quantity signed

    @staticmethod
    def of(accounts: Field, instruments: Instruments, assets: AssetList) -> "Accounts":
        found, names = Accounts([], [], [], [], []), set()
        for one in accounts.items():
            members = one.table(("account_id", "mode"), ("balances", "positions", "orders"))
            name = members["account_id"].text()
            if name in names:
                members["account_id"].fail("is listed twice")
            names.add(name)
            mode = members["mode"].choice(MODES)
            _Reader(found, name, mode, instruments, assets).read(members)
        return found

    def book(self) -> Book:
        """The columns; orders are summed by bucket and instrument."""
        rows = np.array([one[1:] for one in self.positions], np.int64).reshape(-1, 4).T
        owned = np.array(self.balances, np.int64).reshape(-1, 3).T
        return Book(
            Positions(*rows.copy()),
            Balances(*owned.copy()),
            column([int(kind) for kind in self.kinds]),
            self._open_orders(),
        )

    def _open_orders(self) -> OpenOrders | None:
        if not self.orders:
            return None
        sums: dict[tuple[int, int], list[int]] = {}
        for order in self.orders:
            pair = sums.setdefault((order.bucket, order.instrument), [0, 0, 0])
            pair[order.quantity_e8 < 0] += abs(order.quantity_e8)
            if max(pair) > LIMIT_E8:
                order.field.fail("and the orders before it are beyond 9,999,999,999.99999999")
            pair[2] += 1
        rows = np.array([(*key, *entry) for key, entry in sums.items()], np.int64).T
        return OpenOrders(*rows.copy())


@dataclass(slots=True)
class _Reader:
    """Reads one account."""

    found: Accounts
    account: str
    mode: str
    instruments: Instruments
    assets: AssetList
    rows: dict[str, int] = field(default_factory=dict)  # of its buckets, by name

    def read(self, members: dict[str, Field]) -> None:
        # The pool comes first, but an isolated account may well have none.
        if self.mode != "ISOLATED" or not members.keys() & {"positions", "orders"}:
            self._pool()
        if "balances" in members:
            self._balances(self._pool(), members["balances"])
        for one in members["positions"].items() if "positions" in members else ():
            self._position(one)
        for one in members["orders"].items() if "orders" in members else ():
            self._order(one)

    def _pool(self) -> int:
        return self._bucket(POOL, Kind.PORTFOLIO if self.mode == "PORTFOLIO" else Kind.CROSS)

    def _bucket(self, name: str, kind: Kind) -> int:
        """Its row; a new one where the account has none of that name."""
        if name not in self.rows:
            self.rows[name] = len(self.found.buckets)
            self.found.buckets.append(BucketName(self.account, name))
            self.found.kinds.append(kind)
        return self.rows[name]

    def _balances(self, bucket: int, amounts: Field) -> None:
        for name, amount in amounts.entries().items():
            if name not in self.assets.names:
                amount.fail("is of an asset that is not in assets")
            row = (bucket, self.assets.names[name], amount.amount_e8())
            self.found.balances.append(row)

    def _position(self, one: Field) -> None:
        members = one.table(
            ("instrument_id", "quantity"), ("entry_price", "cost", "bucket", "collateral")
        )
        instrument, bucket = self._place(members)
        if "collateral" in members:
            if self.found.kinds[bucket] != Kind.ISOLATED:
                members["collateral"].fail("is for a position with bucket ISOLATED")
            self._balances(bucket, members["collateral"])
        if ("cost" in members) == ("entry_price" in members):
            one.fail("must have one of cost and entry_price")
        quantity_e8 = members["quantity"].amount_e8()
        if not quantity_e8:
            members["quantity"].fail("must not be 0")
        if "cost" in members:
            cost_e8 = members["cost"].amount_e8()
        else:
            cost_e8 = self._cost(instrument, quantity_e8, members["entry_price"])
        self.found.positions.append(Holding(one, bucket, instrument, quantity_e8, cost_e8))

    def _order(self, one: Field) -> None:
        members = one.table(("instrument_id", "side", "quantity"), ("bucket",))
        instrument, bucket = self._place(members)
        quantity_e8 = members["quantity"].amount_e8(1)
        signed_e8 = quantity_e8 if members["side"].choice(SIDES) == "BUY" else -quantity_e8
        self.found.orders.append(Holding(one, bucket, instrument, signed_e8, 0))

    def _place(self, members: dict[str, Field]) -> tuple[int, int]:
        """Instrument and bucket of a position or an order."""
        name, given = members["instrument_id"], members.get("bucket")
        instrument = find(name, self.instruments.names, "instruments")
        if self.instruments.listings[instrument].kind == "SPOT":
            name.fail("is of kind SPOT: what is held of it is a balance")
        default = "ISOLATED" if self.mode == "ISOLATED" else "CROSS"
        kind = default if given is None else given.choice(BUCKETS)
        return instrument, (
            self._pool() if kind == "CROSS" else self._bucket(name.text(), Kind.ISOLATED)
        )

    def _cost(self, instrument: int, quantity_e8: int, price: Field) -> int:
        contracts, price_e8 = self.instruments.contracts, price.amount_e8(1)
        value_e8, fits = contract_value(
            contracts.inverse[[instrument]],
            contracts.multiplier_e8[[instrument]],
            column([quantity_e8]),
            column([price_e8]),
        )
        if not fits.all():
            price.fail("makes a cost beyond 9,999,999,999.99999999")
        return int(value_e8[0])
