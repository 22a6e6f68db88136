"""Which rows of a block break which rule: the first rule broken is the row's dead-letter reason."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Block, Columns, Int64s, picked
from schemas.dead_letter import DeadLetterReason, Refusal
from schemas.units import LIMIT_E8, US_PER_MS

Bools = NDArray[np.bool_]
EARLIEST_US = 946_684_800_000_000
"""2000-01-01: no exchange's event is older."""
LATEST_US = 4_102_444_800_000_000
"""2100-01-01."""
AHEAD_US = 60_000_000
"""A record further ahead than this of when it was written tells no time to rely on."""

SURELY_E8 = LIMIT_E8 * (1 - 1e-9)
"""A sum in floats that is no more than this is of amounts that fit."""


class Admission:
    """Collects refusals over the rows of `columns`; `ok` says which rows are still admitted."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.ok: Bools = np.ones(len(columns), np.bool_)
        self.refused: list[Refusal] = []

    def require(
        self, holds: Bools, reason: DeadLetterReason, message: Callable[[int], str]
    ) -> None:
        """Refuse the admitted rows where `holds` is False; `message` gets the row's place."""
        if holds.all():
            return
        for row in np.flatnonzero(self.ok & ~holds).tolist():
            self.refused.append(Refusal(int(self.columns.rows[row]), reason, message(row)))
        self.ok &= holds

    def require_time(self) -> None:
        times = self.columns.data["event_time"]
        self.require(
            (times >= EARLIEST_US) & (times < LATEST_US),
            DeadLetterReason.TIME_OUT_OF_RANGE,
            lambda row: f"event_time {times[row]} us is not between the years 2000 and 2100",
        )

    def require_text(self, *fields: str) -> None:
        for field in fields:
            texts: list[str] = self.columns.data[field]
            if all(texts):
                continue
            given = np.fromiter(map(bool, texts), np.bool_, len(texts))
            message = f"{field} is empty"
            self.require(given, DeadLetterReason.MISSING_FIELD, _always(message))

    def require_key(self, keys: Sequence[bytes | None], expected: Sequence[str]) -> None:
        """The record's key must be its account: the partition was chosen by the key."""
        given = list(picked(keys, self.columns.rows))
        wanted = list(map(str.encode, expected))
        if given != wanted:
            match = [key == text for key, text in zip(given, wanted, strict=True)]
            self.require(
                np.array(match, np.bool_),
                DeadLetterReason.WRONG_KEY,
                lambda row: f"key {given[row]!r} is not {expected[row]!r}",
            )

    def require_home(self, strangers: Mapping[str, int]) -> None:
        """No account may be of another partition: `strangers` says on which each belongs."""
        if strangers:
            names: list[str] = self.columns.data["account_id"]
            self.require(
                np.array([name not in strangers for name in names], np.bool_),
                DeadLetterReason.WRONG_KEY,
                lambda row: (
                    f"account {names[row]!r} belongs on partition "
                    f"{strangers[names[row]]}: the producer's partitioner is not murmur2"
                ),
            )

    def require_positive(self, field: str, reason: DeadLetterReason) -> None:
        amounts = self.columns.data[field]
        self.require(amounts > 0, reason, lambda row: f"{field} {amounts[row]} is not positive")

    def require_range(self, field: str) -> None:
        amounts = self.columns.data[field]
        self.require(
            (amounts >= -LIMIT_E8) & (amounts <= LIMIT_E8),
            DeadLetterReason.AMOUNT_OUT_OF_RANGE,
            lambda row: f"{field} {amounts[row]} is beyond 18 digits",
        )

    def numbers(self, field: str, number: dict[str, int], reason: DeadLetterReason) -> Int64s:
        """int64[n] numbers of names; 0 and refused where a name is unknown."""
        names: list[str] = self.columns.data[field]
        found = np.fromiter(map(number.get, names, repeat(-1)), np.int64, len(names))
        self.require(found >= 0, reason, lambda row: f"{field} {names[row]!r} is not known")
        return np.maximum(found, 0)


def not_ahead(block: Block, columns: Columns) -> Bools:
    """bool[n]: rows whose event time is not far ahead of when they were written, where told."""
    written_us = block.timestamps_ms[columns.rows] * US_PER_MS
    in_time: Bools = (written_us <= 0) | (columns.data["event_time"] <= written_us + AHEAD_US)
    return in_time


def _always(message: str) -> Callable[[int], str]:
    return lambda row: message


@compiled
def surely_fits(rows: Int64s, deltas_e8: Int64s, present_e8: Int64s) -> bool:
    """Whether all deltas together would fit on any of these rows."""
    most_e8, gross_e8 = 0.0, 0.0
    for place in range(len(rows)):
        most_e8 = max(most_e8, abs(float(present_e8[rows[place]])))
        gross_e8 += abs(float(deltas_e8[place]))
    return most_e8 + gross_e8 <= SURELY_E8


def fits_running(rows: Int64s, deltas_e8: Int64s, present_e8: Int64s) -> Bools:
    """bool[n]: adding the deltas one by one to `present_e8[rows]` never leaves 18 digits.

    A delta that would is refused and not added. A sum of all, or one a row, proves the common case.
    """
    fits = np.ones(len(rows), np.bool_)
    if surely_fits(rows, deltas_e8, present_e8):
        return fits
    gross_e8, surely_e8 = np.abs(deltas_e8).astype(np.float64), SURELY_E8
    if np.all(np.abs(present_e8) + np.bincount(rows, gross_e8, len(present_e8)) <= surely_e8):
        return fits
    running = {row: int(present_e8[row]) for row in set(rows.tolist())}
    for place, (row, delta) in enumerate(zip(rows.tolist(), deltas_e8.tolist(), strict=True)):
        if abs(running[row] + delta) <= LIMIT_E8:
            running[row] += delta
        else:
            fits[place] = False
    return fits
