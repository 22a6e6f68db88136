"""The margin-state record of an account: where each of its buckets stands, and on what."""

from typing import Any

import numpy as np

from risk.evaluation import liquidation_prices
from risk.liquidation.stages import Stage
from schemas.block import Int64s
from schemas.units import E8, LIMIT_E8
from streams.processors.margin import Evaluated, evaluate
from streams.processors.outputs import Output
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

Record = dict[str, Any]
Of = list[tuple[str, Record]]
"""By place of a bucket: its name, and the record of its account."""
PARTS = ("buckets", "balances", "positions", "greeks")
STAGES = {int(stage): stage.name for stage in Stage}
GUARDS = {int(guard): guard.name for guard in Guard}


def margin_states(ledger: Ledger, board: MarkBoard, accounts: Int64s) -> list[Output]:
    """The margin-state record of each account (rows of the book), all its buckets in it."""
    book = ledger.book
    buckets = np.sort(book.pools.of(accounts)[0])
    evaluated = evaluate(ledger, board, buckets)
    columns = [accounts, *(book.accounts[name][accounts] for name in ("partition", "quarantined"))]
    names = book.accounts.names(accounts)
    records: dict[int, Record] = {}
    outputs = []
    for name, row, partition, quarantined in zip(
        names, *(column.tolist() for column in columns), strict=True
    ):
        records[row] = {
            "event_time": board.clock_us,
            "account_id": name,
            "quarantined": quarantined,
            **{part: [] for part in PARTS},
        }
        output_id = f"{name}/{board.clock_us}"
        outputs.append(Output("margin-state", name, records[row], output_id, partition=partition))
    owners = [records[row] for row in book.buckets["account"][buckets].tolist()]
    of = [(pool, one) for (_, pool), one in zip(ledger.whose(buckets), owners, strict=True)]
    _fill_buckets(ledger, evaluated, of)
    _fill_positions(ledger, board, evaluated, of)
    _fill_greeks(ledger, evaluated, of)
    _fill_balances(ledger, evaluated, of)
    book.accounts["published_us"][accounts] = board.clock_us
    return outputs


def _fill_buckets(ledger: Ledger, evaluated: Evaluated, of: Of) -> None:
    book, state = ledger.book.buckets, evaluated.state
    columns = (
        book["stage"][evaluated.buckets],
        book["episode"][evaluated.buckets],
        state.equity_e8,
        state.initial_margin_e8,
        state.maintenance_margin_e8,
        state.health(),
        evaluated.guard,
        state.initial_equity_e8,
        evaluated.evaluation.worst,
    )
    for (name, record), stage, episode, equity, initial, maintenance, *last in zip(
        of, *(column.tolist() for column in columns), strict=True
    ):
        if name != "cross" and not (equity or stage or maintenance):
            continue  # an isolated bucket that was closed
        health, guard, initial_equity, worst = last
        record["buckets"].append(
            {
                "bucket": name,
                "stage": STAGES[stage],
                "episode": episode,
                "equity_e8": equity,
                "initial_margin_e8": initial,
                "maintenance_margin_e8": maintenance,
                "health": health if maintenance else None,
                "guard": GUARDS[guard],
                "initial_equity_e8": initial_equity,
                "worst_scenario": ledger.profile.scenario_name(worst),
            }
        )


def _fill_balances(ledger: Ledger, evaluated: Evaluated, of: Of) -> None:
    owned, assets = evaluated.book.balances, ledger.rules.assets
    columns = (owned.bucket.tolist(), owned.asset.tolist(), owned.amount_e8.tolist())
    for at, asset, amount in zip(*columns, strict=True):
        name, record = of[at]
        record["balances"].append({"bucket": name, "asset": assets[asset], "amount_e8": amount})


def _fill_positions(ledger: Ledger, board: MarkBoard, evaluated: Evaluated, of: Of) -> None:
    held, state = evaluated.positions, evaluated.position_state
    instruments = ledger.rules.instruments
    columns = (
        held.bucket,
        held.instrument,
        held.quantity_e8,
        held.cost_e8,
        board.mark_e8[held.instrument],
        state.profit_e8,
        state.maintenance_margin_e8,
    )
    prices = _liquidation_prices(ledger, evaluated)
    for at, instrument, quantity, cost, mark, profit, maintenance, price in zip(
        *(column.tolist() for column in columns), prices, strict=True
    ):
        name, record = of[at]
        record["positions"].append(
            {
                "bucket": name,
                "instrument_id": instruments[instrument],
                "quantity_e8": quantity,
                "cost_e8": cost,
                "mark_e8": mark,
                "profit_e8": profit,
                "maintenance_margin_e8": maintenance,
                "liquidation_price_e8": price,
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


def _fill_greeks(ledger: Ledger, evaluated: Evaluated, of: Of) -> None:
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
        name, record = of[at]
        delta, gamma, vega, theta = values
        record["greeks"].append(
            {
                "bucket": name,
                "underlying": ledger.rules.instruments[underlying],
                "delta": delta,
                "gamma": gamma,
                "vega": vega,
                "theta": theta,
            }
        )
