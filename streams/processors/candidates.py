"""Answers to an insurance fund that asks who could take part of what it cannot carry."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from risk.liquidation.deleveraging import candidates, order, score
from risk.liquidation.stages import Stage
from schemas.block import Int64s
from schemas.units import E8
from streams.processors.margin import Evaluated, evaluate
from streams.processors.outputs import Output
from streams.state.guards import Use, allowed
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

MOST = 1_000
"""Candidates of one answer: it must fit into one message."""
Record = dict[str, Any]


@dataclass(slots=True)
class Winner:
    """A bucket that gains in an asset, and the positions on which it does; amounts of the asset."""

    account_id: str
    bucket: str
    gain_e8: int
    profits_e8: dict[str, int] = field(default_factory=dict)
    """By instrument, in order of their names; above 0 each, together at least the gain."""


def answer(ledger: Ledger, board: MarkBoard, asked: Record, partition: int) -> Output:
    """What one partition has for a question: its best candidates, or the gain of its winners."""
    instrument = ledger.rules.number.get(asked["instrument_id"] or "", -1)
    gain_e8, told, quantity_e8 = 0, [], 0
    if asked["instrument_id"] is None:
        gain_e8 = sum(one.gain_e8 for one in gains(ledger, board, asked["asset"], partition))
    elif instrument >= 0:
        told = _candidates(ledger, board, (instrument, asked["quantity_e8"]), partition)
        quantity_e8 = sum(abs(one["quantity_e8"]) for one in told)
    values = {
        "event_time": board.clock_us,
        "request_id": asked["request_id"],
        "event": "ANSWERED",
        "fund": asked["fund"],
        "asset": asked["asset"],
        "instrument_id": asked["instrument_id"],
        "quantity_e8": quantity_e8,
        "partition": partition,
        "gain_e8": gain_e8,
        "candidates": told,
    }
    name = f"{asked['request_id']}/{partition}"
    return Output("deleveraging", asked["request_id"], values, name, "", partition)


def gains(ledger: Ledger, board: MarkBoard, asset: str, partition: int) -> list[Winner]:
    """Every bucket of people that has an unrealised gain in an asset, by account and bucket.

    Losses of a bucket count against its gains, and none gains more than it is worth.
    """
    rules = ledger.rules
    number = rules.asset_number.get(asset, -1)
    settled = rules.contracts.settlement == number
    evaluated = _evaluated(ledger, board, settled, partition)
    held, profit_e8 = evaluated.positions, evaluated.position_state.profit_e8
    mine = settled[held.instrument]
    gain_e8 = np.zeros(len(evaluated.buckets), np.int64)
    np.add.at(gain_e8, held.bucket[mine], profit_e8[mine])
    price_e8 = int(rules.asset_prices(board.mark_e8)[number])
    if price_e8 <= 0:
        return []
    equity_e8 = (evaluated.state.equity_e8 / price_e8 * E8).astype(np.int64)
    gain_e8 = np.minimum(gain_e8, equity_e8)
    gaining = np.flatnonzero(gain_e8 > 0)
    places = ledger.whose(evaluated.buckets[gaining])
    found = {
        row: Winner(*place, int(gain_e8[row]))
        for row, place in zip(gaining.tolist(), places, strict=True)
    }
    rows = np.flatnonzero(mine & (profit_e8 > 0) & (gain_e8[held.bucket] > 0)).tolist()
    for row in sorted(rows, key=lambda one: rules.instruments[held.instrument[one]]):
        name = rules.instruments[held.instrument[row]]
        found[int(held.bucket[row])].profits_e8[name] = int(profit_e8[row])
    return sorted(found.values(), key=lambda one: (one.account_id, one.bucket))


def _candidates(
    ledger: Ledger, board: MarkBoard, wanted: tuple[int, int], partition: int
) -> list[Record]:
    """The best-ranked positions on the other side, enough for the contracts asked for."""
    instrument, asked_e8 = wanted
    chosen = np.zeros(len(ledger.rules.instruments), np.bool_)
    chosen[instrument] = True
    evaluated = _evaluated(ledger, board, chosen, partition)
    held, state = evaluated.positions, evaluated.position_state
    may = allowed(Use.LIQUIDATE, evaluated.guard)
    rows = candidates(held.quantity_e8, state.profit_e8, asked_e8)
    rows = rows[(held.instrument[rows] == instrument) & may[held.bucket[rows]]]
    if not len(rows):
        return []
    bucket = held.bucket[rows]
    price_e8 = evaluated.rules.assets.price_e8[evaluated.rules.contracts.settlement[instrument]]
    ranks = score(
        state.profit_e8[rows] / E8 * (price_e8 / E8),
        _cost_value(evaluated, rows, float(price_e8)),
        evaluated.state.equity_e8[bucket] / E8,
        _exposure(ledger, evaluated)[bucket],
    )
    places = ledger.whose(evaluated.buckets[bucket])
    ranked = order(ranks, [f"{account}/{pool}" for account, pool in places])
    told: list[Record] = []
    found_e8 = 0
    for one in ranked.tolist():
        if found_e8 >= abs(asked_e8) or len(told) == MOST:
            break
        account, pool = places[one]
        quantity_e8 = int(held.quantity_e8[rows[one]])
        found_e8 += abs(quantity_e8)
        told.append({
            "account_id": account,
            "bucket": pool,
            "quantity_e8": quantity_e8,
            "cost_e8": int(held.cost_e8[rows[one]]),
            "score": float(np.minimum(ranks[one], np.finfo(np.float64).max)),
        })  # fmt: skip
    return told


def _evaluated(
    ledger: Ledger, board: MarkBoard, instruments: np.ndarray[Any, Any], partition: int
) -> Evaluated:
    """People's buckets of a partition that hold one of the instruments (bool[I]), not liquidated
    themselves."""
    book = ledger.book
    positions, columns, accounts = book.positions, book.buckets, book.accounts
    held = positions.live & (positions["quantity_e8"] != 0)
    held &= instruments[positions["instrument"]] if len(instruments) else False
    buckets: Int64s = np.unique(positions["bucket"][held])
    owner = columns["account"][buckets]
    mine = (accounts["partition"][owner] == partition) & ~accounts["system"][owner]
    mine &= columns["stage"][buckets] < Stage.REDUCING
    return evaluate(ledger, board, buckets[mine])


def _cost_value(evaluated: Evaluated, rows: Int64s, price_e8: float) -> np.ndarray[Any, Any]:
    return np.abs(evaluated.positions.cost_e8[rows] / E8 * (price_e8 / E8))


def _exposure(ledger: Ledger, evaluated: Evaluated) -> np.ndarray[Any, Any]:
    """float64[N]: net notional of each bucket by underlying, so that hedged legs cancel."""
    held = evaluated.positions
    underlying = ledger.rules.terms.underlying[held.instrument]
    signed = np.sign(held.quantity_e8) * (evaluated.position_state.notional_e8 / E8)
    width = len(ledger.rules.instruments)
    pair, inverse = np.unique(held.bucket * width + underlying, return_inverse=True)
    net = np.abs(np.bincount(inverse, weights=signed, minlength=len(pair)))
    return np.bincount(pair // width, weights=net, minlength=len(evaluated.buckets))
