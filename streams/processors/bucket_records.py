"""Records of margin calls and of liquidations: what each says of its bucket, and its id."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.liquidation.stages import Ladder, health_level
from schemas.block import Columns, Int64s, Items
from schemas.registry import symbol_numbers
from streams.processors.margin import Bools, Evaluated
from streams.processors.outputs import Table
from streams.processors.said import CALLS, LIQUIDATIONS, OF_CALLS, REDUCE, SYMBOLS, Said
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

_GUARD_NUMBERS = symbol_numbers("liquidation", "marks", "guard")
GUARDS = np.array([_GUARD_NUMBERS[guard.name] for guard in Guard])
CALL = (CALLS, "margin_call", "call_id")
LIQUIDATION = (LIQUIDATIONS, "liquidation", "liquidation_id")
"""Topic, record, and the field of its id."""
SIDES = symbol_numbers("liquidation", "side")
Data = dict[str, Any]
Nulls = dict[str, Bools]


@dataclass(frozen=True, slots=True)
class About:
    """Buckets (rows of the book) of which records are written [B].

    `cured_e8` is the equity at which each is cured of all warnings; `sources` are the newest ticks
    that they rest on.
    """

    rows: Int64s
    accounts: list[str]
    pools: list[str]
    sources: list[str]
    partitions: Int64s
    episode: Int64s
    equity_e8: Int64s
    initial_margin_e8: Int64s
    maintenance_margin_e8: Int64s
    cured_e8: Int64s
    marks: Items


class BucketRecords:
    """Writes them at the board's clock; the book counts the records of each episode."""

    def __init__(self, ledger: Ledger, board: MarkBoard, ladder: Ladder) -> None:
        self._ledger = ledger
        self._board = board
        self._cured_ppm = ladder.warning_health_ppm + ladder.cure_margin_ppm

    def about(self, evaluated: Evaluated, places: Int64s, changed: Bools) -> About:
        """The buckets at these places, ascending; `changed` bool[I] are the instruments that
        ticked."""
        state, book, rows = evaluated.state, self._ledger.book, evaluated.buckets[places]
        maintenance_e8 = state.maintenance_margin_e8[places]
        whose = self._ledger.whose(rows)
        at, instrument = _instruments(self._ledger, evaluated, places)
        return About(
            rows=rows,
            accounts=[account for account, _ in whose],
            pools=[pool for _, pool in whose],
            sources=self._sources(at, instrument, len(places), changed),
            partitions=book.accounts["partition"][book.buckets["account"][rows]],
            episode=book.buckets["episode"][rows],
            equity_e8=state.equity_e8[places],
            initial_margin_e8=state.initial_margin_e8[places],
            maintenance_margin_e8=maintenance_e8,
            cured_e8=health_level(maintenance_e8, self._cured_ppm),
            marks=Items(
                np.bincount(at, minlength=len(places)),
                {
                    "instrument_id": self._ledger.rules.instrument_names[instrument],
                    "mark_e8": self._board.mark_e8[instrument],
                    "guard": GUARDS[evaluated.mark_guard[instrument]],
                },
                {},
            ),
        )

    def tables(self, about: About, said: Said) -> list[Table]:
        """The records of `margin-calls` and of `liquidations`.

        The book remembers a single order of a bucket, whose fills pay a penalty; of several no
        price is the one at which the bucket is bankrupt.
        """
        columns, rows = self._ledger.book.buckets, about.rows
        number = columns["outputs"][rows][said.at] + said.number
        columns["outputs"][rows] += np.bincount(said.at, minlength=len(rows))
        reduces = np.flatnonzero(said.what == REDUCE)
        asked = said.at[reduces]
        single = np.bincount(asked, minlength=len(rows))[asked] == 1
        columns["order_number"][rows[asked]] = np.where(single, number[reduces], 0)
        bankruptcy_e8 = said.bankruptcy_price_e8[reduces]
        columns["order_bankruptcy_e8"][rows[asked]] = np.where(single, bankruptcy_e8, 0)
        of_calls = OF_CALLS[said.what]
        calls, orders = (np.flatnonzero(some) for some in (of_calls, ~of_calls))
        return [
            self._table(about, CALL, (said.chosen(calls), number[calls]), _of_calls),
            self._table(about, LIQUIDATION, (said.chosen(orders), number[orders]), self._of_orders),
        ]

    def _of_orders(self, about: About, said: Said, number: Int64s) -> tuple[Data, Nulls]:
        """What only records of `liquidations` tell."""
        data = {
            "step": number,
            "action": SYMBOLS[said.what],
            "instrument_id": self._ledger.rules.instrument_names[said.instrument.clip(0)],
            "side": np.where(said.side > 0, SIDES["BUY"], SIDES["SELL"]),
            "quantity_e8": said.quantity_e8,
            "limit_price_e8": said.limit_price_e8,
            "bankruptcy_price_e8": said.bankruptcy_price_e8,
        }
        nulls = {
            "instrument_id": said.instrument < 0,
            "side": said.side == 0,
            "limit_price_e8": said.limit_price_e8 == 0,
            "bankruptcy_price_e8": said.bankruptcy_price_e8 == 0,
        }
        return data, nulls

    def _table(
        self,
        about: About,
        names: tuple[str, str, str],
        of: tuple[Said, Int64s],
        own: Callable[[About, Said, Int64s], tuple[Data, Nulls]],
    ) -> Table:
        """Records whose ids are account/bucket/episode/n, n counting those of the episode."""
        topic, record, id_field = names
        said, number = of
        data, nulls = own(about, said, number)
        at, episode = said.at, about.episode[said.at]
        whose = [(about.accounts[one], about.pools[one]) for one in at.tolist()]
        accounts = [account for account, _ in whose]
        ids = [
            f"{account}/{pool}/{walk}/{nth}"
            for (account, pool), walk, nth in zip(
                whose, episode.tolist(), number.tolist(), strict=True
            )
        ]
        columns = {
            "event_time": np.full(len(at), self._board.clock_us),
            "account_id": accounts,
            id_field: ids,
            "bucket": [pool for _, pool in whose],
            "episode": episode,
            "equity_e8": about.equity_e8[at],
            "initial_margin_e8": about.initial_margin_e8[at],
            "maintenance_margin_e8": about.maintenance_margin_e8[at],
            "deadline": said.deadline_us,
            "marks": about.marks[at],
            **data,
        }
        nulls = {"deadline": said.deadline_us == 0, **nulls}
        sources = [about.sources[one] for one in at.tolist()]
        values = Columns(record, np.arange(len(at)), columns, nulls)
        return Table(topic, accounts, values, ids, sources, about.partitions[at])

    def _sources(self, at: Int64s, instrument: Int64s, n: int, changed: Bools) -> list[str]:
        """Of each of n buckets the newest tick among its instruments, the first of several."""
        board = self._board
        sources = [board.last_source] * n
        ticked = np.flatnonzero(changed[instrument])
        order = ticked[np.lexsort((-board.time_us[instrument[ticked]], at[ticked]))]
        found, first = np.unique(at[order], return_index=True)
        for place, newest in zip(found.tolist(), instrument[order[first]].tolist(), strict=True):
            sources[place] = board.source[newest]
        return sources


