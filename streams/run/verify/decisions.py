"""What the decisions of a period said, read from the history in the order of time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sinks.reading import Row, rows
from sinks.store import Store

STATES, CALLS, ORDERS = "margin-state", "margin-calls", "liquidations"
PAGE_ROWS = 20_000
WITHIN = (
    "event_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND "
    "event_time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)
OF_PARTITION = f"_partition = {{partition:UInt16}} AND {WITHIN}"


class Said(NamedTuple):
    """What a decision said of one account."""

    account: str
    state: Row | None
    others: list[tuple[str, Row]]
    """Calls and liquidations, with their topics."""


class Decisions:
    """The decisions of one period."""

    def __init__(self, store: Store, since_us: int, until_us: int) -> None:
        """`until_us` is not in it."""
        self._store = store
        self._period = {"since": since_us, "until": until_us}

    def partitions(self) -> list[int]:
        found: set[int] = set()
        for topic in (STATES, CALLS, ORDERS):
            table = topic.replace("-", "_")
            sql = f"SELECT DISTINCT _partition AS number FROM {table} WHERE {WITHIN}"
            found |= {int(row["number"]) for row in self._store.query(sql, self._period)}
        return sorted(found)

    def of(self, partition: int) -> Iterator[tuple[int, list[Said]]]:
        """What each decision of the period said, in the order of time."""
        parameters = {**self._period, "partition": partition}
        of_partition = f"_partition = {{partition:UInt16}} AND {WITHIN}"
        others: dict[int, dict[str, list[tuple[str, Row]]]] = defaultdict(lambda: defaultdict(list))
        for topic in (CALLS, ORDERS):
            for row in rows(self._store, topic, where=of_partition, parameters=parameters):
                record = row.record
                others[record["event_time"]][record["account_id"]].append((topic, row))
        counts = self._store.query(
            f"SELECT toUnixTimestamp64Micro(event_time) AS at, count() AS n FROM margin_state "
            f"WHERE {of_partition} GROUP BY at ORDER BY at", parameters,
        )  # fmt: skip
        states = self._states(partition, [(int(row["at"]), int(row["n"])) for row in counts])
        times = sorted({*others, *(int(row["at"]) for row in counts)})
        waiting = next(states, None)
        for time_us in times:
            found: list[Row] = []
            while waiting is not None and waiting.record["event_time"] == time_us:
                found.append(waiting)
                waiting = next(states, None)
            yield from _rounds(time_us, found, others.get(time_us, {}))

    def _states(self, partition: int, counts: Sequence[tuple[int, int]]) -> Iterator[Row]:
        """The margin states of the period in order of time, a page of whole decisions at a time."""
        first, size = 0, 0
        for place, (_, n) in enumerate(counts):
            size += n
            if size >= PAGE_ROWS or place == len(counts) - 1:
                span = {"since": counts[first][0], "until": counts[place][0] + 1}
                yield from rows(
                    self._store, STATES, where=f"_partition = {{partition:UInt16}} AND {WITHIN}",
                    parameters={**span, "partition": partition}, order="event_time, at_offset",
                )  # fmt: skip
                first, size = place + 1, 0


def _rounds(
    time_us: int, states: Sequence[Row], others: Mapping[str, list[tuple[str, Row]]]
) -> Iterator[tuple[int, list[Said]]]:
    """What was said at a time, an account once; what a worker said again comes after it."""
    left = dict(others)
    while states:
        again, said, seen = [], [], set()
        for row in states:
            name = row.record["account_id"]
            if name in seen:
                again.append(row)
                continue
            seen.add(name)
            said.append(Said(name, row, left.pop(name, [])))
        said += [Said(name, None, found) for name, found in left.items()]
        left = {}
        yield time_us, said
        states = again
    if left:
        yield time_us, [Said(name, None, found) for name, found in left.items()]
