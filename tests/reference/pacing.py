"""Who goes to the market and who waits: one bucket after the other, in exact fractions."""

from fractions import Fraction
from typing import NamedTuple


class Order(NamedTuple):
    bucket: int
    account: str
    instrument: int
    side: int
    wanted: int
    loss: int


def granted(orders: list[Order], lots: list[int], room: list[list[int]]) -> list[int]:
    """Of each order; `lots` by instrument, `room` by instrument what may be sold and bought."""
    left = [list(sides) for sides in room]
    got = dict.fromkeys(orders, 0)
    buckets: dict[tuple[int, str, int], list[Order]] = {}
    for one in orders:
        buckets.setdefault((-one.loss, one.account, one.bucket), []).append(one)
    seen: set[tuple[int, int]] = set()
    for _, own in sorted(buckets.items()):
        if any(room[one.instrument][one.side > 0] <= 0 for one in own):
            continue  # it queues nowhere
        share, fits = Fraction(1), True
        for one in own:
            there, lot = left[one.instrument][one.side > 0], lots[one.instrument]
            first = (one.instrument, one.side) not in seen
            fits = fits and there >= (1 if first else min(lot, one.wanted))
            share = min(share, Fraction(there, one.wanted))
        seen.update((one.instrument, one.side) for one in own)
        for one in own if fits else []:
            lot = lots[one.instrument]
            part = max(int(one.wanted * share / lot), 1) * lot
            got[one] = one.wanted if share == 1 else min(part, one.wanted)
            left[one.instrument][one.side > 0] -= got[one]
    return [got[one] for one in orders]