def _of_calls(about: About, said: Said, number: Int64s) -> tuple[Data, Nulls]:
    """What only records of `margin-calls` tell."""
    at, equity_e8 = said.at, about.equity_e8[said.at]
    data = {
        "level": SYMBOLS[said.what],
        "shortfall_initial_e8": (about.initial_margin_e8[at] - equity_e8).clip(0),
        "shortfall_maintenance_e8": (about.maintenance_margin_e8[at] - equity_e8).clip(0),
        "top_up_e8": (about.cured_e8[at] - equity_e8).clip(0),
    }
    return data, {}


def _instruments(ledger: Ledger, evaluated: Evaluated, places: Int64s) -> tuple[Int64s, Int64s]:
    """Which of the buckets at these places, ascending, holds what: the instruments of its
    positions, then others that these are written on."""
    at = np.full(len(evaluated.buckets), -1)
    at[places] = np.arange(len(places))
    at = at[evaluated.positions.bucket]
    rows = np.flatnonzero(at >= 0)
    at, own = at[rows], evaluated.positions.instrument[rows]
    underlying = ledger.rules.terms.underlying[own]
    other = np.flatnonzero(underlying != own)
    if not len(other):
        return at, own
    at, instrument = np.append(at, at[other]), np.append(own, underlying[other])
    _, first = np.unique(at * len(ledger.rules.instruments) + instrument, return_index=True)
    first = np.sort(first)
    order = first[np.argsort(at[first], kind="stable")]
    return at[order], instrument[order]
