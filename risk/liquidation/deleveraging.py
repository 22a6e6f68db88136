"""Deleveraging: who closes against a bankrupt position, how much of it, and what each gives up.

Quantities and amounts are integers at 1e-8; sums of what is taken and given are exact. Products of
two amounts need 120 bits and are made with Python's integers.
"""

from collections.abc import Sequence

import numpy as np

from risk.margin.weights import Number
from schemas.units import Floats, Int64s


def score(profit: Number, value: Number, equity: Number, notional: Number) -> Floats:
    """Ranking score of positions: return x effective leverage, higher is closed earlier; float64.

    return = profit / |value|, `value` what the position cost; leverage = notional / equity, both of
    the whole account, so that a hedged leg ranks low. A loss is divided by the leverage. All four
    in one currency; they broadcast. An account with no equity has infinite leverage; a position
    that cost nothing an infinite return; 0 where the product is not defined.
    Source: Binance, BitMEX.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        leverage = np.divide(notional, np.maximum(equity, 0))
        earned = np.divide(profit, np.abs(value))
        ranked = np.where(np.less(profit, 0), earned / leverage, earned * leverage)
    return np.where(np.isnan(ranked), 0.0, ranked)


def order(score: Floats, account: Sequence[str]) -> Int64s:
    """Indices of the candidates [C], highest score first, ties by account id, then as given."""
    return np.lexsort((np.array(account, np.str_), -score))


def take_e8(available_e8: Int64s, needed_e8: int) -> Int64s:
    """Contracts taken of each candidate [C], in rank order, until what is needed is met.

    `available_e8` [C], never negative. The sum is min(needed, all there is).
    """
    return _in_turn(available_e8, needed_e8)


def concessions_e8(taken_e8: Int64s, room_e8: Int64s, deficit_e8: int) -> Int64s:
    """What each candidate [C], in rank order, gives up of its gain towards a deficit.

    floor(deficit x taken / all taken), at most its room: the gain on what is closed of it (a loss
    is no room). What is left over goes to those with room, first in rank first. The sum is
    min(deficit, all room).
    """
    rooms = room_e8.clip(min=0).tolist()
    total = sum(taken_e8.tolist()) or 1
    given = [
        min(deficit_e8 * taken // total, room)
        for taken, room in zip(taken_e8.tolist(), rooms, strict=True)
    ]
    shares = np.array(given, np.int64)
    return shares + _in_turn(np.array(rooms, np.int64) - shares, deficit_e8 - sum(given))


def _in_turn(room_e8: Int64s, amount_e8: int) -> Int64s:
    """An amount filled into rooms one after the other, each as far as it goes."""
    filled = []
    for room in room_e8.tolist():
        filled.append(min(room, amount_e8))
        amount_e8 -= filled[-1]
    return np.array(filled, np.int64)
