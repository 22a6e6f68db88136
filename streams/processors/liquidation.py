"""Steps the ladder of the evaluated buckets and writes what it asks for as records."""

from collections.abc import Callable

import numpy as np

from risk.liquidation.pacing import Pace
from risk.liquidation.stages import Action, Ladder, Stage, Steps, Watch
from risk.liquidation.stepping import step
from schemas.block import Int64s
from schemas.units import US_PER_MS
from streams.processors.bucket_records import BucketRecords
from streams.processors.margin import Evaluated, evaluate
from streams.processors.outputs import Output, Table
from streams.processors.reductions import Orders, Reducer
from streams.processors.said import OF_CALLS, TAKE_OVER, said
from streams.processors.screen import Screen
from streams.processors.states import margin_states
from streams.processors.sweep import Sweep
from streams.processors.takeover import holdings_of, takeover
from streams.processors.transfers import Cause
from streams.state.guards import Use, allowed
from streams.state.ledger import INSURANCE, Ledger
from streams.state.mark_board import MarkBoard

REMEMBERED = (
    "stage",
    "breaches",
    "deadline_us",
    "escalated",
    "step",
    "step_deadline_us",
)
PUBLISH_MS = 1_000


class Decider:
    """From marks and touched buckets to margin calls, liquidations, transfers, margin states."""

    def __init__(
        self,
        ledger: Ledger,
        board: MarkBoard,
        ladder: Ladder,
        pace: Pace,
        held: Callable[[], int],
    ) -> None:
        """`held` tells how many partitions the worker holds: so much of each market is its own."""
        self._ledger = ledger
        self._board = board
        self._ladder = ladder
        self._screen = Screen(ledger, board, ladder)
        self._reducer = Reducer(ledger, board, ladder, pace, held)
        self._writer = BucketRecords(ledger, board, ladder)
        self._waiting: set[int] = set()
        """Accounts that were touched since their margin state was last published."""
        self._sweep = Sweep(ledger.book)
        self._changed = board.changed
        self._revision = 0

    def decide(self, touched: Int64s) -> list[Output | Table]:
        """One decision at the board's clock; `touched` are rows of buckets with new entries."""
        book, now_us = self._ledger.book, self._board.clock_us
        self._changed = changed = self._board.take_changes()
        touched = touched[book.buckets.live[touched]]
        if self._ledger.rules.revision != self._revision:  # other rules may ask more of everyone
            self._revision = self._ledger.rules.revision
            changed = np.ones_like(changed)
        buckets = self._screen.buckets(changed, touched)
        outputs: list[Output | Table] = []
        moved = np.empty(0, np.int64)
        if len(buckets):
            evaluated = evaluate(self._ledger, self._board, buckets)
            watch = self._watch(evaluated)
            steps = step(watch, now_us, self._ladder)
            orders = self._reducer.orders(evaluated, steps)
            if orders.reduction.any():
                watch = watch._replace(reduction=orders.reduction)
                steps = step(watch, now_us, self._ladder)
            moved = buckets[steps.stage != book.buckets["stage"][buckets]]
            self._remember(buckets, steps)
            self._screen.learn(evaluated)
            outputs = self._records(evaluated, steps, orders)
        outputs.extend(self._states(touched, moved))
        return outputs

    def restate(self, partition: int) -> None:
        """Publish the states of all accounts of a partition that have an open episode."""
        book = self._ledger.book
        owner = book.buckets["account"]
        open_ = book.buckets.live & (book.buckets["stage"] != Stage.HEALTHY)
        rows = np.unique(owner[open_])
        mine = book.accounts["partition"][rows] == partition
        self._waiting.update(rows[mine].tolist())

    def _watch(self, evaluated: Evaluated) -> Watch:
        columns, buckets = self._ledger.book.buckets, evaluated.buckets
        return Watch(
            equity_e8=evaluated.state.equity_e8,
            maintenance_margin_e8=evaluated.state.maintenance_margin_e8,
            live=allowed(Use.LIQUIDATE, evaluated.guard),
            exempt=self._ledger.exempt(columns["account"][buckets]),
            reduction=np.zeros(len(buckets), np.int8),
            **{name: columns[name][buckets] for name in REMEMBERED},
        )

    def _remember(self, buckets: Int64s, steps: Steps) -> None:
        columns = self._ledger.book.buckets
        differs = np.zeros(len(buckets), np.bool_)
        for name in REMEMBERED:
            differs |= columns.put(name, buckets, getattr(steps, name))
        self._ledger.book.touch(buckets[differs])
        columns["episode"][buckets[steps.began]] += 1
        columns["outputs"][buckets[steps.began]] = 0
        closed = buckets[steps.stage != Stage.REDUCING]
        for name in ("order_number", "order_bankruptcy_e8"):
            columns.put(name, closed, np.zeros(len(closed), np.int64))

    def _records(self, evaluated: Evaluated, steps: Steps, orders: Orders) -> list[Output | Table]:
        if not steps.actions.any():
            return []
        taken = np.flatnonzero(steps.actions & Action.TAKE_OVER)
        closings = self._reducer.closings(evaluated, taken)
        places, what = said(evaluated, self._board, steps, orders, closings)
        about = self._writer.about(evaluated, places, self._changed)
        calls, liquidations = self._writer.tables(about, what)
        outputs: list[Output | Table] = [table for table in (calls, liquidations) if len(table)]
        holdings = holdings_of(self._ledger, evaluated.buckets[taken])
        of_liquidations = what.chosen(~OF_CALLS[what.what])
        first = np.flatnonzero(of_liquidations.what == TAKE_OVER)
        _, one_each = np.unique(of_liquidations.at[first], return_index=True)
        for row in first[one_each].tolist():
            at = int(of_liquidations.at[row])
            cause = Cause(
                "TAKEOVER", self._board.clock_us, about.sources[at], int(about.partitions[at])
            )
            held = holdings[int(about.rows[at])]
            outputs += takeover(self._ledger, cause, liquidations.output_ids[row], held)
        return outputs

    def _states(self, touched: Int64s, moved: Int64s) -> list[Table]:
        """Margin states: of accounts whose stage moved now, of touched ones at most once a second
        on the board's clock, of all in a slow sweep."""
        book, now_us = self._ledger.book, self._board.clock_us
        accounts = book.accounts
        owner = book.buckets["account"]
        self._waiting.update(owner[touched].tolist())
        self._waiting.update(self._sweep.due(now_us).tolist())
        waiting = np.fromiter(self._waiting, np.int64, len(self._waiting))
        waiting = waiting[accounts.live[waiting]]
        late = now_us - accounts["published_us"][waiting] >= PUBLISH_MS * US_PER_MS
        due = np.unique(np.concatenate((waiting[late], owner[moved])))
        of_system = np.flatnonzero(accounts["system"][due])
        if len(of_system):
            due = np.delete(due, of_system[~np.isin(due[of_system], self._funds())])
        self._waiting.difference_update(due.tolist())
        return [margin_states(self._ledger, self._board, due)] if len(due) else []

    def _funds(self) -> list[int]:
        """Rows of the insurance funds, which hold positions too and are published like people."""
        return list(self._ledger.book.system_of.get(INSURANCE.removesuffix(":"), {}).values())
