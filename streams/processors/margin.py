"""Which buckets to look at, what they are worth at the board's marks, and their margin states."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.holdings import Balances, MarginState, Positions, PositionState, Rules
from risk.liquidation.stages import Stage
from risk.margin.buckets import evaluate as evaluate_buckets
from schemas.block import Int64s
from schemas.units import E8
from streams.processors.outputs import Output
from streams.state.account_book import CROSS
from streams.state.ledger import Ledger
from streams.state.mark_board import Guard, MarkBoard

Bools = NDArray[np.bool_]
LARGEST_VALUE = 1e9
"""A position worth more, in the valuation currency, is taken for a wrong mark."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Buckets (rows of the book) and their positions (rows of the book) at the marks in force.

    `state` and `guard` are by bucket; `position_rows`, `positions` and `position_state` by
    position, whose bucket is a place in `buckets`.
    """

    buckets: Int64s
    state: MarginState
    guard: NDArray[np.int8]
    position_rows: Int64s
    positions: Positions
    position_state: PositionState
    rules: Rules

    def positions_of(self, place: int) -> Int64s:
        """Places of the positions of the bucket at this place."""
        return np.flatnonzero(self.positions.bucket == place)


def buckets_to_evaluate(ledger: Ledger, changed: Bools, touched: Int64s) -> Int64s:
    """Rows of the buckets that were touched, are repriced by `changed` bool[I], or are watched.

    System accounts are not margined.
    """
    book = ledger.book
    chosen = np.zeros(book.buckets.capacity, np.bool_)
    chosen[touched] = True
    positions, balances = book.positions, book.balances
    if len(changed):
        repriced = positions.live & changed[positions["instrument"]]
        chosen[positions["bucket"][repriced]] = True
        pricer = ledger.rules.asset_price_instruments()
        asset_changed = (pricer >= 0) & changed[np.maximum(pricer, 0)]
        chosen[balances["bucket"][balances.live & asset_changed[balances["asset"]]]] = True
    chosen |= book.buckets["stage"] != Stage.HEALTHY
    chosen &= book.buckets.live & ~book.accounts["system"][book.buckets["account"]]
    return np.flatnonzero(chosen)


def evaluate(ledger: Ledger, board: MarkBoard, buckets: Int64s) -> Evaluated:
    """Margin of these buckets at the board's marks, and the worst guard among what they rest on.

    A position without a mark, or with one at which its value does not fit 18 digits, counts for
    nothing; the guard of its bucket is STALE, so nothing is decided on what cannot be right.
    """
    book, rules = ledger.book, ledger.rules
    place = np.full(book.buckets.capacity, -1, np.int64)
    place[buckets] = np.arange(len(buckets))
    positions, balances = book.positions, book.balances
    prices_e8 = rules.asset_prices(board.mark_e8)
    open_rows = np.flatnonzero(
        positions.live & (positions["quantity_e8"] != 0) & (place[positions["bucket"]] >= 0)
    )
    marked = _valued(ledger, board, prices_e8, open_rows)
    held, unmarked = open_rows[marked], open_rows[~marked]
    owned = np.flatnonzero(
        balances.live & (balances["amount_e8"] != 0) & (place[balances["bucket"]] >= 0)
    )
    position_bucket = place[positions["bucket"][held]]
    balance_bucket = place[balances["bucket"][owned]]
    instruments, assets = positions["instrument"][held], balances["asset"][owned]
    open_positions = Positions(
        bucket=position_bucket,
        instrument=instruments,
        quantity_e8=positions["quantity_e8"][held],
        cost_e8=positions["cost_e8"][held],
    )
    in_force = rules.at_prices(prices_e8)
    state, position_state = evaluate_buckets(
        open_positions,
        Balances(bucket=balance_bucket, asset=assets, amount_e8=balances["amount_e8"][owned]),
        board.mark_e8,
        in_force,
        len(buckets),
    )
    guard = np.zeros(len(buckets), np.int8)
    by_instrument = _guards(ledger, board)
    by_asset = _asset_guards(ledger, by_instrument)
    guard[place[positions["bucket"][unmarked]]] = Guard.STALE
    np.maximum.at(guard, position_bucket, by_instrument[instruments])
    np.maximum.at(guard, position_bucket, by_asset[rules.contracts.settlement[instruments]])
    np.maximum.at(guard, balance_bucket, by_asset[assets])
    return Evaluated(buckets, state, guard, held, open_positions, position_state, in_force)


def _valued(ledger: Ledger, board: MarkBoard, prices_e8: Int64s, rows: Int64s) -> Bools:
    """bool[n]: positions with a mark at which value and notional are far within 18 digits."""
    contracts, positions = ledger.rules.contracts, ledger.book.positions
    instruments = positions["instrument"][rows]
    mark = board.mark_e8[instruments] / E8
    units = np.abs(positions["quantity_e8"][rows] / E8) * contracts.multiplier_e8[instruments] / E8
    with np.errstate(divide="ignore"):
        value = np.where(contracts.inverse[instruments], units / mark, units * mark)
    price = np.maximum(prices_e8[contracts.settlement[instruments]] / E8, 1)
    valued: Bools = (mark > 0) & (value * price < LARGEST_VALUE)
    return valued


def _guards(ledger: Ledger, board: MarkBoard) -> NDArray[np.int8]:
    """int8[I]: guards of the marks; an instrument without margin tiers cannot be decided upon."""
    return np.where(ledger.rules.tiers.known, board.guards(), Guard.STALE).astype(np.int8)


def _asset_guards(ledger: Ledger, by_instrument: NDArray[np.int8]) -> NDArray[np.int8]:
    pricer = ledger.rules.asset_price_instruments()
    guards = np.zeros(len(pricer), np.int8)
    guards[pricer == -2] = Guard.STALE
    guards[pricer >= 0] = by_instrument[pricer[pricer >= 0]]
    return guards


def margin_states(ledger: Ledger, board: MarkBoard, accounts: Int64s) -> list[Output]:
    """The margin-state record of each account (rows of the book), all its buckets in it."""
    book = ledger.book
    wanted = np.zeros(book.accounts.capacity, np.bool_)
    wanted[accounts] = True
    buckets = np.flatnonzero(book.buckets.live & wanted[book.buckets["account"]])
    evaluated = evaluate(ledger, board, buckets)
    records: dict[int, dict[str, Any]] = {}
    for row in accounts.tolist():
        records[row] = {
            "event_time": board.clock_us,
            "account_id": book.accounts.keys[row],
            "quarantined": bool(book.accounts["quarantined"][row]),
            "buckets": [],
            "balances": [],
            "positions": [],
        }
    owner = book.buckets["account"][buckets]
    names = [pool_name(ledger, bucket) for bucket in buckets.tolist()]
    _fill_buckets(ledger, evaluated, (owner, names), records)
    _fill_positions(ledger, board, evaluated, (owner, names), records)
    balances = book.balances
    place = {bucket: i for i, bucket in enumerate(buckets.tolist())}
    chosen = (
        balances.live
        & (balances["amount_e8"] != 0)
        & wanted[book.buckets["account"][balances["bucket"]]]
    )
    for row in np.flatnonzero(chosen).tolist():
        at = place[int(balances["bucket"][row])]
        records[int(owner[at])]["balances"].append(
            {
                "bucket": names[at],
                "asset": ledger.rules.assets[balances["asset"][row]],
                "amount_e8": int(balances["amount_e8"][row]),
            }
        )
    book.accounts["published_us"][accounts] = board.clock_us
    return [
        Output(
            "margin-state",
            record["account_id"],
            record,
            f"{record['account_id']}/{board.clock_us}",
            partition=int(book.accounts["partition"][row]),
        )
        for row, record in records.items()
    ]


def pool_name(ledger: Ledger, bucket: int) -> str:
    """How records name a bucket: cross, or its isolated instrument."""
    instrument = int(ledger.book.buckets["instrument"][bucket])
    return "cross" if instrument == CROSS else ledger.rules.instruments[instrument]


def _fill_buckets(
    ledger: Ledger,
    evaluated: Evaluated,
    of: tuple[Int64s, list[str]],
    records: dict[int, dict[str, Any]],
) -> None:
    owner, names = of
    columns, state = ledger.book.buckets, evaluated.state
    health = state.health()
    for place, bucket in enumerate(evaluated.buckets.tolist()):
        empty = not state.equity_e8[place] and not columns["stage"][bucket]
        if empty and names[place] != "cross" and not state.maintenance_margin_e8[place]:
            continue  # an isolated bucket that was closed
        maintenance = int(state.maintenance_margin_e8[place])
        records[int(owner[place])]["buckets"].append(
            {
                "bucket": names[place],
                "stage": Stage(int(columns["stage"][bucket])).name,
                "episode": int(columns["episode"][bucket]),
                "equity_e8": int(state.equity_e8[place]),
                "initial_margin_e8": int(state.initial_margin_e8[place]),
                "maintenance_margin_e8": maintenance,
                "health": float(health[place]) if maintenance else None,
                "guard": Guard(int(evaluated.guard[place])).name,
            }
        )


def _fill_positions(
    ledger: Ledger,
    board: MarkBoard,
    evaluated: Evaluated,
    of: tuple[Int64s, list[str]],
    records: dict[int, dict[str, Any]],
) -> None:
    owner, names = of
    columns, state = ledger.book.positions, evaluated.position_state
    for place, row in enumerate(evaluated.position_rows.tolist()):
        at = int(evaluated.positions.bucket[place])
        instrument = int(columns["instrument"][row])
        records[int(owner[at])]["positions"].append(
            {
                "bucket": names[at],
                "instrument_id": ledger.rules.instruments[instrument],
                "quantity_e8": int(columns["quantity_e8"][row]),
                "cost_e8": int(columns["cost_e8"][row]),
                "mark_e8": int(board.mark_e8[instrument]),
                "profit_e8": int(state.profit_e8[place]),
                "maintenance_margin_e8": int(state.maintenance_margin_e8[place]),
            }
        )
