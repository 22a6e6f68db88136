"""A broker in memory: logs with sparse offsets, transactions with epochs, committed reads."""

from bisect import bisect_left
from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter

from schemas.topics import BY_NAME
from streams.state.ledger import partition_of
from streams.transport.publisher import BY_KEY
from streams.transport.transaction import PartitionLostError, Record

Place = tuple[str, int]
Headers = list[tuple[str, bytes]]
CHANGELOG = "changelog"
home_of = cache(partition_of)


@dataclass(eq=False, slots=True)
class Transaction:
    """Open until `committed` says how it ended; each log hears of that by a marker of its own."""

    committed: bool | None = None
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a log."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    transaction: Transaction | None


class Log:
    """One topic-partition. A marker takes an offset and holds nothing."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.end = 0
        self.open: dict[Transaction, int] = {}
        """Transactions without a marker here -> their first offset."""

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        transaction: Transaction | None = None,
    ) -> int:
        if transaction is not None:
            self.open.setdefault(transaction, self.end)
        self.entries.append(Entry(self.end, key, value, headers or [], transaction))
        self.end += 1
        return self.end - 1

    def mark(self, transaction: Transaction) -> None:
        del self.open[transaction]
        self.end += 1

    def committed(self, first: int = 0, most: int | None = None) -> list[Entry]:
        """What a reader of committed records sees from `first` on, up to the last stable offset."""
        start = bisect_left(self.entries, first, key=attrgetter("offset"))
        stable = next(iter(self.open.values()), self.end)
        found: list[Entry] = []
        for entry in self.entries[start:]:
            if entry.offset >= stable or len(found) == most:
                break
            if entry.transaction is None or entry.transaction.committed:
                found.append(entry)
        return found

    def committed_end(self) -> int:
        """The offset behind the last record that a reader sees."""
        stable = next(iter(self.open.values()), self.end)
        for entry in reversed(self.entries):
            if entry.offset < stable and (entry.transaction is None or entry.transaction.committed):
                return entry.offset + 1
        return 0


class FakeBroker:
    """Logs by topic and partition. `open` shuts out whoever used the transactional id before."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[Place, Log] = defaultdict(Log)
        self.markers: deque[tuple[Transaction, Place]] = deque()
        """Decided, not told to these logs yet."""
        self._epochs: dict[str, int] = defaultdict(int)
        self._open: dict[str, Transaction] = {}
        self._last: dict[str, Transaction] = {}

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> tuple[int, int]:
        """Without a transaction, as exchanges do; returns partition and offset."""
        partition = self._partition(topic, key)
        return partition, self.logs[topic, partition].append(key, value)

    def open(self, name: str) -> int:
        """Abort what is open under this id and return the new epoch."""
        self._epochs[name] += 1
        if name in self._open:
            self._end(name, committed=False)
        self._settle(name)
        return self._epochs[name]

    def is_fenced(self, name: str, epoch: int) -> bool:
        return epoch != self._epochs[name]

    def produce(self, name: str, epoch: int, record: Record) -> None:
        self._require(name, epoch)
        self._settle(name)
        transaction = self._open.setdefault(name, Transaction())
        key = record.key.encode() if isinstance(record.key, str) else record.key
        partition = record.partition
        if partition == BY_KEY:
            partition = self._partition(record.topic, key)
        place = (record.topic, partition)
        if place not in transaction.places:
            transaction.places.append(place)
        self.logs[place].append(key, record.value, record.headers, transaction)

    def commit(self, name: str, epoch: int) -> None:
        """Decided for good when this returns; the logs hear of it one after the other."""
        self._require(name, epoch)
        self._end(name, committed=True)

    def tell(self, most: int | None = None) -> None:
        """Write markers that are due."""
        while self.markers and most != 0:
            transaction, place = self.markers.popleft()
            self.logs[place].mark(transaction)
            most = None if most is None else most - 1

    def _require(self, name: str, epoch: int) -> None:
        if self.is_fenced(name, epoch):
            raise PartitionLostError(f"{name}: epoch {epoch} is fenced by {self._epochs[name]}")

    def _end(self, name: str, *, committed: bool) -> None:
        transaction = self._last[name] = self._open.pop(name)
        transaction.committed = committed
        self.markers.extend((transaction, place) for place in transaction.places)

    def _settle(self, name: str) -> None:
        """An id's next transaction waits for the markers of its last one."""
        if not self.markers:
            return
        last = self._last.get(name)
        due = [one for one in self.markers if one[0] is last]
        for one in due:
            self.markers.remove(one)
            self.logs[one[1]].mark(one[0])

    def _partition(self, topic: str, key: bytes | None) -> int:
        if BY_NAME[topic].sharing == "broadcast" or key is None:
            return 0
        return home_of(key.decode(), self.partitions)
