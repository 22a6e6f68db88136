"""Steps the ladder of the evaluated buckets and writes what it asks for as records."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from risk.liquidation.pacing import Pace
from risk.liquidation.stages import Action, Ladder, Stage, Steps, Watch, health_level, step
from schemas.block import Int64s
from schemas.units import US_PER_MS
from streams.processors.margin import (
    Bools,
    Evaluated,
    buckets_to_evaluate,
    evaluate,
    pool_name,
)
from streams.processors.outputs import Output
from streams.processors.reductions import Orders, Reducer
from streams.processors.states import margin_states
from streams.processors.takeover import takeover
from streams.state.guards import Guard, Use, allowed
from streams.state.ledger import INSURANCE, Ledger
from streams.state.mark_board import MarkBoard

CALL_LEVELS = (
    (Action.WARN, "WARNING"),
    (Action.CALL, "CALL"),
    (Action.ESCALATE, "ESCALATED"),
    (Action.CURE, "CURED"),
)
REMEMBERED = (
    "stage",
    "breaches",
    "deadline_us",
    "escalated",
    "step",
    "step_deadline_us",
)
ABOUT_ONLY = frozenset({"row", "source", "partition"})
PUBLISH_MS = 1_000
SWEEP_MS = 600_000


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
        self._reducer = Reducer(ledger, board, ladder, pace, held)
        self._waiting: set[int] = set()
        """Accounts that were touched since their margin state was last published."""
        self._swept_us = 0
        self._changed = board.changed
        self._revision = 0

    def decide(self, touched: Int64s) -> list[Output]:
        """One decision at the board's clock; `touched` are rows of buckets with new entries."""
        book, now_us = self._ledger.book, self._board.clock_us
        self._changed = changed = self._board.take_changes()
        touched = touched[book.buckets.live[touched]]
        if self._ledger.rules.revision != self._revision:  # other rules may ask more of everyone
            self._revision = self._ledger.rules.revision
            changed = np.ones_like(changed)
        buckets = buckets_to_evaluate(self._ledger, changed, touched)
        outputs: list[Output] = []
        moved = np.empty(0, np.int64)
        if len(buckets):
            evaluated = evaluate(self._ledger, self._board, buckets)
            watch = self._watch(evaluated)
            steps = step(watch, now_us, self._ladder)
            orders = self._reducer.orders(evaluated, steps)
            if orders.reduction.any():
                watch = replace(watch, reduction=orders.reduction)
                steps = step(watch, now_us, self._ladder)
            moved = buckets[steps.stage != book.buckets["stage"][buckets]]
            self._remember(buckets, steps)
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
            differs |= columns[name][buckets] != getattr(steps, name)
            columns[name][buckets] = getattr(steps, name)
        self._ledger.book.touch(buckets[differs])
        columns["episode"][buckets[steps.began]] += 1
        columns["outputs"][buckets[steps.began]] = 0
        closed = buckets[steps.stage != Stage.REDUCING]
        columns["order_number"][closed] = columns["order_bankruptcy_e8"][closed] = 0

    def _records(self, evaluated: Evaluated, steps: Steps, orders: Orders) -> list[Output]:
        reductions = self._reducer.fields(evaluated, orders)
        outputs: list[Output] = []
        for place in np.flatnonzero(steps.actions).tolist():
            actions = int(steps.actions[place])
            about = self._about(evaluated, place)
            for action, level in CALL_LEVELS:
                if actions & action:
                    deadline = int(steps.deadline_us[place]) or None
                    outputs.append(self._call(about, level, deadline))
            if actions & Action.CANCEL_ORDERS:
                outputs.append(self._order(about, "CANCEL_ORDERS"))
            if actions & Action.REDUCE:
                deadline = int(steps.step_deadline_us[place])
                outputs.extend(self._reduce(about, reductions[place], deadline))
            if actions & Action.TAKE_OVER:
                outputs.extend(self._takeover(evaluated, place, about))
            if actions & Action.COMPLETE:
                outputs.append(self._order(about, "COMPLETED"))
        return outputs

    def _about(self, evaluated: Evaluated, place: int) -> dict[str, Any]:
        """What every record of a bucket says: whose, which episode, levels and marks."""
        bucket, state, board = int(evaluated.buckets[place]), evaluated.state, self._board
        own = evaluated.positions.instrument[evaluated.positions_of(place)]
        driven = self._ledger.rules.terms.underlying[own]
        held = list(dict.fromkeys([*own.tolist(), *driven.tolist()]))
        ticked = [i for i in held if self._changed[i]]
        newest = max(ticked, key=lambda i: int(board.time_us[i]), default=None)
        return {
            "row": bucket,
            "source": board.last_source if newest is None else board.source[newest],
            "partition": self._ledger.book.partition_of_bucket(bucket),
            "account_id": self._ledger.book.account_of_bucket(bucket),
            "bucket": pool_name(self._ledger, bucket),
            "episode": int(self._ledger.book.buckets["episode"][bucket]),
            "equity_e8": int(state.equity_e8[place]),
            "initial_margin_e8": int(state.initial_margin_e8[place]),
            "maintenance_margin_e8": int(state.maintenance_margin_e8[place]),
            "marks": [
                {
                    "instrument_id": self._ledger.rules.instruments[i],
                    "mark_e8": int(board.mark_e8[i]),
                    "guard": Guard(int(evaluated.mark_guard[i])).name,
                }
                for i in held
            ],
        }

    def _call(self, about: dict[str, Any], level: str, deadline: int | None) -> Output:
        equity, maintenance = about["equity_e8"], about["maintenance_margin_e8"]
        cured = health_level(
            np.array([maintenance]),
            self._ladder.warning_health_ppm + self._ladder.cure_margin_ppm,
        )
        content = {
            "level": level,
            "deadline": deadline,
            "shortfall_initial_e8": max(about["initial_margin_e8"] - equity, 0),
            "shortfall_maintenance_e8": max(maintenance - equity, 0),
            "top_up_e8": max(int(cured[0]) - equity, 0),
        }
        return self._output("margin-calls", "call_id", about, content)

    def _order(self, about: dict[str, Any], action: str, **fields: Any) -> Output:
        """A record of `liquidations`; `fields` fill what the action needs."""
        empty = dict.fromkeys(
            ("instrument_id", "side", "limit_price_e8", "bankruptcy_price_e8", "deadline")
        )
        content = {"action": action, "quantity_e8": 0, **empty, **fields}
        return self._output("liquidations", "liquidation_id", about, content)

    def _output(
        self, topic: str, id_field: str, about: dict[str, Any], fields: dict[str, Any]
    ) -> Output:
        """A record whose id is account/bucket/episode/n, n counting the outputs of the episode."""
        columns = self._ledger.book.buckets
        columns["outputs"][about["row"]] += 1
        number = int(columns["outputs"][about["row"]])
        output_id = f"{about['account_id']}/{about['bucket']}/{about['episode']}/{number}"
        record = {
            "event_time": self._board.clock_us,
            id_field: output_id,
            **{k: v for k, v in about.items() if k not in ABOUT_ONLY},
            **fields,
        }
        if topic == "liquidations":
            record["step"] = number
        return Output(
            topic, about["account_id"], record, output_id, about["source"], about["partition"]
        )

    def _reduce(
        self, about: dict[str, Any], reductions: list[dict[str, Any]], deadline: int
    ) -> list[Output]:
        """The orders of a step. The book remembers a single one, whose fills pay a penalty; of
        several no price is the one at which the bucket is bankrupt."""
        outputs = [self._order(about, "REDUCE", deadline=deadline, **one) for one in reductions]
        columns, bucket, single = self._ledger.book.buckets, about["row"], len(reductions) == 1
        bankruptcy_e8 = reductions[0]["bankruptcy_price_e8"] or 0
        columns["order_number"][bucket] = columns["outputs"][bucket] if single else 0
        columns["order_bankruptcy_e8"][bucket] = bankruptcy_e8 if single else 0
        return outputs

    def _takeover(self, evaluated: Evaluated, place: int, about: dict[str, Any]) -> list[Output]:
        rows = evaluated.positions_of(place)
        _, bankruptcies = self._reducer.prices(evaluated, rows)
        names = self._ledger.rules.instruments
        outputs = [] if len(rows) else [self._order(about, "TAKE_OVER")]
        for row, bankruptcy in zip(rows.tolist(), bankruptcies, strict=True):
            quantity = int(evaluated.positions.quantity_e8[row])
            outputs.append(
                self._order(
                    about,
                    "TAKE_OVER",
                    quantity_e8=abs(quantity),
                    instrument_id=names[int(evaluated.positions.instrument[row])],
                    side="SELL" if quantity > 0 else "BUY",
                    bankruptcy_price_e8=bankruptcy or None,
                )
            )
        outputs.extend(takeover(self._ledger, about, outputs[0].output_id, self._board.clock_us))
        return outputs

    def _states(self, touched: Int64s, moved: Int64s) -> list[Output]:
        """Margin states: of accounts whose stage moved now, of touched ones at most once a second
        on the board's clock, of all in a slow sweep."""
        book, now_us = self._ledger.book, self._board.clock_us
        accounts = book.accounts
        owner = book.buckets["account"]
        self._waiting.update(owner[touched].tolist())
        if now_us - self._swept_us >= SWEEP_MS * US_PER_MS:
            self._swept_us = now_us
            self._waiting.update(accounts.live_rows().tolist())
        waiting = np.fromiter(self._waiting, np.int64, len(self._waiting))
        waiting = waiting[accounts.live[waiting]]
        last_us = accounts["published_us"][waiting]
        due = np.union1d(
            waiting[now_us - last_us >= PUBLISH_MS * US_PER_MS], np.unique(owner[moved])
        )
        due = due[~accounts["system"][due] | self._funds(due)]
        self._waiting.difference_update(due.tolist())
        return margin_states(self._ledger, self._board, due) if len(due) else []

    def _funds(self, accounts: Int64s) -> Bools:
        """bool[n]: insurance funds, which hold positions too and are published like people."""
        keys = self._ledger.book.accounts.keys
        return np.array(
            [(keys[row] or "").startswith(INSURANCE) for row in accounts.tolist()], bool
        )
