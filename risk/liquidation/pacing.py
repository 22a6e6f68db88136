"""How much of what reductions ask for goes to the market now, so that many do not hit one book."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from schemas.units import PPM, Int64s

NO_CAP = int(np.iinfo(np.int64).max)
Market = tuple[int, int]
"""An instrument, and 0 where it is sold into its bids, 1 where it is bought from its asks."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What reductions may ask of a market in a window of time.

    Raises ValueError, naming value and rule, where the window is none.
    """

    window_ms: int = 1_000
    depth_ppm: int = 250_000  # of the quantity observed on the side traded into; 0: no cap

    def __post_init__(self) -> None:
        if self.window_ms < 1:
            raise ValueError(f"pace window_ms {self.window_ms} must be at least 1")
        if self.depth_ppm < 0:
            raise ValueError(f"pace depth_ppm {self.depth_ppm} must not be negative")


def caps_e8(depth_e8: Int64s, pace: Pace, *, held: int, partitions: int) -> Int64s:
    """What may be asked for in one window, of the shape of the depth; at least a unit of 1e-8.

    The pace's share of the observed depth, of which who holds `held` of `partitions` has that part.
    NO_CAP where no depth is known (0), and without a share.
    """
    if not pace.depth_ppm:
        return np.full(depth_e8.shape, NO_CAP)
    high, low = np.divmod(depth_e8, PPM)
    share_e8 = high * pace.depth_ppm + low * pace.depth_ppm // PPM
    cap_e8 = share_e8 // partitions * held + share_e8 % partitions * held // partitions
    return np.where(depth_e8 > 0, cap_e8.clip(min=1), NO_CAP)


def paced_e8(
    bucket: Int64s,
    instrument: Int64s,
    side: Int64s,
    *,
    wanted_e8: Int64s,
    loss_e8: Int64s,
    lot_e8: Int64s,
    room_e8: Int64s,
    account: Sequence[str],
) -> Int64s:
    """What is granted of each order wanted, e8 [R].

    Parameters, all [R]: the orders, one row for each bucket and instrument; `side` +1 buys and -1
    sells; `wanted_e8` contracts, positive; `loss_e8` what the bucket lacks to its maintenance
    margin; `lot_e8` of the instrument; `account` of the bucket, which may be empty where no other
    bucket has its loss. `room_e8` [I, 2]: contracts that may be sold, and bought, of each
    instrument now.

    Buckets are served by the loss at risk, largest first, ties by account and bucket. One gets all
    that it wants, or the share of it that fits each of its markets, in whole lots, at least one lot
    each; where a market has no lot left it gets nothing. The first in the queue of a market gets
    its lot there as long as any room is left: only by that is a room ever exceeded.
    """
    granted_e8 = np.zeros(len(bucket), np.int64)
    column = (side > 0).astype(np.int64)
    asked = np.zeros(room_e8.shape)
    np.add.at(asked, (instrument, column), wanted_e8)
    scarce = asked > room_e8 * (1 - 1e-12)  # in doubt: what follows is exact
    paced = np.isin(bucket, bucket[scarce[instrument, column]])
    granted_e8[~paced] = wanted_e8[~paced]
    barred = np.isin(bucket, bucket[room_e8[instrument, column] <= 0])
    rows = np.flatnonzero(paced & ~barred)
    names = np.array(account, dtype=np.str_)[rows]
    rows = rows[np.lexsort((instrument[rows], bucket[rows], names, -loss_e8[rows]))]
    columns = (instrument, column, wanted_e8, lot_e8)
    instruments, sides, wants, lots = (one[rows].tolist() for one in columns)
    granted: list[int] = []
    served: set[Market] = set()
    left: dict[Market, int] = {}
    for begin, end in pairwise([0, *(np.flatnonzero(np.diff(bucket[rows])) + 1), len(rows)]):
        own = slice(begin, end)
        markets = list(zip(instruments[own], sides[own], strict=True))
        for market in markets:
            left.setdefault(market, int(room_e8[market]))
        least = [
            min(lot, wanted) if market in served else 1
            for market, lot, wanted in zip(markets, lots[own], wants[own], strict=True)
        ]
        served.update(markets)
        rooms = [left[market] for market in markets]
        shares = [0] * len(markets)
        if all(room >= amount for room, amount in zip(rooms, least, strict=True)):
            shares = _shares(wants[own], lots[own], rooms)
            for market, share in zip(markets, shares, strict=True):
                left[market] -= share
        granted += shares
    granted_e8[rows] = granted
    return granted_e8


def _shares(wants: list[int], lots: list[int], rooms: list[int]) -> list[int]:
    """The same share of all that is wanted, as large as each room allows, in lots, at least one."""
    part, whole = 1, 1
    for wanted, room in zip(wants, rooms, strict=True):
        if room * whole < part * wanted:
            part, whole = room, wanted
    if part == whole:
        return wants
    return [
        min(wanted, max(wanted * part // whole // lot, 1) * lot)
        for wanted, lot in zip(wants, lots, strict=True)
    ]
