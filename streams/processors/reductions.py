"""The orders that reduce buckets: how much of what, at which prices, and what must wait."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.evaluation import Kind
from risk.liquidation.book_share import book_shares, closing_cost_e8, reduce_books
from risk.liquidation.pacing import NO_CAP, Pace, caps_e8, paced_e8
from risk.liquidation.sizing import Reductions, Sizing, closing_prices, reduce_quantity
from risk.liquidation.stages import Action, Ladder, Reduction, Steps
from risk.valuation import sum_by
from schemas.block import Int64s
from schemas.units import US_PER_MS, Floats
from streams.processors.closed_books import margins_e8
from streams.processors.margin import Evaluated
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

SPREAD_TO_MAINTENANCE_PPM = 1_000_000
"""The last step of a liquidation offers the whole maintenance margin for a fill, the first its
share of that, never beyond bankruptcy: an order on the mark alone finds no taker in a crash."""
SIZING = Sizing(spread_to_maintenance_ppm=SPREAD_TO_MAINTENANCE_PPM)


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of one decision [R], ascending by bucket, and what they are to each bucket [N]."""

    place: Int64s
    row: Int64s  # of the position
    side: Int64s  # +1 buy, -1 sell
    quantity_e8: Int64s
    urgency: Floats  # steps used up, this one included, of all that there are
    reduction: NDArray[np.int8]


