"""Records of margin calls and of liquidations: what each says of its bucket, and its id."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from risk.liquidation.stages import Ladder, health_level
from schemas.block import Int64s
from streams.processors.margin import Bools, Evaluated
from streams.processors.outputs import Output
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

NO_ORDER = dict.fromkeys(
    ("instrument_id", "side", "limit_price_e8", "bankruptcy_price_e8", "deadline")
)
"""What a record of `liquidations` says of an order where there is none."""


@dataclass(frozen=True, slots=True)
class About:
    """A bucket (row of the book) of which records are written."""

    row: int
    account_id: str
    pool: str
    source: str
    partition: int
    cured_e8: int
    """The equity at which it is cured of all warnings."""
    fields: dict[str, Any]
    """What every record says of it: whose it is, which episode, levels and marks."""


class BucketRecords:
    """Writes them at the board's clock; the book counts the records of each episode."""

    def __init__(self, ledger: Ledger, board: MarkBoard, ladder: Ladder) -> None:
        self._ledger = ledger
        self._board = board
        self._cured_ppm = ladder.warning_health_ppm + ladder.cure_margin_ppm

    def abouts(self, evaluated: Evaluated, places: Int64s, changed: Bools) -> Iterator[About]:
        """Of the buckets at these places; `changed` bool[I] are the instruments that ticked.

        A record's source is the newest tick that its bucket rests on.
        """
        ledger, board, state = self._ledger, self._board, evaluated.state
        rules, book = ledger.rules, ledger.book
        rows, guards = evaluated.buckets[places], evaluated.mark_guard
        times_us = board.time_us.tolist()
        ticked = set(np.flatnonzero(changed).tolist())

        @cache
        def mark(instrument: int) -> dict[str, Any]:
            return {
                "instrument_id": rules.instruments[instrument],
                "mark_e8": int(board.mark_e8[instrument]),
                "guard": Guard(int(guards[instrument])).name,
            }

        columns = (
            rows,
            book.accounts["partition"][book.buckets["account"][rows]],
            book.buckets["episode"][rows],
            state.equity_e8[places],
            state.initial_margin_e8[places],
            state.maintenance_margin_e8[places],
            health_level(state.maintenance_margin_e8[places], self._cured_ppm),
        )
        instruments = _instruments(ledger, evaluated, places)
        whose = ledger.whose(rows)
        for place, of, row, partition, episode, equity, initial, maintenance, cured in zip(
            places.tolist(), whose, *(column.tolist() for column in columns), strict=True
        ):
            name, pool = of
            held = dict.fromkeys(instruments[place])
            moved = [instrument for instrument in held if instrument in ticked]
            newest = max(moved, key=times_us.__getitem__, default=None)
            fields = {
                "account_id": name,
                "bucket": pool,
                "episode": episode,
                "equity_e8": equity,
                "initial_margin_e8": initial,
                "maintenance_margin_e8": maintenance,
                "marks": list(map(mark, held)),
            }
            source = board.last_source if newest is None else board.source[newest]
            yield About(row, name, pool, source, partition, cured, fields)

    def call(self, about: About, level: str, deadline: int | None) -> Output:
        """A record of `margin-calls`."""
        fields = about.fields
        equity = fields["equity_e8"]
        content = {
            "level": level,
            "deadline": deadline,
            "shortfall_initial_e8": max(fields["initial_margin_e8"] - equity, 0),
            "shortfall_maintenance_e8": max(fields["maintenance_margin_e8"] - equity, 0),
            "top_up_e8": max(about.cured_e8 - equity, 0),
        }
        return self._output("margin-calls", "call_id", about, content)

    def order(self, about: About, action: str, **fields: Any) -> Output:
        """A record of `liquidations`; `fields` fill what the action needs."""
        content = {"action": action, "quantity_e8": 0, **NO_ORDER, **fields}
        return self._output("liquidations", "liquidation_id", about, content)

    def _output(self, topic: str, id_field: str, about: About, content: dict[str, Any]) -> Output:
        """A record whose id is account/bucket/episode/n, n counting the outputs of the episode."""
        counts = self._ledger.book.buckets["outputs"]
        counts[about.row] += 1
        number = int(counts[about.row])
        output_id = f"{about.account_id}/{about.pool}/{about.fields['episode']}/{number}"
        record = {
            "event_time": self._board.clock_us,
            id_field: output_id,
            **about.fields,
            **content,
        }
        if topic == "liquidations":
            record["step"] = number
        return Output(topic, about.account_id, record, output_id, about.source, about.partition)


def _instruments(ledger: Ledger, evaluated: Evaluated, places: Int64s) -> dict[int, list[int]]:
    """By place of a bucket: what its positions are in, then what these are written on."""
    chosen = np.zeros(len(evaluated.buckets), np.bool_)
    chosen[places] = True
    rows = np.flatnonzero(chosen[evaluated.positions.bucket])
    bucket, own = evaluated.positions.bucket[rows].tolist(), evaluated.positions.instrument[rows]
    found: dict[int, list[int]] = {place: [] for place in places.tolist()}
    for instruments in (own, ledger.rules.terms.underlying[own]):
        for place, instrument in zip(bucket, instruments.tolist(), strict=True):
            found[place].append(instrument)
    return found
