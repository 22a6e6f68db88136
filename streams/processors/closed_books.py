"""What portfolios would require with a part of all their positions closed."""

import numpy as np

from risk.evaluation import Book, Kind, evaluate
from risk.holdings import Balances, Positions
from schemas.block import Int64s
from streams.processors.margin import Bools, Evaluated
from streams.state.ledger import Ledger

SHARES = 4
"""Margins are looked at with each quarter of the positions closed."""


def margins_e8(ledger: Ledger, evaluated: Evaluated, places: Int64s) -> Int64s:
    """Maintenance margin [n, SHARES + 1] of portfolios with none, a quarter, ..., all closed.

    Where nothing but positions requires margin it falls with them. Coins require it by themselves,
    and may require more once nothing hedges them: such portfolios are evaluated.
    """
    now_e8 = evaluated.state.maintenance_margin_e8[places]
    required_e8: Int64s = -(-now_e8[:, None] * np.arange(SHARES, -1, -1) // SHARES)
    with_coins = _hold_coins(ledger, evaluated)[places]
    if with_coins.any():
        required_e8[with_coins, 1:] = _evaluated_e8(ledger, evaluated, places[with_coins])
    return required_e8


def _hold_coins(ledger: Ledger, evaluated: Evaluated) -> Bools:
    """bool[N]: buckets with a balance or a position in an asset that has a mark."""
    coin = ledger.rules.asset_price_instruments() >= 0
    balances, positions = evaluated.book.balances, evaluated.positions
    settlement = evaluated.rules.contracts.settlement[positions.instrument]
    holds = np.zeros(len(evaluated.buckets), np.bool_)
    holds[balances.bucket[coin[balances.asset]]] = True
    holds[positions.bucket[coin[settlement]]] = True
    return holds


def _evaluated_e8(ledger: Ledger, evaluated: Evaluated, places: Int64s) -> Int64s:
    """Maintenance margin [n, SHARES] with one, ..., all SHARES of the positions closed.

    What is closed has its profit paid.
    """
    number = np.full(len(evaluated.buckets), -1, np.int64)
    number[places] = np.arange(len(places))
    held, owned = evaluated.positions, evaluated.book.balances
    at, of = np.flatnonzero(number[held.bucket] >= 0), np.flatnonzero(number[owned.bucket] >= 0)
    closed = np.repeat(np.arange(1, SHARES + 1), len(at))
    at, every = np.tile(at, SHARES), np.tile(of, SHARES)
    bucket = number[held.bucket[at]] + (closed - 1) * len(places)
    left, instrument = SHARES - closed, held.instrument[at]
    positions = Positions(
        bucket,
        instrument,
        held.quantity_e8[at] * left // SHARES,
        held.cost_e8[at] * left // SHARES,
    )
    copy = np.repeat(np.arange(SHARES), len(of))
    balances = Balances(
        np.concatenate([number[owned.bucket[every]] + copy * len(places), bucket]),
        np.concatenate([owned.asset[every], evaluated.rules.contracts.settlement[instrument]]),
        np.concatenate(
            [owned.amount_e8[every], evaluated.position_state.profit_e8[at] * closed // SHARES]
        ),
    )
    kinds = np.full(SHARES * len(places), Kind.PORTFOLIO, np.int64)
    result = evaluate(
        Book(positions, balances, kinds),
        evaluated.market,
        evaluated.rules,
        ledger.rules.terms,
        ledger.profile,
    )
    margins: Int64s = result.state.maintenance_margin_e8.reshape(SHARES, -1).T
    return margins
