"""Losses that were shared among winners, judged on the clerk's book as it was at each decision."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.processors.cycle import ACCOUNT_TOPICS
from tests.reference.ledger import ClerksBook, value_e8
from tests.simulation.log import Entry
from tests.simulation.reading import Record, Topics, applied_end, read
from tests.simulation.story import INSTRUMENTS

SLICE = "@socialised:"
LAST_MARKS = 4
"""Which of the last few a worker had seen is told nowhere."""


@dataclass(slots=True)
class _Share:
    ends: dict[str, int]
    """Up to where inputs were applied when it was decided."""
    legs: list[Record] = field(default_factory=list)
    read_by: int = 0
    """Offset of the slice's own last leg."""


class Shares:
    """What the slices of each partition asked of its winners."""

    def __init__(self, topics: Topics) -> None:
        self._shares: dict[int, dict[str, _Share]] = defaultdict(dict)
        for number in range(topics.partitions):
            for _, entry in topics.entries("transfers", number):
                leg = read("transfers", entry.value)
                if leg["transfer_id"].startswith(f"{SLICE}USDT#{number}/"):
                    self._take(number, leg, entry)
        self._marks: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for mark in topics.records("prices"):
            self._marks[mark["instrument_id"]].append((mark["event_time"], mark["mark_e8"]))

    def _take(self, number: int, leg: Record, entry: Entry) -> None:
        ends = {topic: applied_end(entry, topic) for topic in ACCOUNT_TOPICS}
        share = self._shares[number].setdefault(leg["transfer_id"], _Share(ends))
        if leg["account_id"].startswith(SLICE):
            share.read_by = entry.offset
        elif not leg["account_id"].startswith("@"):
            share.legs.append(leg)

    def under_way(self, number: int, offset: int) -> bool:
        """Whether winners of the partition may be giving when a leg at the offset is booked."""
        return any(
            one.ends["transfers"] <= offset < one.read_by for one in self._shares[number].values()
        )

    def judge(self, number: int, ends: dict[str, int], book: ClerksBook) -> Iterator[str]:
        """What is wrong with those that were decided on the inputs up to these ends."""
        for name, share in self._shares[number].items():
            if all(share.ends[topic] == ends[topic] for topic in ACCOUNT_TOPICS):
                given: dict[tuple[str, str], list[Record]] = defaultdict(list)
                for leg in share.legs:
                    given[leg["account_id"], leg["bucket"]].append(leg)
                for place, legs in given.items():
                    gains = self._gains(place, legs[0]["event_time"], book)
                    fair = all(
                        0 < leg["cost_e8"] <= gains.get(leg["instrument_id"], 0)
                        and not leg["amount_e8"] and not leg["quantity_e8"]
                        for leg in legs
                    )  # fmt: skip
                    if not fair or sum(leg["cost_e8"] for leg in legs) > sum(gains.values()):
                        yield f"{name}: {place} gained {gains}, and gives {legs}"

    def _gains(self, place: tuple[str, str], time_us: int, book: ClerksBook) -> dict[str, int]:
        """Profits of a bucket by instrument, at the best of the last marks."""
        gains = {}
        for (account, bucket, name), (quantity_e8, cost_e8) in book.positions.items():
            if (account, bucket) == place and quantity_e8:
                marks = [mark_e8 for at_us, mark_e8 in self._marks[name] if at_us <= time_us]
                multiplier_e8 = INSTRUMENTS[name]["multiplier_e8"]
                gains[name] = max(
                    value_e8(False, multiplier_e8, quantity_e8, mark_e8) - cost_e8
                    for mark_e8 in marks[-LAST_MARKS:]
                )
        return gains
