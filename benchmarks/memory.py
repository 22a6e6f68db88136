"""Memory of a worker that holds many accounts and positions, all evaluated and published."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contender import ContenderFailedError, resident
from benchmarks.live_worker import live_worker
from benchmarks.loader import Loader
from benchmarks.reference import ReferenceBook
from benchmarks.ticker import Ticker
from benchmarks.workload import deposits, holdings, opening
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from streams.state.ledger import partition_of

PARTITIONS = 8
DEPOSIT_USD = 1_000_000
POSITIONS_AN_ACCOUNT = 3
TICKS_PER_S = 50.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MemoryResult:
    """Bytes of the worker's resident set: at its peak, and at the end of steady ticking."""

    accounts: int
    positions: int
    peak_bytes: int
    steady_bytes: int
    digest: str


def measure(seed: int, accounts: int, *, tick_s: float, say: Say) -> MemoryResult:
    """Fill a worker, let it evaluate and publish everything at the first prices, tick on, look.

    Raises ContenderFailedError where its book is not what was sent.
    """
    say(f"memory: {accounts:,} accounts with {POSITIONS_AN_ACCOUNT} positions each")
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        ensure_topics(broker.bootstrap, PARTITIONS)
        book, counts = _produce(broker.bootstrap, seed, accounts)
        with live_worker(broker.bootstrap, PARTITIONS, Path(folder)) as worker:
            worker.await_fills(counts)
            Ticker(broker.bootstrap).run(tick_s, TICKS_PER_S, lambda second: 0.0)
            peak, steady = resident(worker.pid)
            final = worker.end()
    digest = book.digest(lambda account: partition_of(account, PARTITIONS))
    if final["digest"] != digest:
        raise ContenderFailedError(f"the book is {final['digest']}, expected {digest}")
    return MemoryResult(accounts, book.open_positions(), peak, steady, digest)


def _produce(bootstrap: str, seed: int, accounts: int) -> tuple[ReferenceBook, dict[int, int]]:
    loader, book = Loader(bootstrap), ReferenceBook()
    loader.send(opening())
    for event in deposits(accounts, DEPOSIT_USD):
        book.deposit(event.record)
        loader.send([event])
    loader.flush()
    least = most = POSITIONS_AN_ACCOUNT
    for event in holdings(seed, accounts, least=least, most=most):
        book.fill(event.record)
        loader.send([event])
    loader.flush()
    return book, loader.of("fills")
