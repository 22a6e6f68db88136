"""A whole book and its market as columns, and what an evaluation makes of them.

Shapes as in `risk.holdings`: I instruments, A assets, P positions, N buckets; O rows of open
orders, D days of history, G pairs of bucket and underlying.
"""

from dataclasses import dataclass
from enum import IntEnum

from risk.holdings import Balances, MarginState, Positions, PositionState
from schemas.units import Floats, Int64s


class Kind(IntEnum):
    """How a bucket is margined."""

    CROSS = 0  # position by position, all free collateral
    ISOLATED = 1  # position by position, with what was set aside for them
    PORTFOLIO = 2  # by scenarios over all of its positions


@dataclass(frozen=True, slots=True)
class Market:
    """Prices of all instruments at one moment, and what scenarios need to know of them."""

    mark_e8: Int64s  # [I]; that of an instrument nobody needs is not read
    index_e8: Int64s  # [I] spot, 0: none, then the mark stands in for it
    volatility: Floats  # [I] of options, a year; nan: the one that the mark implies
    time_us: int
    pricer: Int64s | None = None  # [A] instrument whose mark is the asset's price, negative: none
    spot_range: Floats | None = None  # [I] largest move of an underlying; nan: the profile's
    rate: Floats | None = None  # [I] interest a year by which options are discounted; None: 0
    moves: Floats | None = None  # [D, I] joint days of the underlyings, for the historical tail


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """What is left of open orders, summed by bucket and instrument."""

    bucket: Int64s  # [O]
    instrument: Int64s  # [O]
    bids_e8: Int64s  # [O] contracts still to be bought
    asks_e8: Int64s  # [O] contracts still to be sold
    count: Int64s  # [O] orders in the sums


@dataclass(frozen=True, slots=True)
class Book:
    """What all buckets hold."""

    positions: Positions
    balances: Balances
    kind: Int64s  # [N] `Kind` of each bucket; their number
    orders: OpenOrders | None = None


@dataclass(frozen=True, slots=True)
class BucketGreeks:
    """Sensitivities of buckets with options or in portfolio mode, by underlying, in its quote."""

    bucket: Int64s  # [G] ascending, then by underlying
    underlying: Int64s  # [G] instrument row
    delta: Floats  # units of the underlying
    gamma: Floats  # delta for each unit of price
    vega: Floats  # value for 1.00 of volatility
    theta: Floats  # value for a year that passes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where each bucket stands and what each position is worth and requires."""

    state: MarginState
    positions: PositionState
    worst: Int64s  # [N] worst scenario: its index, -1 none, -2 the historical tail
    greeks: BucketGreeks | None = None  # None: no bucket has any
