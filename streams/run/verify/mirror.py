"""An engine's ledger and board, into which accounts and marks of the history are put."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from risk.liquidation.stages import Stage
from schemas.block import Int64s
from sinks.reading import Row
from streams.base.settings import Settings
from streams.processors.fund_view import FundView, fund_views
from streams.processors.margin import Evaluated, evaluate
from streams.processors.reductions import prices_of
from streams.processors.states import margin_states
from streams.run.parts import limits
from streams.run.verify.holdings import Holdings
from streams.run.verify.ticks import Cuts, Ticks
from streams.state.account_book import CROSS
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard
from streams.state.open_orders import Orders
from streams.state.profiles import load_profile
from streams.state.recent_ids import hashes
from streams.state.rules import Rules

RULES = ("instruments", "assets", "accounts", "risk-params")
"""Topics that say by which rules margin is computed, in the order in which they are taken."""
POOL = "cross"
Record = Mapping[str, Any]


class Held(NamedTuple):
    """An account as it is put into the mirror."""

    account: str
    holdings: Holdings
    buckets: Sequence[Record] = ()
    """Its buckets as a margin state has them: what does not follow from holdings is theirs."""
    orders: Sequence[Record] = ()
    """What it has open, as the records say."""


class Mirror:
    """Margin of accounts by the rules of a time, the marks of that time, and the engine's code."""

    def __init__(
        self, settings: Settings, rules: Iterable[tuple[str, Row]], ticks: Ticks, partition: int
    ) -> None:
        """`rules` are the records of the topics `RULES` with their topic, in no order."""
        self._ledger = Ledger(Rules(), settings.partitions, load_profile(settings.profile))
        self._board = MarkBoard(limits(settings))
        self.ticks = ticks
        self._partition = partition
        self._waiting = sorted(
            rules,
            key=lambda one: (one[1].record["event_time"], RULES.index(one[0]), one[1][:2]),
            reverse=True,
        )

    def advance(self, time_us: int) -> None:
        """Put in force what was told until then."""
        ledger, board = self._ledger, self._board
        while self._waiting and self._waiting[-1][1].record["event_time"] <= time_us:
            topic, row = self._waiting.pop()
            record = row.record
            if topic == "instruments":
                ledger.rules.take_instrument(record)
                board.resize(len(ledger.rules.instruments))
                board.list_instrument(ledger.rules.number[record["instrument_id"]], record)
            elif topic == "assets":
                ledger.rules.take_asset(record)
            elif topic == "accounts":
                ledger.take_account(record)
            else:
                ledger.rules.take_risk_params(record, time_us)
        ledger.rules.advance(time_us)

    def marks(self, cuts: Cuts, time_us: int) -> None:
        """Show the marks of the ticks taken, on a clock."""
        self.ticks.show(self._board, self._ledger.rules.instruments, cuts, time_us)

    def put(self, accounts: Sequence[Held]) -> None:
        """Put accounts in place of what was held of them before."""
        book, rules = self._ledger.book, self._ledger.rules
        self._clear(accounts)
        rows = book.account_rows([one.account for one in accounts], self._partition)
        place = self._buckets(accounts, rows)
        for row, one in zip(rows.tolist(), accounts, strict=True):
            for bucket in one.buckets:
                line = place[row, bucket["bucket"]]
                book.buckets["stage"][line] = Stage[bucket["stage"]]
                book.buckets["episode"][line] = bucket["episode"]
        balances = [
            (place[row, pool], rules.asset_number[asset], e8)
            for row, one in zip(rows.tolist(), accounts, strict=True)
            for (pool, asset), e8 in one.holdings.balances.items()
        ]
        at, asset, e8 = np.array(balances, np.int64).reshape(-1, 3).T
        lines = book.balance_rows(at, asset)
        book.balances["amount_e8"][lines] = e8
        positions = [
            (place[row, pool], rules.number[name], *amounts)
            for row, one in zip(rows.tolist(), accounts, strict=True)
            for (pool, name), amounts in one.holdings.positions.items()
        ]
        at, number, quantity_e8, cost_e8 = np.array(positions, np.int64).reshape(-1, 4).T
        lines = book.position_rows(at, number)
        book.positions["quantity_e8"][lines] = quantity_e8
        book.positions["cost_e8"][lines] = cost_e8
        self._put_orders(accounts, rows, place)

    def _buckets(self, accounts: Sequence[Held], rows: Int64s) -> dict[tuple[int, str], int]:
        """The buckets that these accounts need: row of the account and name -> row."""
        number = self._ledger.rules.number
        pools: dict[tuple[int, str], None] = {}
        for row, one in zip(rows.tolist(), accounts, strict=True):
            named = [POOL, *(bucket["bucket"] for bucket in one.buckets)]
            named += [place[0] for place in (*one.holdings.balances, *one.holdings.positions)]
            named += [self._pool(order) for order in one.orders]
            pools.update(dict.fromkeys((row, name) for name in named))
        numbers = [CROSS if name == POOL else number[name] for _, name in pools]
        buckets = self._ledger.book.bucket_rows(
            np.array([row for row, _ in pools], np.int64), np.array(numbers, np.int64)
        )
        return dict(zip(pools, buckets.tolist(), strict=True))

    def _pool(self, order: Record) -> str:
        """The bucket that the fills of an order would belong to."""
        name: str = order["instrument_id"]
        apart = order["margin_mode"] == "ISOLATED" and not self.rules.spot[self.rules.number[name]]
        return name if apart else POOL

    def _put_orders(
        self, accounts: Sequence[Held], rows: Int64s, place: Mapping[tuple[int, str], int]
    ) -> None:
        told = [
            (row, place[row, self._pool(order)], order)
            for row, one in zip(rows.tolist(), accounts, strict=True)
            for order in one.orders
        ]
        records = [order for _, _, order in told]
        number = self._ledger.rules.number
        signed = [one["remaining_e8"] * (1 if one["side"] == "BUY" else -1) for one in records]
        self._ledger.book.orders.put(
            Orders(
                account=np.array([row for row, _, _ in told], np.int64),
                id_hash=hashes([one["order_id"] for one in records]),
                bucket=np.array([bucket for _, bucket, _ in told], np.int64),
                instrument=np.array([number[one["instrument_id"]] for one in records], np.int64),
                signed_e8=np.array(signed, np.int64),
                reduce_only=np.array([one["reduce_only"] for one in records], np.bool_),
            )
        )

    def states(self, accounts: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The margin-state record of accounts, by their names."""
        rows = np.array([self._ledger.book.accounts.row(name) for name in accounts], np.int64)
        return {
            one.values["account_id"]: dict(one.values)
            for one in margin_states(self._ledger, self._board, rows)
        }

    def evaluated(self, account: str, pool: str) -> Evaluated:
        """One bucket at the marks shown."""
        book, number = self._ledger.book, self._ledger.rules.number
        instrument = CROSS if pool == POOL else number[pool]
        row = np.array([book.accounts.row(account)], np.int64)
        bucket = book.bucket_rows(row, np.array([instrument], np.int64))
        return evaluate(self._ledger, self._board, bucket)

    def prices(self, evaluated: Evaluated, rows: Int64s, urgency: float) -> tuple[int, int]:
        """Limit and bankruptcy price of a position, 0 where there is none."""
        limits, bankruptcies = prices_of(evaluated, rows, self._board, np.array([urgency]))
        return int(limits[0]), int(bankruptcies[0])

    def fund(self, account: str) -> FundView | None:
        """An insurance fund as its own decisions see it."""
        views = fund_views(self._ledger, self._board, idle=True)
        return next((view for view in views if view.account_id == account), None)

    @property
    def rules(self) -> Rules:
        return self._ledger.rules

    @property
    def board(self) -> MarkBoard:
        return self._board

    def _clear(self, accounts: Sequence[Held]) -> None:
        """Forget what these accounts hold."""
        book = self._ledger.book
        found = [book.accounts.find(one.account) for one in accounts]
        book.clear(np.array([row for row in found if row is not None], np.int64))