class Reducer:
    """Sizes orders, and paces them: what was asked of each market in the window is remembered.

    By the worker alone: one that begins anew has asked for nothing.
    """

    def __init__(
        self,
        ledger: Ledger,
        board: MarkBoard,
        ladder: Ladder,
        pace: Pace,
        held: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._board = board
        self._ladder = ladder
        self._pace = pace
        self._held = held
        self._window = 0
        self._asked_e8 = np.zeros((0, 2), np.int64)
        """By instrument: contracts to be sold and to be bought, asked for in this window."""

    def orders(self, evaluated: Evaluated, steps: Steps) -> Orders:
        """Orders for the buckets that these steps ask to reduce, as far as there is room."""
        asked = np.where((steps.actions & Action.REDUCE) != 0, np.maximum(steps.step, 1), 0)
        reduction = np.zeros(len(asked), np.int8)
        nothing = np.empty(0, np.int64)
        if not asked.any():
            return Orders(nothing, nothing, nothing, nothing, np.empty(0), reduction)
        wanted = self._wanted(evaluated, asked)
        granted_e8 = self._granted_e8(evaluated, wanted)
        reduction[asked > 0] = Reduction.USELESS
        reduction[wanted.bucket] = Reduction.WHOLE
        reduction[wanted.bucket[granted_e8 < wanted.quantity_e8]] = Reduction.PART
        reduction[wanted.bucket[granted_e8 == 0]] = Reduction.WAITS
        kept = np.flatnonzero(granted_e8)
        place = wanted.bucket[kept]
        urgency = asked[place] / self._ladder.max_steps
        return Orders(
            place, wanted.row[kept], wanted.side[kept], granted_e8[kept], urgency, reduction
        )

    def closings(self, evaluated: Evaluated, places: Int64s) -> Orders:
        """What would close every position of the buckets at these places."""
        taken = np.zeros(len(evaluated.buckets), np.bool_)
        taken[places] = True
        rows = np.flatnonzero(taken[evaluated.positions.bucket])
        place, quantity_e8 = evaluated.positions.bucket[rows], evaluated.positions.quantity_e8[rows]
        nothing = np.empty(0, np.int8)
        return Orders(
            place, rows, -np.sign(quantity_e8), np.abs(quantity_e8), np.ones(len(rows)), nothing
        )

    def _depth_e8(self) -> Int64s:
        return np.stack([self._board.bid_depth_e8, self._board.ask_depth_e8], axis=1)

    def _wanted(self, evaluated: Evaluated, asked: Int64s) -> Reductions:
        """A position of each bucket, or of a portfolio the same share of all of them."""
        portfolio = evaluated.book.kind == Kind.PORTFOLIO
        single = reduce_quantity(
            evaluated.positions,
            evaluated.position_state,
            evaluated.state,
            step=np.where(portfolio, 0, asked),
            end_health_ppm=self._ladder.end_health_ppm,
            rules=evaluated.rules,
            sizing=SIZING,
            averaged=evaluated.averaged(),
            depth_e8=self._depth_e8(),
        )
        if not (portfolio & (asked > 0)).any():
            return single
        whole = self._of_portfolios(evaluated, np.where(portfolio, asked, 0))
        both = [
            np.concatenate([getattr(single, name), getattr(whole, name)])
            for name in Reductions.__slots__
        ]
        order = np.argsort(both[0], kind="stable")
        return Reductions(*(column[order] for column in both))

    def _of_portfolios(self, evaluated: Evaluated, asked: Int64s) -> Reductions:
        places = np.flatnonzero(asked)
        notional_e8 = sum_by(
            evaluated.positions.bucket, evaluated.position_state.notional_e8, len(asked)
        )
        shares = book_shares(
            evaluated.state.equity_e8[places],
            margins_e8(self._ledger, evaluated, places),
            closing_cost_e8(notional_e8[places], SIZING),
            end_health_ppm=self._ladder.end_health_ppm,
        )
        return reduce_books(
            evaluated.positions,
            evaluated.position_state,
            shares,
            bucket=places,
            step=asked[places],
            rules=evaluated.rules,
            sizing=SIZING,
        )

    def _granted_e8(self, evaluated: Evaluated, wanted: Reductions) -> Int64s:
        """How much of each wanted order goes out now; the market's room shrinks by it."""
        place, instrument = wanted.bucket, evaluated.positions.instrument[wanted.row]
        state = evaluated.state
        loss_e8 = state.maintenance_margin_e8 - state.equity_e8
        granted_e8 = paced_e8(
            place,
            instrument,
            wanted.side,
            wanted_e8=wanted.quantity_e8,
            loss_e8=loss_e8[place],
            lot_e8=evaluated.rules.contracts.lot_e8[instrument],
            room_e8=self._room_e8(),
            account=self._told_apart(evaluated.buckets[place], loss_e8[place]),
        )
        column = (wanted.side > 0).astype(np.int64)
        np.add.at(self._asked_e8, (instrument, column), granted_e8)
        return granted_e8

    def _told_apart(self, buckets: Int64s, loss_e8: Int64s) -> list[str]:
        """The accounts of buckets, where some have the same loss: only then do names decide."""
        if len(np.unique(loss_e8)) == len(loss_e8):
            return [""] * len(buckets)
        return [account for account, _ in self._ledger.whose(buckets)]

    def _room_e8(self) -> Int64s:
        """What may still be asked of each market in the window of the board's clock [I, 2]."""
        window = self._board.clock_us // (self._pace.window_ms * US_PER_MS)
        depth_e8 = self._depth_e8()
        before = self._asked_e8 if window == self._window else self._asked_e8[:0]
        self._window, self._asked_e8 = window, np.zeros_like(depth_e8)
        self._asked_e8[: len(before)] = before
        held, partitions = max(self._held(), 1), self._ledger.partitions
        cap_e8 = caps_e8(depth_e8, self._pace, held=held, partitions=partitions)
        room_e8: Int64s = np.where(cap_e8 == NO_CAP, NO_CAP, cap_e8 - self._asked_e8)
        return room_e8


def prices_of(
    evaluated: Evaluated, rows: Int64s, board: MarkBoard, urgency: Floats | None = None
) -> tuple[Int64s, Int64s]:
    """Limit and bankruptcy prices of these positions, 0 where there is none."""
    prices = closing_prices(
        rows,
        evaluated.positions,
        evaluated.position_state,
        evaluated.state,
        marks_e8=board.mark_e8,
        rules=evaluated.rules,
        sizing=SIZING,
        urgency=urgency,
    )
    return prices.limit_price_e8, prices.bankruptcy_price_e8
