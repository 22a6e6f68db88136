"""A cascade: from a price to the orders it causes while thousands breach within one second."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks import latency
from benchmarks.contender import ContenderFailedError
from benchmarks.latency import LatencyRun, Say, Shape
from benchmarks.workload import depth_e8, listed
from schemas.units import PPM, US_PER_MS
from streams.base.settings import Settings

DEPTH_USD = 600_000
"""Of each side of each book: too little for all at once, enough within a few windows."""
SHAPE = Shape(fall_s=1.0, hold_s=25.0, depth_usd=DEPTH_USD)
SHARE = 0.4
"""Of the accounts, how many break within the second."""

Order = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CascadeRun:
    """The latencies, and how the orders were paced.

    `windows` of an instrument and a side had orders, `full` of them for 90 % of their cap and more.
    """

    latency: LatencyRun
    windows: int
    full: int


def measure(seed: int, accounts: int, *, shape: Shape, say: Say) -> CascadeRun:
    """One run as in `latency`, with books of a known depth.

    Raises ContenderFailedError where in any window an instrument's orders of one side ask for more
    than the cap of the default settings.
    """
    say(f"cascade: {SHARE:.0%} of {accounts:,} accounts break in {shape.fall_s:g} s")
    orders: list[Order] = []
    run = latency.measure(seed, accounts, SHARE, shape=shape, say=say, hear=orders.extend)
    shares = window_shares(orders, shape.depth_usd, Settings())
    return CascadeRun(run, len(shares), sum(share >= 0.9 for share in shares))


def window_shares(orders: Iterable[Order], depth_usd: int, settings: Settings) -> list[float]:
    """What was asked for in each window of an instrument and a side, as a share of its cap.

    Windows are whole multiples of event time. One lot beyond the cap is allowed: the first in a
    queue gets a lot as long as there is any room.
    """
    asked_e8: Counter[tuple[str, str, int]] = Counter()
    for order in orders:
        window = order["event_time"] // (settings.pace_window_ms * US_PER_MS)
        asked_e8[order["instrument_id"], order["side"], window] += order["quantity_e8"]
    shares = []
    listings = {listing.instrument_id: listing for listing in listed()}
    for (name, side, _), quantity_e8 in asked_e8.items():
        cap_e8 = depth_e8(listings[name], depth_usd) * settings.pace_depth_ppm // PPM
        if quantity_e8 > cap_e8 + listings[name].lot_e8:
            raise ContenderFailedError(
                f"{side} orders of {quantity_e8} (1e-8) {name} in one window, the cap is {cap_e8}"
            )
        shares.append(quantity_e8 / cap_e8)
    return shares
