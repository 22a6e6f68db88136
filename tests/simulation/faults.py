"""Where a simulated worker may crash or be held up: its journal, its cycle, its commits."""

from collections.abc import Callable, Sequence

from schemas.block import Block
from schemas.record_codec import decode
from streams.processors.cycle import Cycle
from streams.transport.transaction import PartitionLostError, Record
from tests.simulation.log import FakeBroker, home_of

At = Callable[[str], None]
"""Called with the name of every point that is passed; may run others meanwhile, or crash us."""


class CrashError(Exception):
    """The process ends here: its memory is gone, what the broker has stays."""


class FakeJournal:
    """A journal of one partition on the fake broker, as `TransactionJournal` is on a real one:
    two transactional ids take turns."""

    def __init__(self, broker: FakeBroker, partition: int, at: At) -> None:
        self._broker = broker
        self._partition = partition
        self._name, self._next = f"plimsoll-{partition}", f"plimsoll-{partition}-b"
        self._epochs = {self._name: 0, self._next: 0}
        self._at = at

    def open(self) -> None:
        self._at("before open")
        self._epochs[self._name] = self._broker.open(self._name)
        self._at("half open")
        self._epochs[self._next] = self._broker.open(self._next)

    def commit(self, records: Sequence[Record]) -> None:
        epoch = self._epochs[self._name]
        try:
            for record in records:
                self._broker.produce(self._name, epoch, record)
                self._at("produced")
            self._at("before commit")
            self._broker.commit(self._name, epoch)
        except PartitionLostError:
            self._at("fenced")
            raise
        kinds = sorted({self._leg(record) for record in records} - {""})
        self._at(f"committed with legs of {' and '.join(kinds)}" if kinds else "committed")
        if self._broker.is_fenced(self._name, epoch):
            # the answer was lost, and the client asked again
            raise PartitionLostError(f"{self._name}: fenced; the turn was committed all the same")
        self._name, self._next = self._next, self._name

    def close(self) -> None: ...

    def _leg(self, record: Record) -> str:
        """The kind of a leg of a transfer that another partition applies; "" of all else."""
        home = home_of(str(record.key), self._broker.partitions)
        if record.topic != "transfers" or home == self._partition:
            return ""
        kind: str = decode(record.value or b"", "transfer")[1]["kind"]
        return kind


class FaultyCycle(Cycle):
    """A cycle that may be cut short before and behind every block and every decision."""

    at: At = staticmethod(lambda point: None)

    def apply(self, block: Block) -> None:
        self.at("before apply")
        super().apply(block)
        self.at("after apply")

    def decide(self) -> None:
        self.at("before decide")
        super().decide()
        self.at("after decide")


class Commit:
    """A commit under way: it runs when the scheduler says so, at the latest when it is awaited."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: PartitionLostError | None = None
        self.begun = False

    def run(self) -> None:
        if not self.begun:
            self.begun = True
            try:
                self._call()
            except PartitionLostError as error:
                self._error = error

    def result(self) -> None:
        self.run()
        if self._error is not None:
            raise self._error
