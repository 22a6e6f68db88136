"""What the actions of a decision are written as: the records of each bucket, in their order."""

from dataclasses import dataclass

import numpy as np

from risk.liquidation.stages import Action, Steps
from schemas.block import Int64s
from schemas.registry import symbol_numbers
from streams.processors.margin import Bools, Evaluated
from streams.processors.reductions import Orders, prices_of
from streams.state.mark_board import MarkBoard

CALLS, LIQUIDATIONS = "margin-calls", "liquidations"
WRITTEN_AS = (
    (int(Action.WARN), CALLS, "WARNING"),
    (int(Action.CALL), CALLS, "CALL"),
    (int(Action.ESCALATE), CALLS, "ESCALATED"),
    (int(Action.CURE), CALLS, "CURED"),
    (int(Action.CANCEL_ORDERS), LIQUIDATIONS, "CANCEL_ORDERS"),
    (int(Action.REDUCE), LIQUIDATIONS, "REDUCE"),
    (int(Action.TAKE_OVER), LIQUIDATIONS, "TAKE_OVER"),
    (int(Action.COMPLETE), LIQUIDATIONS, "COMPLETED"),
)
"""The records of one bucket come in this order; a `what` is a place in it."""
REDUCE, TAKE_OVER = 5, 6
_NUMBERS = symbol_numbers("margin_call", "level") | symbol_numbers("liquidation", "action")
SYMBOLS = np.array([_NUMBERS[symbol] for _, _, symbol in WRITTEN_AS])
OF_CALLS = np.array([topic == CALLS for _, topic, _ in WRITTEN_AS])


@dataclass(frozen=True, slots=True)
class Said:
    """Records of buckets [R]: `at` counts the buckets that are written of, ascending.

    `number` counts the records of the bucket. Of an order `instrument` is -1 and the rest 0 where
    there is none; `side` is +1 for a purchase, -1 for a sale.
    """

    at: Int64s
    what: Int64s
    number: Int64s
    instrument: Int64s
    side: Int64s
    quantity_e8: Int64s
    limit_price_e8: Int64s
    bankruptcy_price_e8: Int64s
    deadline_us: Int64s

    def chosen(self, rows: Int64s | Bools) -> "Said":
        return Said(*(getattr(self, name)[rows] for name in Said.__slots__))


def said(
    evaluated: Evaluated, board: MarkBoard, steps: Steps, orders: Orders, closings: Orders
) -> tuple[Int64s, Said]:
    """The places of the buckets that are written of, and what is.

    `orders` reduce buckets, `closings` tell of the positions of those that are taken over.
    """
    places = np.flatnonzero(steps.actions)
    at = np.full(len(steps.actions), -1)
    at[places] = np.arange(len(places))
    parts = []
    for what, (action, topic, _) in enumerate(WRITTEN_AS):
        asked = (steps.actions & action) != 0
        if what == REDUCE:
            limits, bankruptcies = prices_of(evaluated, orders.row, board, orders.urgency)
            deadlines = steps.step_deadline_us[orders.place]
            part = _of_orders(evaluated, orders, limits, bankruptcies, deadlines)
            parts.append((what, part[:, asked[orders.place]]))
            continue
        if what == TAKE_OVER:
            _, bankruptcies = prices_of(evaluated, closings.row, board)
            none = np.zeros_like(bankruptcies)
            parts.append((what, _of_orders(evaluated, closings, none, bankruptcies, none)))
            asked[closings.place] = False
        parts.append((what, _plain(np.flatnonzero(asked), steps.deadline_us, topic == CALLS)))
    rows = np.concatenate([part for _, part in parts], axis=1)
    rows[0] = at[rows[0]]
    what_of = np.repeat([what for what, _ in parts], [part.shape[1] for _, part in parts])
    order = np.lexsort((what_of, rows[0]))
    rows, what_of = rows[:, order], what_of[order]
    first = np.searchsorted(rows[0], np.arange(len(places)))
    number = np.arange(len(order)) - first[rows[0]] + 1
    return places, Said(rows[0], what_of, number, *rows[1:])


def _of_orders(
    evaluated: Evaluated, orders: Orders, limits: Int64s, bankruptcies: Int64s, deadlines: Int64s
) -> Int64s:
    instrument = evaluated.positions.instrument[orders.row]
    return np.stack(
        [orders.place, instrument, orders.side, orders.quantity_e8, limits, bankruptcies, deadlines]
    )


def _plain(places: Int64s, deadline_us: Int64s, of_calls: bool) -> Int64s:
    rows = np.zeros((7, len(places)), np.int64)
    rows[0], rows[1] = places, -1
    if of_calls:
        rows[6] = deadline_us[places]
    return rows
