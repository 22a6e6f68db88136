"""The margin-state record of an account: where each of its buckets stands, and on what."""

from typing import Any

import numpy as np

from risk.evaluation import liquidation_prices
from risk.liquidation.stages import Stage
from schemas.block import Columns, Int64s, Items
from schemas.registry import symbol_numbers
from schemas.spans import Spans
from schemas.units import E8, LIMIT_E8
from streams.processors.margin import Bools, Evaluated, evaluate
from streams.processors.outputs import Table
from streams.state.account_book import CROSS
from streams.state.guards import Guard
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

RECORD = "margin_state"
_NUMBERS = symbol_numbers(RECORD, "buckets", "stage"), symbol_numbers(RECORD, "buckets", "guard")
STAGES = np.array([_NUMBERS[0][stage.name] for stage in Stage])
GUARDS = np.array([_NUMBERS[1][guard.name] for guard in Guard])
Data = dict[str, Any]
Nulls = dict[str, Bools]


def margin_states(ledger: Ledger, board: MarkBoard, accounts: Int64s) -> Table:
    """The margin-state record of each account (distinct rows of the book), with all its buckets."""
    book, n = ledger.book, len(accounts)
    buckets, place = book.pools.of(accounts)
    order = np.argsort(buckets)
    buckets, place = buckets[order], place[order]
    evaluated = evaluate(ledger, board, buckets)
    pools = ledger.pools(buckets)

    def of_accounts(bucket: Int64s, data: Data, nulls: Nulls | None = None) -> Items:
        """Items with the places of their buckets, by account."""
        return Items.of_rows(n, place[bucket], {"bucket": pools[bucket], **data}, nulls or {})

    names = book.accounts.names(accounts)
    data = {
        "event_time": np.full(n, board.clock_us),
        "account_id": names,
        "quarantined": book.accounts["quarantined"][accounts],
        "buckets": of_accounts(*_buckets(ledger, evaluated)),
        "balances": of_accounts(*_balances(ledger, evaluated)),
        "positions": of_accounts(*_positions(ledger, board, evaluated)),
        "greeks": of_accounts(*_greeks(ledger, evaluated)),
    }
    book.accounts["published_us"][accounts] = board.clock_us
    ids = [f"{name}/{board.clock_us}" for name in names]
    partitions = book.accounts["partition"][accounts]
    columns = Columns(RECORD, np.arange(n), data)
    return Table("margin-state", names, columns, ids, [""] * n, partitions)


def _buckets(ledger: Ledger, evaluated: Evaluated) -> tuple[Int64s, Data, Nulls]:
    book, state, worst = ledger.book.buckets, evaluated.state, evaluated.evaluation.worst
    stage, maintenance_e8 = book["stage"][evaluated.buckets], state.maintenance_margin_e8
    closed = (stage == Stage.HEALTHY) & (state.equity_e8 == 0) & (maintenance_e8 == 0)
    kept = np.flatnonzero((book["instrument"][evaluated.buckets] == CROSS) | ~closed)
    scenarios = [ledger.profile.scenario_name(one) for one in worst[kept].tolist()]
    data = {
        "stage": STAGES[stage[kept]],
        "episode": book["episode"][evaluated.buckets[kept]],
        "equity_e8": state.equity_e8[kept],
        "initial_margin_e8": state.initial_margin_e8[kept],
        "maintenance_margin_e8": maintenance_e8[kept],
        "health": state.health()[kept],
        "guard": GUARDS[evaluated.guard[kept]],
        "initial_equity_e8": state.initial_equity_e8[kept],
        "worst_scenario": Spans.of([(name or "").encode() for name in scenarios]),
    }
    nulls = {
        "health": maintenance_e8[kept] == 0,
        "worst_scenario": np.array([name is None for name in scenarios], np.bool_),
    }
    return kept, data, nulls


def _balances(ledger: Ledger, evaluated: Evaluated) -> tuple[Int64s, Data]:
    owned = evaluated.book.balances
    assets = ledger.rules.asset_names[owned.asset]
    return owned.bucket, {"asset": assets, "amount_e8": owned.amount_e8}


def _positions(
    ledger: Ledger, board: MarkBoard, evaluated: Evaluated
) -> tuple[Int64s, Data, Nulls]:
    held, state = evaluated.positions, evaluated.position_state
    prices_e8, none = _liquidation_prices(ledger, evaluated)
    data = {
        "instrument_id": ledger.rules.instrument_names[held.instrument],
        "quantity_e8": held.quantity_e8,
        "cost_e8": held.cost_e8,
        "mark_e8": board.mark_e8[held.instrument],
        "profit_e8": state.profit_e8,
        "maintenance_margin_e8": state.maintenance_margin_e8,
        "liquidation_price_e8": prices_e8,
    }
    return held.bucket, data, {"liquidation_price_e8": none}


def _liquidation_prices(ledger: Ledger, evaluated: Evaluated) -> tuple[Int64s, Bools]:
    """Of each position, to the nearest 1e-8, and where there is none: none at all, or options or
    scenarios would have it searched for, and that takes longer than a turn may."""
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
    return np.rint(np.where(fits, found, 0) * E8).astype(np.int64), ~fits


def _greeks(ledger: Ledger, evaluated: Evaluated) -> tuple[Int64s, Data]:
    greeks, nothing = evaluated.evaluation.greeks, np.empty(0, np.int64)
    bucket, underlying = (greeks.bucket, greeks.underlying) if greeks else (nothing, nothing)
    data = {
        "underlying": ledger.rules.instrument_names[underlying],
        **{name: getattr(greeks, name, nothing) for name in ("delta", "gamma", "vega", "theta")},
    }
    return bucket, data
