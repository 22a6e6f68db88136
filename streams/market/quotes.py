"""Price events: marks with the market's impact, index, best quotes and depth."""

from collections.abc import Mapping

from streams.market.depth import HALF_SPREAD, Depth
from streams.market.events import PRICES, Event
from streams.market.exact import ceil_to, floor_to
from streams.market.listings import Catalogue
from streams.market.paths import Step

SOURCE = "exchange"
HEARTBEAT_US = 2_000_000
"""A price that did not change is said again after this time, as exchanges do ..."""
SILENT_AFTER_US = 3_600_000_000
"""... but not when its own source has been silent for this long."""


class Quotes:
    """The live tables `marks_e8` and `indices_e8`, and the event for each change of them."""

    def __init__(self, catalogue: Catalogue, depth: Depth) -> None:
        self.marks_e8: dict[str, int] = {}
        self.indices_e8: dict[str, int] = {}
        self._listings = catalogue.listings
        self._depth = depth
        self._sequence = dict.fromkeys(catalogue.listings, 0)
        self._volatilities: Mapping[str, float] = {}
        self._moved_us: dict[str, int] = {}
        self._said_us: dict[str, int] = {}

    def take(self, step: Step) -> list[Event]:
        """The price events of a step, in the order of the listings."""
        now_us = step.event_time_us
        for instrument_id, index_e8 in step.prices_e8.items():
            self.indices_e8[instrument_id] = index_e8
            self._moved_us[instrument_id] = now_us
            self._depth.observe(instrument_id, index_e8, now_us)
        self._volatilities = step.volatilities
        return [
            self._say(instrument_id, now_us)
            for instrument_id in self._listings
            if instrument_id in step.prices_e8 or self._beats(instrument_id, now_us)
        ]

    def forget(self, instrument_id: str) -> None:
        """It has expired: nobody quotes it any more."""
        self.marks_e8.pop(instrument_id, None)
        self._said_us.pop(instrument_id, None)

    def _beats(self, instrument_id: str, now_us: int) -> bool:
        said_us = self._said_us.get(instrument_id)
        return (
            said_us is not None
            and now_us - said_us >= HEARTBEAT_US
            and now_us - self._moved_us[instrument_id] <= SILENT_AFTER_US
        )

    def _say(self, instrument_id: str, now_us: int) -> Event:
        listing = self._listings[instrument_id]
        index_e8 = self.indices_e8[instrument_id]
        mark_e8 = self._depth.mark_e8(listing, index_e8, now_us)
        depth_e8 = self._depth.within_percent_e8(listing, index_e8, now_us)
        half_e8 = int(mark_e8 * HALF_SPREAD)
        self.marks_e8[instrument_id] = mark_e8
        self._said_us[instrument_id] = now_us
        self._sequence[instrument_id] += 1
        return Event(
            PRICES,
            instrument_id,
            {
                "event_time": now_us,
                "instrument_id": instrument_id,
                "source": SOURCE,
                "sequence": self._sequence[instrument_id],
                "mark_e8": mark_e8,
                "index_e8": index_e8,
                "bid_e8": max(floor_to(mark_e8 - half_e8, listing.tick_e8), listing.tick_e8),
                "ask_e8": ceil_to(mark_e8 + half_e8, listing.tick_e8),
                "bid_depth_e8": depth_e8,
                "ask_depth_e8": depth_e8,
                "implied_volatility": self._volatilities.get(instrument_id),
                "funding_rate_estimate": None,
            },
        )
