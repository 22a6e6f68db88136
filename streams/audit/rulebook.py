"""What the broadcast topics say: contracts, assets, margin tiers, prices and funding payments."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import nan
from typing import Any, NamedTuple

from schemas.units import PPM

Record = Mapping[str, Any]
INVERSE = frozenset({"INVERSE_PERP", "INVERSE_FUTURE"})
NOT_TRADED = frozenset({"HALTED", "SETTLED"})
LARGEST_SCALAR_PPM = 100 * PPM


class Contract(NamedTuple):
    """How the price of an instrument becomes value, and in what it trades."""

    inverse: bool
    spot: bool
    option: bool
    multiplier_e8: int
    settlement: str
    base: str
    quote: str


class Tick(NamedTuple):
    """A price of an instrument, with the median index of its live sources."""

    time_us: int
    mark_e8: int
    index_e8: int
    spread_e8: int
    """Between bid and ask; 0 where they were not told, and for options."""
    volatility: float = nan
    """Of options: annual, as a fraction; nan where it was not told."""


class Rulebook:
    """Rules and prices by name; of several versions of a listing the last says how to book."""

    def __init__(self) -> None:
        self.contracts: dict[str, Contract] = {}
        self.listings: dict[str, list[Record]] = defaultdict(list)
        self.listed_ms: dict[str, int] = {}
        """Instrument or asset -> when the broker first had it."""
        self.last_listed_ms = 0
        self.assets: dict[str, list[Record]] = defaultdict(list)
        self.payments: dict[tuple[int, int], Record] = {}
        """Funding that is due once on every position, by partition and offset of its record."""
        self.portfolios: set[str] = set()
        """Accounts that were ever margined as a portfolio."""
        self.clock_us = 0
        """The largest event time of a price: no decision was made later."""
        self._params: dict[str, list[Record]] = defaultdict(list)
        self._ticks: dict[str, list[Tick]] = defaultdict(list)

    def take_instrument(self, record: Record, timestamp_ms: int) -> None:
        name = record["instrument_id"]
        self.contracts[name] = Contract(
            record["kind"] in INVERSE,
            record["kind"] == "SPOT",
            record["kind"] == "OPTION",
            record["multiplier_e8"],
            record["settlement_asset"],
            record["base"],
            record["quote"],
        )
        self.listings[name].append(record)
        for one in (name, record["base"], record["quote"], record["settlement_asset"]):
            self._name(one, timestamp_ms)

    def take_asset(self, record: Record, timestamp_ms: int) -> None:
        self.assets[record["asset"]].append(record)
        self._name(record["asset"], timestamp_ms)

    def _name(self, name: str, timestamp_ms: int) -> None:
        if name not in self.listed_ms:
            self.listed_ms[name] = timestamp_ms
            self.last_listed_ms = max(self.last_listed_ms, timestamp_ms)

    def take_params(self, record: Record) -> None:
        self._params[record["subject"]].append(record)

    def take_ticks(self, ticks: Iterable[tuple[str, Tick]]) -> None:
        for instrument, tick in ticks:
            self._ticks[instrument].append(tick)
            self.clock_us = max(self.clock_us, tick.time_us)
        for of_one in self._ticks.values():
            of_one.sort(key=lambda tick: tick.time_us)

    def ticks(self, instrument: str, since_us: int, until_us: int) -> list[Tick]:
        """Ticks of an instrument within two times, both included, by time."""
        ticks = self._ticks.get(instrument, [])
        first = bisect_left(ticks, since_us, key=lambda tick: tick.time_us)
        return ticks[first : bisect_right(ticks, until_us, key=lambda tick: tick.time_us)]

    def halted(self, instrument: str, since_us: int, until_us: int) -> bool:
        """Whether it did not trade throughout, as its listings have it."""
        told = [one for one in self.listings[instrument] if one["event_time"] <= until_us]
        first = [one for one in told if one["event_time"] <= since_us]
        return bool(first) and all(one["status"] in NOT_TRADED for one in (first[-1], *told[-1:]))

    def asset_at(self, name: str, time_us: int) -> Record | None:
        """The asset's record in force; None where no record describes it yet."""
        told = [record for record in self.assets.get(name, ()) if record["event_time"] <= time_us]
        return told[-1] if told else None

    def params_at(self, subject: str, time_us: int) -> Record | None:
        """The margin tiers in force: the highest version of those that have come into force."""
        due = [
            record
            for record in self._params.get(subject, ())
            if max(record["effective_at"], record["event_time"]) <= time_us
        ]
        return max(due, key=lambda record: int(record["version"]), default=None)


def table_fault(record: Record) -> bool:
    """Whether tiers or haircuts break a rule of such tables, so that the record is refused."""
    if "haircut_tiers" in record:
        return _steps_fault(record["haircut_tiers"], "haircut_ppm")
    tiers = record["tiers"]
    return (
        not 0 <= record["margin_scalar_ppm"] <= LARGEST_SCALAR_PPM
        or any(tier["maintenance_ppm"] > tier["initial_ppm"] for tier in tiers)
        or _steps_fault(tiers, "initial_ppm")
        or _steps_fault(tiers, "maintenance_ppm")
    )


def _steps_fault(steps: list[Record], rate: str) -> bool:
    """First floor 0, floors ascend, rates within 0..100% and never decrease."""
    floors = [step["floor_e8"] for step in steps]
    rates = [step[rate] for step in steps]
    return (
        bool(floors and floors[0] != 0)
        or floors != sorted(set(floors))
        or rates != sorted(rates)
        or any(not 0 <= one <= PPM for one in rates)
    )
