"""What the decisions of a period said, read from the history in the order of time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sinks.reading import IncompleteHistoryError, Row, rows, tells_applied
from sinks.store import Store
from streams.audit.minutes import clock
from streams.audit.outputs import offsets_of
from streams.run.verify.folding import Ends

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


class Decision(NamedTuple):
    """What a worker said of the accounts of a partition at one time."""

    time_us: int
    ends: Ends | None
    """What it had applied of the topics of accounts; None: the history does not tell."""
    said: list[Said]


class Decisions:
    """The decisions of one period."""

    def __init__(self, store: Store, since_us: int, until_us: int) -> None:
        """`until_us` is not in it."""
        self._store = store
        self._period = {"since": since_us, "until": until_us}
        self._told = tells_applied(store)

    def partitions(self) -> list[int]:
        found: set[int] = set()
        for topic in (STATES, CALLS, ORDERS):
            table = topic.replace("-", "_")
            sql = f"SELECT DISTINCT _partition AS number FROM {table} WHERE {WITHIN}"
            found |= {int(row["number"]) for row in self._store.query(sql, self._period)}
        return sorted(found)

    def of(self, partition: int) -> Iterator[Decision]:
        """The decisions of the period, in the order of time.

        IncompleteHistoryError for one that does not tell what it had applied, but something else.
        """
        parameters = {**self._period, "partition": partition}
        others: dict[int, list[tuple[str, Row]]] = defaultdict(list)
        for topic in (CALLS, ORDERS):
            for row in self._rows(topic, parameters):
                others[row.record["event_time"]].append((topic, row))
        counts = self._store.query(
            f"SELECT toUnixTimestamp64Micro(event_time) AS at, count() AS n FROM margin_state "
            f"WHERE {OF_PARTITION} GROUP BY at ORDER BY at", parameters,
        )  # fmt: skip
        states = self._states(partition, [(int(row["at"]), int(row["n"])) for row in counts])
        times = sorted({*others, *(int(row["at"]) for row in counts)})
        waiting = next(states, None)
        for time_us in times:
            found: list[Row] = []
            while waiting is not None and waiting.record["event_time"] == time_us:
                found.append(waiting)
                waiting = next(states, None)
            yield from _decisions(time_us, found, others.get(time_us, ()))

    def _rows(
        self, topic: str, parameters: Mapping[str, int], order: str | None = None
    ) -> Iterator[Row]:
        return rows(
            self._store, topic, where=OF_PARTITION, parameters=parameters, order=order,
            applied=self._told,
        )  # fmt: skip

    def _states(self, partition: int, counts: Sequence[tuple[int, int]]) -> Iterator[Row]:
        """The margin states of the period in order of time, a page of whole decisions at a time."""
        first, size = 0, 0
        for place, (_, n) in enumerate(counts):
            size += n
            if size >= PAGE_ROWS or place == len(counts) - 1:
                span = {"since": counts[first][0], "until": counts[place][0] + 1}
                parameters = {**span, "partition": partition}
                yield from self._rows(STATES, parameters, "event_time, at_offset")
                first, size = place + 1, 0


def _decisions(
    time_us: int, states: Iterable[Row], others: Iterable[tuple[str, Row]]
) -> Iterator[Decision]:
    """What was said at a time by what had been applied; what was said again comes after it."""
    found: dict[str, tuple[list[Row], dict[str, list[tuple[str, Row]]]]] = defaultdict(
        lambda: ([], defaultdict(list))
    )
    for row in states:
        found[row.applied][0].append(row)
    for topic, row in others:
        found[row.applied][1][row.record["account_id"]].append((topic, row))
    by_ends = [(_ends(text, time_us), *said) for text, said in found.items()]
    for ends, of_accounts, about in sorted(by_ends, key=lambda one: [*(one[0] or {}).values()]):
        for round_ in _rounds(of_accounts, about):
            yield Decision(time_us, ends, round_)


def _ends(text: str, time_us: int) -> Ends | None:
    try:
        return offsets_of(text) if text else None
    except ValueError as error:
        raise IncompleteHistoryError(f"a decision of {clock(time_us)} UTC: {error}") from error


def _rounds(
    states: Sequence[Row], others: Mapping[str, list[tuple[str, Row]]]
) -> Iterator[list[Said]]:
    """What was said of accounts, an account once; what a worker said again comes after it."""
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
        yield said
        states = again
    if left:
        yield [Said(name, None, found) for name, found in left.items()]
