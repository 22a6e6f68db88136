"""The margin-state record of an account: where each of its buckets stands, and on what."""

from typing import Any

import numpy as np

from risk.evaluation import liquidation_prices
from risk.liquidation.stages import Stage
from schemas.block import Int64s
from schemas.units import E8, LIMIT_E8
from streams.processors.margin import Evaluated, evaluate, pool_name
from streams.processors.outputs import Output
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

Records = dict[int, dict[str, Any]]


def margin_states(ledger: Ledger, board: MarkBoard, accounts: Int64s) -> list[Output]:
    """The margin-state record of each account (rows of the book), all its buckets in it."""
    book = ledger.book
    wanted = np.zeros(book.accounts.capacity, np.bool_)
    wanted[accounts] = True
    buckets = np.flatnonzero(book.buckets.live & wanted[book.buckets["account"]])
    evaluated = evaluate(ledger, board, buckets)
    records: Records = {}
    for row in accounts.tolist():
        records[row] = {
            "event_time": board.clock_us,
            "account_id": book.accounts.keys[row],
            "quarantined": bool(book.accounts["quarantined"][row]),
            "buckets": [],
            "balances": [],
            "positions": [],
            "greeks": [],
        }
    owner = book.buckets["account"][buckets]
    names = [pool_name(ledger, bucket) for bucket in buckets.tolist()]
    _fill_buckets(ledger, evaluated, (owner, names), records)
    _fill_positions(ledger, board, evaluated, (owner, names), records)
    _fill_greeks(ledger, evaluated, (owner, names), records)
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


def _fill_buckets(
    ledger: Ledger,
    evaluated: Evaluated,
    of: tuple[Int64s, list[str]],
    records: Records,
) -> None:
    owner, names = of
    columns, state = ledger.book.buckets, evaluated.state
    health = state.health()
    worst = [ledger.profile.scenario_name(one) for one in evaluated.evaluation.worst.tolist()]
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
                "initial_equity_e8": int(state.initial_equity_e8[place]),
                "worst_scenario": worst[place],
            }
        )


def _fill_positions(
    ledger: Ledger,
    board: MarkBoard,
    evaluated: Evaluated,
    of: tuple[Int64s, list[str]],
    records: Records,
) -> None:
    owner, names = of
    columns, state = ledger.book.positions, evaluated.position_state
    prices = _liquidation_prices(ledger, evaluated)
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
                "liquidation_price_e8": prices[place],
            }
        )


def _liquidation_prices(ledger: Ledger, evaluated: Evaluated) -> list[int | None]:
    """Of each position, to the nearest 1e-8; None where there is none, or where options or
    scenarios would have it searched for: that takes longer than a turn may."""
    found = liquidation_prices(
        evaluated.book,
        evaluated.market,
        evaluated.rules,
        ledger.rules.terms,
        ledger.profile,
        evaluation=evaluated.evaluation,
        searched=False,
    )
    fits = np.isfinite(found) & (found * E8 < LIMIT_E8)
    return [
        round(price * E8) if fit else None
        for price, fit in zip(found.tolist(), fits.tolist(), strict=True)
    ]


def _fill_greeks(
    ledger: Ledger, evaluated: Evaluated, of: tuple[Int64s, list[str]], records: Records
) -> None:
    owner, names = of
    greeks = evaluated.evaluation.greeks
    if greeks is None:
        return
    columns = (greeks.delta, greeks.gamma, greeks.vega, greeks.theta)
    for at, underlying, *values in zip(
        greeks.bucket.tolist(),
        greeks.underlying.tolist(),
        *(column.tolist() for column in columns),
        strict=True,
    ):
        delta, gamma, vega, theta = values
        records[int(owner[at])]["greeks"].append(
            {
                "bucket": names[at],
                "underlying": ledger.rules.instruments[underlying],
                "delta": delta,
                "gamma": gamma,
                "vega": vega,
                "theta": theta,
            }
        )
