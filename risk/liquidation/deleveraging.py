"""Deleveraging: who closes against a bankrupt position, how much of it, and what each gives up.

Quantities and amounts are integers at 1e-8; sums of what is taken and given are exact. Products of
two amounts need 120 bits and are made with Python's integers.
"""

from collections.abc import Sequence

import numpy as np

from risk.holdings import Bools
from risk.margin.weights import Number
from schemas.units import Floats, Int64s


def candidates(quantity_e8: Int64s, profit_e8: Int64s, against: int) -> Int64s:
    """Rows [P] that may be closed against a position of that sign: the other side, in profit."""
    opposite = np.sign(quantity_e8) == -np.sign(against)
    return np.flatnonzero(opposite & (profit_e8 > 0))


def score(profit: Number, value: Number, equity: Number, notional: Number) -> Floats:
    """Ranking score of positions: return x effective leverage, higher is closed earlier; float64.

    return = profit / |value|, `value` what the position cost; leverage = notional / equity, both of
    the whole account. So that a hedged leg ranks low its notional must be net: legs that hedge each
    other cancel, by underlying (gross, the loss on the hedge would rank it high). A loss is divided
    by the leverage. All four in one currency; they broadcast. An account with no equity has
    infinite leverage, a position that cost nothing an infinite return; 0 where the product is not
    defined.
    Source: Binance, BitMEX.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        leverage = np.divide(notional, np.maximum(equity, 0))
        earned = np.divide(profit, np.abs(value))
        ranked = np.where(np.less(profit, 0), earned / leverage, earned * leverage)
    return np.where(np.isnan(ranked), 0.0, ranked)


def wallet_score(
    profit: Number, wallet: Number, margin_ratio: Number, *, least_wallet: float = 1.0
) -> tuple[Floats, Floats]:
    """Return on the wallet, and that times the margin ratio, by which users are told their place.

    max(0, profit) / max(1, wallet), margin ratio = maintenance margin / (wallet + profit).
    Source: Binance's published quantile.
    """
    earned = np.maximum(profit, 0) / np.maximum(wallet, least_wallet)
    return np.asarray(earned), np.asarray(earned * margin_ratio)


def order(score: Floats, account: Sequence[str]) -> Int64s:
    """Indices of the candidates [C], highest score first, ties by account id, then as given."""
    return np.lexsort((np.array(account, np.str_), -score))


def acceptable(price_e8: Int64s, bankruptcy_price_e8: Int64s, long: Bools) -> Bools:
    """Whether each candidate [C] can bear a price: it is no worse than its own bankruptcy.

    A long sells and needs at least its bankruptcy price, a short buys and needs at most that.
    Otherwise the deficit would only move from one account to another. Source: dYdX v4.
    """
    return np.where(long, price_e8 >= bankruptcy_price_e8, price_e8 <= bankruptcy_price_e8)


def take_e8(available_e8: Int64s, needed_e8: int) -> Int64s:
    """Contracts taken of each candidate [C], in rank order, until what is needed is met.

    `available_e8` [C], never negative. The sum is min(needed, all there is).
    """
    return in_turn_e8(available_e8, needed_e8)


def concessions_e8(taken_e8: Int64s, room_e8: Int64s, deficit_e8: int) -> Int64s:
    """What each candidate [C], in rank order, gives up of its gain towards a deficit.

    floor(deficit x taken / all taken), at most its room: the gain on what is closed of it (a loss
    is no room). What is left over goes to those with room, first in rank first. The sum is
    min(deficit, all room).
    """
    rooms = room_e8.clip(min=0)
    total = sum(taken_e8.tolist()) or 1
    shares = [
        min(deficit_e8 * taken // total, room)
        for taken, room in zip(taken_e8.tolist(), rooms.tolist(), strict=True)
    ]
    given_e8 = np.array(shares, np.int64)
    return given_e8 + in_turn_e8(rooms - given_e8, deficit_e8 - sum(shares))


def in_turn_e8(room_e8: Int64s, amount_e8: int) -> Int64s:
    """An amount filled into rooms [C], never negative, one after the other as far as it goes."""
    filled = []
    for room in room_e8.tolist():
        filled.append(min(room, amount_e8))
        amount_e8 -= filled[-1]
    return np.array(filled, np.int64)
