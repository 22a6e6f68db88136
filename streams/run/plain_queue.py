"""The plain deleveraging queue, for comparison: winners are closed whole, one after the other."""

from collections.abc import Iterable


def closed_whole(winners: Iterable[tuple[int, int]], *, quantity_e8: int, deficit_e8: int) -> int:
    """How many winners, in rank order, a plain queue closes on the same deficit.

    `winners`: contracts held and unrealised gain of each, at 1e-8. Each is closed whole and gives
    up its gain towards the deficit, until the contracts to hand over are handed over and the
    deficit is covered. The rule of exchanges that rank positions but do not divide them.
    """
    count = 0
    for held_e8, gain_e8 in winners:
        if quantity_e8 <= 0 and deficit_e8 <= 0:
            break
        quantity_e8 -= held_e8
        deficit_e8 -= max(gain_e8, 0)
        count += 1
    return count
