"""What a board shows after each tick of the history, and which ticks a decision had taken."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.block import Columns, Int64s
from schemas.units import Floats
from sinks.reading import Row
from streams.state.guards import Limits
from streams.state.mark_board import MarkBoard

SHOWN = ("mark_e8", "index_e8", "time_us", "slow_e8", "spread_e8", "waiting",
         "bid_depth_e8", "ask_depth_e8")  # fmt: skip
ABSENT = {"bid_e8": 0, "ask_e8": 0, "bid_depth_e8": 0, "ask_depth_e8": 0,
          "implied_volatility": np.nan, "event_time": 0, "sequence": 0, "mark_e8": 0,
          "index_e8": 0}  # fmt: skip
CHUNK = 512
BACK_US = 3_600_000_000
"""Averages of prices have forgotten what was so long before."""
Cuts = dict[int, int]
"""Partition of `prices` -> how many of its ticks were taken."""
Bools = NDArray[np.bool_]


class Ticks:
    """All ticks of a history, taken in the order of their partitions as a worker takes them."""

    def __init__(self, rows: Iterable[Row], limits: Limits) -> None:
        """`rows` are of `prices`, without those that were refused, by partition and offset."""
        self.offsets: dict[int, list[int]] = defaultdict(list)
        """Partition -> offsets of its ticks."""
        self._clock_us: dict[int, Int64s] = {}
        self._numbers: dict[str, int] = {}
        self._home: dict[str, int] = {}
        self._board = MarkBoard(limits)
        self._shown: list[tuple[Int64s, Floats]] = []
        self._places: dict[str, list[int]] = defaultdict(list)
        self._rows: dict[str, list[int]] = defaultdict(list)
        self._count = 0
        times: dict[int, list[int]] = defaultdict(list)
        chunk: list[Row] = []
        names: set[str] = set()
        for row in rows:
            name = row.record["instrument_id"]
            if name in names or len(chunk) == CHUNK:
                self._take(chunk)
                chunk, names = [], set()
            chunk.append(row)
            names.add(name)
            self._home[name] = row.partition
            self._places[name].append(len(times[row.partition]))
            times[row.partition].append(row.record["event_time"])
            self.offsets[row.partition].append(row.offset)
        self._take(chunk)
        for partition, of_one in times.items():
            self._clock_us[partition] = np.maximum.accumulate(np.array(of_one, np.int64))
        self._integers = np.concatenate(
            [ints for ints, _ in self._shown] or [np.zeros((0, 8), np.int64)]
        )
        self._volatility = np.concatenate([sigma for _, sigma in self._shown] or [np.zeros(0)])
        self._at = {name: np.array(places, np.int64) for name, places in self._places.items()}

    def _take(self, chunk: list[Row]) -> None:
        if not chunk:
            return
        board, records = self._board, [row.record for row in chunk]
        for record in records:
            self._numbers.setdefault(record["instrument_id"], len(self._numbers))
        board.resize(len(self._numbers))
        numbers = np.array([self._numbers[r["instrument_id"]] for r in records], np.int64)
        board.take(numbers, _columns(records), "", np.zeros(len(records), np.int64))
        shown = [getattr(board, name)[numbers].astype(np.int64) for name in SHOWN]
        self._shown.append((np.stack(shown, axis=1), board.volatility[numbers]))
        for record in records:
            self._rows[record["instrument_id"]].append(self._count)
            self._count += 1

    def latest(self, clock_us: int) -> Cuts:
        """Everything that a board of that clock may have taken."""
        return {
            partition: int(np.searchsorted(times, clock_us, side="right"))
            for partition, times in self._clock_us.items()
        }

    def taken(self, told: Mapping[str, Counter[int]], low: Cuts, clock_us: int) -> "Taken":
        """Which ticks may have been taken, by the marks that a decision's records tell.

        `low` is what was taken before. Of an instrument the mark counts that most records tell;
        one that no number of ticks would show is left out.
        """
        latest, found = self.latest(clock_us), {}
        for partition, end in latest.items():
            start = min(low.get(partition, 0), end)
            fits = np.ones(end - start + 1, np.bool_)
            mine = [name for name in told if self._home.get(name) == partition]
            for name in sorted(mine, key=lambda one: -told[one].total()):
                mark_e8 = told[name].most_common(1)[0][0]
                both = fits & (self._marks(name, start, end) == mark_e8)
                if both.any():
                    fits = both
            found[partition] = start + np.flatnonzero(fits)
        return Taken(found)

    def mark(self, name: str, cuts: Cuts) -> tuple[int, int, int] | None:
        """Mark, partition and offset of the last tick taken of an instrument."""
        row = self._row(name, cuts)
        if row is None:
            return None
        partition = self._home[name]
        place = self._at[name][np.searchsorted(self._at[name], cuts[partition]) - 1]
        return int(self._integers[row, 0]), partition, self.offsets[partition][int(place)]

    def show(self, board: MarkBoard, names: Iterable[str], cuts: Cuts, clock_us: int) -> None:
        """Write into a board whose instruments these are what it showed then."""
        board.kept.clear()
        board.clock_us = clock_us
        for number, name in enumerate(names):
            row = self._row(name, cuts)
            values = np.zeros(len(SHOWN), np.int64) if row is None else self._integers[row]
            for column, value in zip(SHOWN, values.tolist(), strict=True):
                getattr(board, column)[number] = value
            board.volatility[number] = np.nan if row is None else self._volatility[row]

    def _row(self, name: str, cuts: Cuts) -> int | None:
        if name not in self._at:
            return None
        taken = int(np.searchsorted(self._at[name], cuts[self._home[name]]))
        return self._rows[name][taken - 1] if taken else None

    def _marks(self, name: str, start: int, end: int) -> Int64s:
        """The mark of an instrument after `start` to `end` ticks of its partition."""
        taken = np.searchsorted(self._at[name], np.arange(start, end + 1))
        marks = np.append(self._integers[self._rows[name], 0], 0)  # the last for none taken
        return marks[taken - 1]


class Taken:
    """How many ticks of each partition a decision may have taken."""

    def __init__(self, found: Mapping[int, Int64s]) -> None:
        self._found = found

    @property
    def most(self) -> Cuts:
        return {partition: int(counts[-1]) for partition, counts in self._found.items()}

    @property
    def least(self) -> Cuts:
        return {partition: int(counts[0]) for partition, counts in self._found.items()}

    def others(self, most: int) -> Iterable[Cuts]:
        """Other possibilities, one partition at a time, the latest first."""
        for partition, counts in self._found.items():
            for count in counts[:-1][::-1][:most].tolist():
                yield {**self.most, partition: count}


def _columns(records: list[dict[str, Any]]) -> Columns:
    data: dict[str, Any] = {"source": [record["source"] for record in records]}
    for name, absent in ABSENT.items():
        column = [record[name] for record in records]
        filled = [absent if value is None else value for value in column]
        data[name] = np.array(filled, np.float64 if absent != 0 else np.int64)
    return Columns("mark", np.arange(len(records)), data)
