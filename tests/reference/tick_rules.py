"""The rules that a tick must keep, one after the other."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

MOST_E8 = 10**18 - 1
YEAR_2000_US, YEAR_2100_US = 946_684_800_000_000, 4_102_444_800_000_000
MINUTE_US = 60_000_000
Record = Mapping[str, Any]


def broken(tick: Record, written_ms: int, instruments: Container[str]) -> str | None:
    """The reason of the first rule that a tick breaks; None where it keeps all of them.

    `written_ms` is the record's own time, 0 where it has none.
    """
    rules = _rules(tick, written_ms, instruments)
    return next((reason for reason, breaks in rules if breaks), None)


def _rules(
    tick: Record, written_ms: int, instruments: Container[str]
) -> Iterator[tuple[str, bool]]:
    """Each rule's reason, and whether it is broken."""
    time_us, mark_e8 = tick["event_time"], tick["mark_e8"]
    yield "MISSING_FIELD", not (tick["instrument_id"] and tick["source"])
    yield "TIME_OUT_OF_RANGE", not YEAR_2000_US <= time_us < YEAR_2100_US
    yield "TIME_OUT_OF_RANGE", 0 < written_ms * 1_000 < time_us - MINUTE_US
    yield "UNKNOWN_INSTRUMENT", tick["instrument_id"] not in instruments
    yield "NON_POSITIVE_PRICE", mark_e8 <= 0
    yield "AMOUNT_OUT_OF_RANGE", mark_e8 > MOST_E8 or abs(tick["index_e8"]) > MOST_E8
